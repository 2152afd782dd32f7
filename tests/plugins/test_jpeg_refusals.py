"""JpegCodec on bytes that are no whole JPEG: one clear error, never a half picture, never a warning."""

from __future__ import annotations

import time
from io import BytesIO

import numpy
import pytest
from PIL import Image, ImageFile

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_jpeg import JpegCodec
from small_pictures import small_jpeg


@pytest.mark.parametrize("lenient_pillow", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(small_jpeg(), id="baseline"),
        pytest.param(small_jpeg(progressive=True), id="progressive"),
        pytest.param(small_jpeg("L"), id="grayscale"),
        pytest.param(small_jpeg("CMYK"), id="cmyk"),
        pytest.param(small_jpeg(restart_marker_blocks=1), id="restart markers"),
    ],
)
def test_a_file_cut_anywhere_is_refused(data: bytes, lenient_pillow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient_pillow)  # as other libraries set it

    for length in range(1, len(data)):
        with pytest.raises(InvalidBitstreamError, match="not a whole JPEG file"):
            JpegCodec().decode(data[:length])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file; expected a JPEG"),
        (b"plain text", "not a JPEG file"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG file"),
        (b"\xff\xd8\xff\xd9", "not a whole JPEG file"),
    ],
)
def test_other_bytes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=message):
        JpegCodec().decode(data)


def with_frame_header(data: bytes, *, at: int, value: bytes) -> bytes:
    start = data.index(b"\xff\xc0") + at
    return data[:start] + value + data[start + len(value) :]


def test_twelve_bits_a_sample_are_refused() -> None:
    with pytest.raises(InvalidBitstreamError, match=r"8 bits per sample: .*12-bit"):
        JpegCodec().decode(with_frame_header(small_jpeg(), at=4, value=b"\x0c"))


def test_a_file_that_claims_thousands_of_megapixels_is_refused_before_they_are_allocated() -> None:
    with pytest.raises(InvalidBitstreamError, match="claims 65500×65500 pixels; expected at most 200,000,000"):
        JpegCodec().decode(with_frame_header(small_jpeg(), at=5, value=(65500).to_bytes(2, "big") * 2))


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidBitstreamError):
        JpegCodec().decode(with_frame_header(small_jpeg(), at=5, value=bytes(4)))


def test_pictures_over_pillows_own_limit_are_decoded_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)

    assert JpegCodec().decode(small_jpeg()).width == 24


@pytest.mark.filterwarnings("ignore:the JPEG's colour profile is damaged")
def test_damaged_bytes_give_a_picture_or_one_kind_of_error() -> None:
    generator = numpy.random.default_rng(11)
    exif = Image.Exif()
    exif[0x0112] = 6
    intact = small_jpeg(exif=exif, xmp=b"<x/>", dpi=(72, 72), icc_profile=bytes(range(200)))
    outcomes = {"decoded": 0, "refused": 0}

    for _ in range(1500):
        damaged = bytearray(intact)
        for position in generator.integers(2, len(intact), 1 + int(generator.integers(4))):
            damaged[position] = int(generator.integers(256))
        try:
            JpegCodec().decode(bytes(damaged))
            outcomes["decoded"] += 1
        except InvalidBitstreamError:
            outcomes["refused"] += 1

    assert min(outcomes.values()) > 100


@pytest.mark.parametrize("progressive", [False, True])
def test_a_small_file_that_claims_a_huge_picture_is_refused_before_it_is_decoded(progressive: bool) -> None:
    buffer = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "JPEG", progressive=progressive)
    data = bytearray(buffer.getvalue())
    frame = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[frame + 5 : frame + 9] = (14000).to_bytes(2, "big") * 2
    started = time.process_time()
    with pytest.raises(InvalidBitstreamError, match="bytes are too few for 14000×14000 pixels"):
        JpegCodec().decode(bytes(data))
    assert time.process_time() - started < 1
