"""JpegCodec as a decoder: pixels of every kind of JPEG, against Pillow, and what is said beside them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor

from dirac_enhance import DiracWarning, ImageMetadata, srgb_profile
from dirac_enhance_jpeg import JpegCodec


def some_image(size: tuple[int, int] = (56, 40), mode: str = "RGB", *, seed: int = 3) -> Image.Image:
    samples = numpy.random.default_rng(seed).integers(0, 256, (5, 7, len(mode)), dtype=numpy.uint8)
    return Image.merge(mode, [Image.fromarray(samples[..., band]).resize(size) for band in range(len(mode))])


def jpeg(image: Image.Image, **options: Any) -> bytes:
    coded = BytesIO()
    image.save(coded, options.pop("format", "JPEG"), **options)
    return coded.getvalue()


def pillow_pixels(data: bytes) -> Tensor:
    samples = numpy.array(Image.open(BytesIO(data)).convert("RGB"))
    return torch.from_numpy(samples).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(56, 40), (1, 1), (17, 1), (3, 19), (8, 8), (33, 31)])
def test_pixels_are_those_of_pillow(size: tuple[int, int], subsampling: str, progressive: bool) -> None:
    data = jpeg(some_image(size), quality=60, subsampling=subsampling, progressive=progressive)

    base = JpegCodec().decode(data)

    assert (base.width, base.height) == size
    assert base.pixels.dtype == torch.float32
    assert base.pixels.is_contiguous()
    assert torch.equal(base.pixels, pillow_pixels(data))
    assert base.rate_factor == 60
    assert base.coded_bytes == len(data)
    assert base.alpha is None
    assert base.consistency is None


@pytest.mark.parametrize("progressive", [False, True])
def test_grayscale_is_repeated_to_three_channels(progressive: bool) -> None:
    data = jpeg(some_image(mode="L"), quality=30, progressive=progressive)

    base = JpegCodec().decode(data)

    assert base.metadata.grayscale
    assert base.rate_factor == 30
    assert base.pixels.is_contiguous()
    assert torch.equal(base.pixels, pillow_pixels(data))


def test_restart_markers_and_data_after_the_end_are_no_obstacle() -> None:
    data = jpeg(some_image(), restart_marker_blocks=2)

    assert torch.equal(JpegCodec().decode(data + b"trailing bytes").pixels, pillow_pixels(data))


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_and_ycck_are_converted_to_rgb(transform: int) -> None:
    data = bytearray(jpeg(some_image(mode="CMYK"), quality=70))
    data[data.index(b"Adobe") + 11] = transform  # 2 declares the same samples to be YCCK

    base = JpegCodec().decode(bytes(data))

    assert torch.equal(base.pixels, pillow_pixels(bytes(data)))
    assert base.rate_factor == 70
    assert not base.metadata.grayscale


def test_cmyk_without_ink_is_white_and_with_all_black_ink_black() -> None:
    white, black = (Image.new("CMYK", (8, 8), (0, 0, 0, ink)) for ink in (0, 255))

    assert float(JpegCodec().decode(jpeg(white)).pixels.min()) == 1
    assert float(JpegCodec().decode(jpeg(black)).pixels.max()) == 0


def test_cmyk_goes_through_its_profile_which_is_then_replaced() -> None:
    image = Image.new("CMYK", (16, 8), (0, 255, 255, 51))

    base = JpegCodec().decode(jpeg(image, icc_profile=profile_that_prints_black_ink_only(), quality=95))

    assert base.metadata.icc_profile == srgb_profile()
    # L* = 80 in neutral grey is sRGB 198; the formula without a profile would give red.
    assert base.pixels.sub(198 / 255).abs().max() <= 2 / 255


@pytest.mark.parametrize("profile", [b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))])
def test_cmyk_with_an_unusable_profile_is_converted_without_it(profile: Any) -> None:
    image = Image.new("CMYK", (16, 8), (0, 255, 255, 51))
    block = profile if isinstance(profile, bytes) else profile.tobytes()

    with pytest.warns(DiracWarning, match="colour profile is damaged or not one for CMYK"):
        base = JpegCodec().decode(jpeg(image, icc_profile=block))

    assert torch.equal(base.pixels, JpegCodec().decode(jpeg(image)).pixels)
    assert base.metadata.icc_profile == srgb_profile()


def test_the_first_frame_of_an_mpo_is_decoded() -> None:
    first, second = some_image(), some_image((24, 24), seed=4)
    data = jpeg(first, format="MPO", save_all=True, append_images=[second], quality=80)
    assert Image.open(BytesIO(data)).format == "MPO"

    base = JpegCodec().decode(data)

    assert torch.equal(base.pixels, pillow_pixels(jpeg(first, quality=80)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_reported_and_not_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A maker"

    base = JpegCodec().decode(jpeg(some_image(), exif=exif, quality=75))

    assert base.metadata.orientation == orientation
    assert torch.equal(base.pixels, pillow_pixels(jpeg(some_image(), quality=75)))
    assert base.metadata.exif is not None
    assert base.metadata.exif[:2] in (b"II", b"MM")
    assert b"A maker" in base.metadata.exif


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert JpegCodec().decode(jpeg(some_image(), exif=exif)).metadata.orientation == 1


@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40])
def test_a_damaged_exif_block_is_carried_and_says_nothing(block: bytes) -> None:
    metadata = JpegCodec().decode(jpeg(some_image(), exif=block)).metadata

    assert metadata.exif == (block[6:] or None)
    assert (metadata.orientation, metadata.dpi) == (1, None)


def test_profile_xmp_and_resolution_are_carried() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    metadata = JpegCodec().decode(jpeg(some_image(), icc_profile=profile, xmp=b"<x/>", dpi=(300, 150))).metadata

    assert metadata == ImageMetadata(icc_profile=profile, xmp=b"<x/>", dpi=(300, 150))


def test_a_bare_file_has_bare_metadata() -> None:
    metadata = JpegCodec().decode(jpeg(some_image())).metadata

    assert metadata == ImageMetadata()


@pytest.mark.parametrize(("unit", "expected"), [(2, (300.0, 200.0)), (3, (762.0, 508.0))])
def test_resolution_is_taken_from_exif_where_jfif_has_none(unit: int, expected: tuple[float, float]) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 200.0, unit

    assert JpegCodec().decode(jpeg(some_image(), exif=exif)).metadata.dpi == pytest.approx(expected)


def test_detects_every_jpeg_and_no_png() -> None:
    codec = JpegCodec()

    assert codec.detect(jpeg(some_image())[:4096])
    assert codec.detect(jpeg(some_image(), format="MPO")[:4096])
    assert not codec.detect(jpeg(some_image(), format="PNG")[:4096])
    assert not codec.detect(b"")


def profile_that_prints_black_ink_only() -> bytes:
    """A CMYK profile (ICC.1:2001-04, lut8Type) whose lightness is 100 % minus the black ink, without colour."""
    curve = bytes(range(256))
    neutral = bytes((128, 128))
    grid = b"".join((b"\0" if corner & 1 else b"\xff") + neutral for corner in range(16))  # K varies fastest
    identity = b"".join((65536 if row == column else 0).to_bytes(4, "big") for row in range(3) for column in range(3))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + 4 * curve + grid + 3 * curve
    lut += bytes(-len(lut) % 4)
    white = b"XYZ \0\0\0\0" + b"".join(round(value * 65536).to_bytes(4, "big") for value in (0.9642, 1.0, 0.8249))
    tags = ((b"A2B0", lut), (b"wtpt", white))
    offset = 128 + 4 + 12 * len(tags)
    table, body = len(tags).to_bytes(4, "big"), b""
    for signature, content in tags:
        table += signature + (offset + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content
    header = bytearray(128)
    header[0:4] = (offset + len(body)).to_bytes(4, "big")
    header[8:24] = b"\x02\x40\0\0prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = white[8:20]
    return bytes(header) + table + body
