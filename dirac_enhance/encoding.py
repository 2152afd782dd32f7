"""A picture file coded by a base codec and written: at a rate factor, or at the one that gives a wanted size.

file ──read_picture──► upright pixels ──to_srgb──► sRGB ──encode_at or search_rate──► Encoding ──► file
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.atomic import check_target, write_atomically
from dirac_enhance.codec import EncodingCodec
from dirac_enhance.errors import CodecOptionError, InvalidImageError, PluginError
from dirac_enhance.guard import guard_codec
from dirac_enhance.out_of_memory import enough_memory
from dirac_enhance.picture import read_picture
from dirac_enhance.pipeline import CodecChoice, configure_codec

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.host import CodecHost
    from dirac_enhance.rate_search import Encoding

Coding = Callable[[EncodingCodec, "Tensor"], "Encoding"]
"""Encodes a picture: `rate_search.encode_at` or `rate_search.search_rate`, its keywords bound."""


def encode_file(
    source: Path, target: Path, *, host: CodecHost, choice: CodecChoice, coding: Coding, overwrite: bool = False
) -> Encoding:
    """Encode a picture file, converted to sRGB, as codecs take it, and upright; metadata and alpha are not coded.

    Args:
        source: an image file of 8 bits per sample, or one that a codec decodes.
        target: where the coded file goes; its suffix is one of the codec's.
        host: the codecs to choose from.
        choice: of the codec and its options; its id, never `AUTO`.
        coding: what to encode with, and so at which rate.
        overwrite: replace a file that is already there.

    Raises:
        DiracError: of the kind that fits; then nothing was written.
    """
    from dirac_enhance.colour_profile import to_srgb

    registered = host.codec(choice.codec_id)
    configured = replace(registered, codec=configure_codec(registered.codec, choice.options))
    codec = _check_encoder(guard_codec(configured), host)
    _check_suffix(target, codec)
    check_target(target, overwrite=overwrite)
    picture = read_picture(source, host)
    encoding = _encode(coding, codec, to_srgb(picture.pixels, picture.icc_profile), source=source)
    try:
        write_atomically(target, encoding.content, overwrite=overwrite)
    except OSError as cause:
        raise InvalidImageError(f"cannot write '{target}': {cause.strerror or cause}") from cause
    return encoding


def find_encoder(host: CodecHost, codec_id: str) -> EncodingCodec:
    """Return the codec of this id, its options at their defaults.

    Raises:
        UnknownCodecError: if there is none.
        PluginError: if its plugin failed.
        CodecOptionError: if it only decodes.
    """
    return _check_encoder(host.codec(codec_id).codec, host)


def _check_encoder(codec: object, host: CodecHost) -> EncodingCodec:
    if isinstance(codec, EncodingCodec):
        return codec
    encoders = [id_ for id_, entry in host.codecs.items() if isinstance(entry.codec, EncodingCodec)]
    raise CodecOptionError(
        f"codec '{getattr(codec, 'id', codec)}' only decodes; codecs that encode: {', '.join(encoders) or 'none'}"
    )


def _check_suffix(target: Path, codec: EncodingCodec) -> None:
    if target.suffix.lower() not in codec.file_suffixes:
        raise InvalidImageError(
            f"files of codec '{codec.id}' are not named '{target.suffix}';"
            f" end the output's name in one of {', '.join(codec.file_suffixes)}"
        )


def _encode(coding: Coding, codec: EncodingCodec, pixels: Tensor, *, source: Path) -> Encoding:
    try:
        with enough_memory("to encode it", of=f"'{source}'"):
            return coding(codec, pixels)
    except PluginError as error:
        raise PluginError(f"'{source}': {error}") from error.__cause__ or error
