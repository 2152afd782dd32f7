"""Results keep what their source said; original pictures are read or refused."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Literal

import numpy
import pytest
import torch
from PIL import Image, ImageCms, ImageOps
from torch import Tensor

from dirac_enhance import DiracWarning, ImageMetadata, InvalidImageError, OutputExistsError
from dirac_enhance.image import OutputSettings, read_rgb, write_image

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_GRAY = _SRGB[:16] + b"GRAY" + _SRGB[20:]
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="caf\xc3\xa9"/></x:xmpmeta>'
_MAKE = 0x010F


def _exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[_MAKE] = "Maker"
    tags[0x0100] = 9999  # a width, as phones write it
    tags.get_ifd(0x8769)[0x829A] = 0.01
    return tags.tobytes()[6:]


def _pixels(height: int = 20, width: int = 30) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(5))


def _load(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".webp", ".tif", ".tiff"])
def test_lossless_formats_hold_the_rounded_pixels(tmp_path: Path, suffix: str) -> None:
    pixels = _pixels()
    write_image(tmp_path / f"x{suffix}", pixels, metadata=ImageMetadata())

    expected = numpy.rint(255 * pixels.double().permute(1, 2, 0).numpy()).astype(numpy.uint8)
    assert numpy.array_equal(numpy.array(_load(tmp_path / f"x{suffix}")), expected)


def test_jpeg_results_are_close_to_the_pixels(tmp_path: Path) -> None:
    pixels = torch.linspace(0, 1, 40).expand(3, 30, 40)
    write_image(tmp_path / "x.jpg", pixels, metadata=ImageMetadata())

    assert (read_rgb(tmp_path / "x.jpg") - pixels).abs().max() < 3 / 255


def test_values_outside_the_range_are_clamped(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", torch.tensor([-0.5, 1.5, 0.5]).view(3, 1, 1), metadata=ImageMetadata())

    assert _load(tmp_path / "x.png").getpixel((0, 0)) == (0, 255, 128)


def test_given_pixels_are_left_alone(tmp_path: Path) -> None:
    pixels = _pixels()
    before = pixels.clone()
    write_image(tmp_path / "x.png", pixels, metadata=ImageMetadata())

    assert torch.equal(pixels, before)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_pillow_would(tmp_path: Path, orientation: int) -> None:
    pixels = _pixels()
    write_image(tmp_path / "plain.png", pixels, metadata=ImageMetadata())
    tagged = _load(tmp_path / "plain.png")
    tagged.getexif()[0x0112] = orientation
    expected = ImageOps.exif_transpose(tagged)

    metadata = ImageMetadata(orientation=orientation, exif=_exif(orientation))
    write_image(tmp_path / "upright.png", pixels, metadata=metadata)

    upright = _load(tmp_path / "upright.png")
    assert numpy.array_equal(numpy.array(upright), numpy.array(expected))
    assert upright.getexif()[0x0112] == 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_profile_exif_and_xmp_are_kept_and_upright(tmp_path: Path, suffix: str) -> None:
    metadata = ImageMetadata(icc_profile=_SRGB, exif=_exif(6), xmp=_XMP, orientation=6)
    write_image(tmp_path / f"x{suffix}", _pixels(20, 30), metadata=metadata)

    picture = _load(tmp_path / f"x{suffix}")
    tags = picture.getexif()
    assert picture.size == (20, 30)
    assert picture.info["icc_profile"] == _SRGB
    assert (tags[_MAKE], tags[0x0112]) == ("Maker", 1)
    assert float(tags.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)
    assert picture.info["xmp"] == _XMP.replace(b'Orientation="6"', b'Orientation="1"')


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff"])
def test_resolution_turns_with_the_picture(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"x{suffix}", _pixels(), metadata=ImageMetadata(dpi=(300, 150), orientation=6))

    assert _load(tmp_path / f"x{suffix}").info["dpi"] == pytest.approx((150, 300), abs=0.02)


@pytest.mark.parametrize(("suffix", "mode"), [(".png", "L"), (".jpg", "L"), (".tiff", "L"), (".webp", "RGB")])
def test_grayscale_stays_grayscale_where_the_format_has_it(tmp_path: Path, suffix: str, mode: str) -> None:
    pixels = torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1).expand(3, 8, 8)
    write_image(tmp_path / f"x{suffix}", pixels, metadata=ImageMetadata(grayscale=True))

    picture = _load(tmp_path / f"x{suffix}")
    assert picture.mode == mode
    assert abs(numpy.array(picture).astype(int) - round(0.3 * 255)).max() <= 1


def test_gray_profile_goes_with_a_grayscale_file(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata(icc_profile=_GRAY, grayscale=True))

    assert _load(tmp_path / "x.png").info["icc_profile"] == _GRAY


@pytest.mark.parametrize(("profile", "grayscale"), [(_SRGB, True), (_GRAY, False), (b"damaged", False)])
def test_profile_that_does_not_fit_is_left_out_with_a_warning(tmp_path: Path, profile: bytes, grayscale: bool) -> None:
    with pytest.warns(DiracWarning, match="colour profile is not one for"):
        write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata(icc_profile=profile, grayscale=grayscale))

    assert "icc_profile" not in _load(tmp_path / "x.png").info


def test_damaged_exif_is_left_out_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(DiracWarning, match="EXIF block is damaged and is left out"):
        write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata(exif=b"MM\0*junk"))

    assert "exif" not in _load(tmp_path / "x.png").info


@pytest.mark.parametrize(("suffix", "grayscale", "mode"), [(".png", True, "LA"), (".webp", True, "RGBA")])
def test_alpha_is_kept_and_turned(tmp_path: Path, suffix: str, grayscale: bool, mode: str) -> None:
    alpha = torch.zeros(20, 30)
    alpha[:, :10] = 1
    metadata = ImageMetadata(orientation=6, grayscale=grayscale)
    write_image(tmp_path / f"x{suffix}", _pixels(), metadata=metadata, alpha=alpha)

    picture = _load(tmp_path / f"x{suffix}")
    assert picture.mode == mode
    assert numpy.array_equal(numpy.array(picture.getchannel("A"))[:, 0], [255] * 10 + [0] * 20)


def test_colour_under_transparency_survives_webp(tmp_path: Path) -> None:
    pixels = torch.full((3, 8, 8), 200 / 255)
    write_image(tmp_path / "x.webp", pixels, metadata=ImageMetadata(), alpha=torch.zeros(8, 8))

    assert _load(tmp_path / "x.webp").getpixel((0, 0)) == (200, 200, 200, 0)


def test_jpeg_refuses_alpha_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match=r"RGBA picture as JPEG.*PNG holds any"):
        write_image(tmp_path / "x.jpg", _pixels(), metadata=ImageMetadata(), alpha=torch.ones(20, 30))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.bmp", r"cannot be written as '\.bmp'; end the output's name in one of \.png, \.jpg"),
        ("x", r"cannot be written as ''"),
        ("missing/x.png", r"there is no folder '.*missing'; create it first"),
        ("folder.png", r"it is a folder"),
        (f"{'n' * 300}.png", r"cannot write"),
    ],
)
def test_impossible_target_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.png").mkdir()

    with pytest.raises(InvalidImageError, match=message):
        write_image(tmp_path / name, _pixels(), metadata=ImageMetadata())

    assert list(tmp_path.iterdir()) == [tmp_path / "folder.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InvalidImageError, match="is not writable"):
            write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata())
    finally:
        tmp_path.chmod(0o700)


def test_existing_file_needs_overwrite(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"old")

    with pytest.raises(OutputExistsError, match="already exists"):
        write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata())
    assert (tmp_path / "x.png").read_bytes() == b"old"

    write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata(), output=OutputSettings(overwrite=True))
    assert _load(tmp_path / "x.png").size == (30, 20)


def test_pixels_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match="not all finite"):
        write_image(tmp_path / "x.png", torch.full((3, 4, 4), float("nan")), metadata=ImageMetadata())

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".jpg", ".webp"])
def test_stripped_files_keep_only_the_colour_profile(tmp_path: Path, suffix: str, depth: Literal[8, 16]) -> None:
    if depth == 16 and suffix in (".jpg", ".webp"):
        return
    metadata = ImageMetadata(icc_profile=_SRGB, exif=_exif(6), xmp=_XMP, dpi=(300, 150), orientation=6)
    output = OutputSettings(depth=depth, strip_metadata=True)
    write_image(tmp_path / f"x{suffix}", _pixels(), metadata=metadata, output=output)

    picture = _load(tmp_path / f"x{suffix}")
    assert picture.size == (20, 30)
    assert picture.info["icc_profile"] == _SRGB
    assert not {"exif", "xmp", "dpi"} & set(picture.info) - ({"dpi"} if suffix == ".tiff" else set())
    assert _MAKE not in picture.getexif()
    assert b"300" not in repr(picture.info.get("dpi")).encode()


@pytest.mark.parametrize("dpi", [(4.3e9, 4.3e9), (0.001, 72), (72, 1e300)])
@pytest.mark.parametrize("depth", [8, 16])
def test_absurd_resolution_is_left_out_with_a_warning(
    tmp_path: Path, dpi: tuple[float, float], depth: Literal[8, 16]
) -> None:
    for suffix in (".png", ".tiff", *((".jpg",) if depth == 8 else ())):
        with pytest.warns(DiracWarning, match="dots per inch is absurd and is left out"):
            write_image(
                tmp_path / f"x{suffix}", _pixels(), metadata=ImageMetadata(dpi=dpi), output=OutputSettings(depth=depth)
            )


def test_metadata_too_long_for_jpeg_is_left_out_with_a_warning(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[_MAKE] = "M" * 70_000
    metadata = ImageMetadata(exif=tags.tobytes()[6:], xmp=b"<" + b"x" * 70_000)

    with pytest.warns(DiracWarning, match="is too long for a JPEG file") as given:
        write_image(tmp_path / "x.jpg", _pixels(), metadata=metadata)

    assert len(given) == 2
    assert not {"exif", "xmp"} & set(_load(tmp_path / "x.jpg").info)


@pytest.mark.filterwarnings("ignore::dirac_enhance.DiracWarning")
def test_no_damage_to_exif_keeps_a_picture_from_being_written(tmp_path: Path) -> None:
    generator = numpy.random.default_rng(3)
    intact = _exif(6)
    for number in range(100):
        damaged = bytearray(intact)
        for position in generator.integers(0, len(intact), 1 + int(generator.integers(6))):
            damaged[position] = int(generator.integers(256))
        metadata = ImageMetadata(exif=bytes(damaged), orientation=6)
        suffix, depth = ((".png", 8), (".jpg", 8), (".webp", 8), (".tiff", 8), (".tiff", 16), (".png", 16))[number % 6]
        output = OutputSettings(overwrite=True, depth=depth)  # type: ignore[arg-type] # 8 or 16
        write_image(tmp_path / f"x{suffix}", _pixels(), metadata=metadata, output=output)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow remarks on what is damaged
            assert _load(tmp_path / f"x{suffix}").size == (20, 30)


def test_profile_of_the_right_kind_that_nobody_can_open_is_left_out_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(DiracWarning, match="colour profile is damaged and is left out"):
        write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata(icc_profile=_SRGB[:200]))

    assert "icc_profile" not in _load(tmp_path / "x.png").info


def test_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(InvalidImageError, match=r"cannot write '.*x\.png': No space left on device"):
        write_image(tmp_path / "x.png", _pixels(), metadata=ImageMetadata())
    assert not list(tmp_path.iterdir())


def test_read_rgb_returns_the_written_pixels_upright(tmp_path: Path) -> None:
    picture = Image.fromarray(numpy.arange(24, dtype=numpy.uint8).reshape(2, 4, 3))
    tags = Image.Exif()
    tags[0x0112] = 3
    picture.save(tmp_path / "x.png", exif=tags)

    pixels = read_rgb(tmp_path / "x.png")

    assert (pixels.dtype, pixels.shape, pixels.is_contiguous()) == (torch.float32, (3, 2, 4), True)
    assert torch.equal((pixels * 255).round().to(torch.uint8)[:, 0, 0], torch.tensor([21, 22, 23], dtype=torch.uint8))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK"])
def test_read_rgb_takes_every_8_bit_mode(tmp_path: Path, mode: str) -> None:
    gray = Image.new("RGB", (5, 4), (128, 128, 128)).convert("L" if mode == "P" else "RGB")
    gray.convert(mode).save(tmp_path / "x.tiff")

    assert (read_rgb(tmp_path / "x.tiff") * 255 - 128).abs().max() <= 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the image '.*': No such file"),
        (b"", "not an image"),
        (b"plain text", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "not an image|cannot read"),
    ],
)
def test_read_rgb_refuses_what_is_no_image(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "x.png").write_bytes(content)

    with pytest.raises(InvalidImageError, match=message):
        read_rgb(tmp_path / "x.png")


def test_read_rgb_refuses_a_truncated_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    (tmp_path / "x.png").write_bytes(buffer.getvalue()[:2000])

    with pytest.raises(InvalidImageError, match=r"x\.png"):
        read_rgb(tmp_path / "x.png")


def test_read_rgb_reads_16_bits_in_full_depth(tmp_path: Path) -> None:
    levels = torch.tensor([0, 1, 257, 40_000, 65_535]).float() / 65535
    pixels = torch.stack([levels, levels.flip(0), 1 - levels])[:, None, :].repeat(1, 2, 1)
    for name in ("x.png", "x.tiff"):
        write_image(tmp_path / name, pixels, metadata=ImageMetadata(), output=OutputSettings(depth=16))
        assert torch.equal((read_rgb(tmp_path / name) * 65535).round(), (pixels * 65535).round())
    Image.fromarray(numpy.full((4, 4), 515, dtype=numpy.uint16)).save(tmp_path / "gray.png")
    assert torch.equal((read_rgb(tmp_path / "gray.png") * 65535).round(), torch.full((3, 4, 4), 515.0))


def test_read_rgb_refuses_samples_that_are_no_levels(tmp_path: Path) -> None:
    Image.new("F", (4, 4)).save(tmp_path / "x.tiff")

    with pytest.raises(InvalidImageError, match="samples of kind 'F'; save it as PNG of 8 or 16 bits"):
        read_rgb(tmp_path / "x.tiff")
