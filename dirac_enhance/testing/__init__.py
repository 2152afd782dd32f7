"""assert_codec_contract: what the authors of a codec plugin run on their codec."""

from __future__ import annotations

from dirac_enhance.codec import Codec, EncodingCodec
from dirac_enhance.testing.decoding import check_damaged_files, check_decoding, check_refused_files
from dirac_enhance.testing.encoding import check_odd_sizes, check_rates, check_refused_pixels
from dirac_enhance.testing.form import check_detection, check_form, check_options

__all__ = ["assert_codec_contract"]


def assert_codec_contract(codec: Codec, sample_bytes: bytes) -> None:
    """Check that a codec keeps every promise of `Codec`, and of `EncodingCodec` if it can encode.

    What is checked, in this order:

    - the form that `register_codecs` asks for, and options;
    - `detect` on the sample's header, on each start of it, and on the headers of foreign formats;
    - what `decode` returns (type, shape, dtype, range, size, rate factor, metadata, consistency), and that it is the
      same again;
    - that truncated, foreign and empty files raise `InvalidBitstreamError`, and damaged ones that or decode to a valid
      picture;
    - from one end of the rate range to the other, that what `encode` returns is detected, decodes to the size and
      colours that were given, and is the same again, and that better rates give better pictures and larger files;
    - that rate factors and pixels outside the contract are refused.

    The sample is decoded about 70 times; some 25 pictures of at most 40×56 pixels are encoded.

    Args:
        codec: as it is registered.
        sample_bytes: a whole coded file, nothing after its end; the smaller its picture, the quicker.

    Raises:
        AssertionError: at the first promise broken; it says what was expected and what came.
    """
    check_form(codec)
    check_options(codec)
    check_detection(codec, sample_bytes)
    check_decoding(codec, sample_bytes)
    check_refused_files(codec, sample_bytes)
    check_damaged_files(codec, sample_bytes)
    if isinstance(codec, EncodingCodec):
        check_rates(codec)
        check_odd_sizes(codec)
        check_refused_pixels(codec)
