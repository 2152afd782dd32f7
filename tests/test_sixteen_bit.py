"""Files of 16 bits per sample, written by this package, hold what another decoder then reads."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor

from dirac_enhance import DiracWarning, ImageMetadata, InvalidImageError
from dirac_enhance.decoded_pixels import read_decoded_pixels
from dirac_enhance.image import OutputSettings, check_output, write_image
from dirac_enhance.sixteen_bit import encode_png

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
_ORIENTATION, _MAKE = 0x0112, 0x010F


def _exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[_ORIENTATION] = orientation
    tags[_MAKE] = "Maker"
    tags.get_ifd(0x8769)[0x829A] = 0.01
    return tags.tobytes()[6:]


def _pixels() -> Tensor:
    return torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize(("grayscale", "transparent"), [(False, False), (False, True), (True, False), (True, True)])
def test_16_bit_files_hold_the_rounded_samples(tmp_path: Path, suffix: str, grayscale: bool, transparent: bool) -> None:
    pixels = _pixels()[:1].expand(3, -1, -1) if grayscale else _pixels()
    alpha = _pixels()[1] if transparent else None
    metadata = ImageMetadata(grayscale=grayscale)

    write_image(tmp_path / f"x{suffix}", pixels, metadata=metadata, alpha=alpha, output=OutputSettings(depth=16))

    stored = cv2.imread(str(tmp_path / f"x{suffix}"), cv2.IMREAD_UNCHANGED).reshape(20, 30, -1)
    assert stored.dtype == numpy.uint16
    assert stored.shape[2] == (4 if transparent else 1 if grayscale else 3)  # OpenCV repeats grayscale beside alpha
    expected = (pixels * 65535).round().permute(1, 2, 0).numpy()
    assert numpy.array_equal(stored[..., :3][..., ::-1], expected[..., : stored.shape[2]])
    if alpha is not None:
        assert numpy.array_equal(stored[..., 3], (alpha * 65535).round().numpy())


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_files_are_upright_and_keep_metadata(tmp_path: Path, suffix: str) -> None:
    metadata = ImageMetadata(icc_profile=_SRGB, exif=_exif(6), xmp=_XMP, dpi=(300, 150), orientation=6)
    write_image(tmp_path / f"x{suffix}", _pixels(), metadata=metadata, output=OutputSettings(depth=16))

    with Image.open(tmp_path / f"x{suffix}") as picture:
        tags = picture.getexif()
        assert picture.size == (20, 30)
        assert picture.info["icc_profile"] == _SRGB
        assert (tags[_MAKE], tags[_ORIENTATION]) == ("Maker", 1)
        assert float(tags.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)
        assert picture.info["xmp"] == _XMP.replace(b'Orientation="6"', b'Orientation="1"')
        assert picture.info["dpi"] == pytest.approx((150, 300), abs=0.02)


def test_grayscale_with_alpha_of_16_bits_stays_grayscale_in_png(tmp_path: Path) -> None:
    metadata = ImageMetadata(grayscale=True)
    output = OutputSettings(depth=16)
    write_image(tmp_path / "x.png", _pixels(), metadata=metadata, alpha=torch.ones(20, 30), output=output)

    assert (tmp_path / "x.png").read_bytes()[24:26] == bytes((16, 4))  # depth, and the colour type of gray with alpha
    assert read_decoded_pixels((tmp_path / "x.png").read_bytes()).metadata.grayscale


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (64, 3), (65, 3), (129, 2)])
def test_png_of_any_size_is_read_back(size: tuple[int, int]) -> None:
    samples = numpy.random.default_rng(4).integers(0, 65536, (*size, 3), dtype=numpy.uint16)
    samples[len(samples) // 2 :] = 777  # smooth below, so that rows are predicted well

    stored = cv2.imdecode(numpy.frombuffer(encode_png(samples, ImageMetadata()), numpy.uint8), cv2.IMREAD_UNCHANGED)

    assert numpy.array_equal(stored[..., ::-1], samples)


def test_gray_profile_does_not_go_with_a_tiff_that_had_to_become_rgb(tmp_path: Path) -> None:
    metadata = ImageMetadata(grayscale=True, icc_profile=_SRGB[:16] + b"GRAY" + _SRGB[20:])

    with pytest.warns(DiracWarning, match="colour profile is not one for RGB pictures"):
        write_image(
            tmp_path / "x.tiff", _pixels(), metadata=metadata, alpha=torch.ones(20, 30), output=OutputSettings(depth=16)
        )


def test_other_depths_are_refused() -> None:
    with pytest.raises(InvalidImageError, match="a depth of 12 bits per sample; expected 8 or 16"):
        OutputSettings(depth=12)  # type: ignore[arg-type] # the mistake under test


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_format_that_cannot_hold_16_bits_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidImageError, match=r"cannot hold 16 bits per sample; end its name in \.png or \.tiff"):
        check_output(tmp_path / f"x{suffix}", output=OutputSettings(depth=16))
