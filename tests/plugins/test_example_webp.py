"""The example's WebpCodec: the contract on every kind of WebP, what it carries, and what it refuses."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy
import pytest
import torch
from PIL import Image, ImageCms

from dirac_enhance import CodecOptionError, InvalidBitstreamError, InvalidImageError
from dirac_enhance.testing import assert_codec_contract
from example_webp import WebpCodec


def picture(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    samples = numpy.random.default_rng(3).integers(0, 256, (4, 6, len(mode)), dtype=numpy.uint8)
    return Image.fromarray(samples).resize(size)


def webp(mode: str = "RGB", **options: Any) -> bytes:
    coded = BytesIO()
    picture(mode).save(coded, "WEBP", **({"quality": 30} | options))
    return coded.getvalue()


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(webp(), id="simple"),
        pytest.param(webp("RGBA"), id="alpha"),
        pytest.param(webp(exif=exif(6), xmp=b"<x/>"), id="metadata"),
        pytest.param(webp(exif=b"Exif\0\0damaged"), id="damaged exif"),
        pytest.param(webp(icc_profile=bytes(5000)), id="profile beyond the header"),
    ],
)
def test_it_keeps_the_contract(sample: bytes) -> None:
    assert_codec_contract(WebpCodec(), sample)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_and_alpha_are_those_of_pillow(mode: str) -> None:
    data = webp(mode)

    base = WebpCodec().decode(data)

    with Image.open(BytesIO(data)) as image:
        expected = torch.from_numpy(numpy.array(image.convert(mode))).permute(2, 0, 1) / 255
    assert torch.equal(base.pixels, expected[:3])
    assert (base.alpha is None) == (mode == "RGB")
    assert base.alpha is None or torch.equal(base.alpha, expected[3])
    assert base.rate_factor is None


def test_metadata_is_carried_and_orientation_reported() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    base = WebpCodec().decode(webp(icc_profile=profile, exif=exif(6), xmp=b"<x/>"))

    assert (base.height, base.width) == (16, 24)
    assert (base.metadata.icc_profile, base.metadata.xmp, base.metadata.orientation) == (profile, b"<x/>", 6)
    assert base.metadata.exif is not None
    assert base.metadata.exif[:2] in (b"II", b"MM")


@pytest.mark.parametrize("block", [exif(9), b"Exif\0\0damaged", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"])
def test_an_orientation_that_cannot_be_read_counts_as_upright(block: bytes) -> None:
    assert WebpCodec().decode(webp(exif=block)).metadata.orientation == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(webp(lossless=True), id="lossless"),
        pytest.param(webp(lossless=True, exif=exif(1)), id="lossless with metadata"),
        pytest.param(webp(save_all=True, append_images=[Image.new("RGB", (24, 16))]), id="animated"),
    ],
)
def test_what_is_lossless_or_moves_is_not_its_own(data: bytes) -> None:
    assert not WebpCodec().detect(data[:4096])
    with pytest.raises(InvalidBitstreamError, match="lossless or animated one; expected a lossy, still WebP"):
        WebpCodec().decode(data)


def test_better_quality_and_more_effort_change_the_file() -> None:
    pixels = torch.from_numpy(numpy.array(picture(size=(64, 48)))).permute(2, 0, 1) / 255
    coded = [WebpCodec(method=method).encode(pixels, rate_factor=rate) for method, rate in ((0, 50), (6, 50), (6, 90))]

    assert len(set(coded)) == 3
    assert len(coded[2]) > len(coded[1])
    with pytest.raises(CodecOptionError, match="'method' is one of 0, 1, 2, 3, 4, 5, 6, not '7'"):
        WebpCodec().with_options(method=7)


def test_a_picture_wider_than_the_format_allows_is_refused() -> None:
    with pytest.raises(InvalidImageError, match="at most 16383 a side"):
        WebpCodec().encode(torch.zeros(3, 1, 16384), rate_factor=50)
