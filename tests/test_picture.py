"""Pictures as encoding and comparing take them: any file, upright."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import pytest
import torch
from PIL import Image, ImageOps

from dirac_enhance import DiracError, load_host
from dirac_enhance.colour_profile import profile_name, to_srgb
from dirac_enhance.image import read_rgb
from dirac_enhance.picture import read_picture, upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_agrees_with_pillow(tmp_path: Path, orientation: int) -> None:
    stored = Image.new("RGB", (5, 3))
    stored.putdata([(index * 7, 255 - index, index) for index in range(15)])
    tags = Image.Exif()
    tags[0x0112] = orientation
    stored.save(tmp_path / "stored.png", exif=tags)
    with Image.open(tmp_path / "stored.png") as opened:
        assert ImageOps.exif_transpose(opened).size == ((3, 5) if orientation >= 5 else (5, 3))
        stored.save(tmp_path / "plain.png")

    turned = upright(read_rgb(tmp_path / "plain.png"), orientation)

    assert torch.equal(turned, read_rgb(tmp_path / "stored.png"))


def test_coded_file_and_image_file_are_both_read_upright(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    picture = Image.radial_gradient("L").resize((24, 16)).convert("RGB")
    picture.save(tmp_path / "coded.jpg", exif=tags)
    picture.save(tmp_path / "image.png", exif=tags)
    host = load_host()

    coded, image = (read_picture(tmp_path / name, host) for name in ("coded.jpg", "image.png"))

    assert coded.pixels.shape == image.pixels.shape == (3, 24, 16)
    assert torch.equal(coded.pixels, read_rgb(tmp_path / "coded.jpg"))
    assert coded.icc_profile is None


def test_a_file_is_read_once_whatever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("coded.jpg", "image.png", "lossy.webp"):
        Image.radial_gradient("L").resize((24, 16)).convert("RGB").save(tmp_path / name)
    reads: list[str] = []
    host = load_host()
    open_path = Path.open

    def note(path: Path, mode: str = "r") -> IO[Any]:
        reads.append(path.name)
        return open_path(path, mode)

    monkeypatch.setattr(Path, "open", note)

    for name in ("coded.jpg", "image.png", "lossy.webp"):
        assert read_picture(tmp_path / name, host).pixels.shape == (3, 16, 24)
    assert reads == ["coded.jpg", "image.png", "lossy.webp"]


@pytest.mark.parametrize("content", [b"plain text", b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(DiracError, match=r"file'"):
        read_picture(tmp_path / "file", load_host())


def test_srgb_pixels_are_left_alone() -> None:
    from PIL import ImageCms

    pixels = torch.rand(3, 2, 2)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert profile_name(profile) == "sRGB built-in"
    assert to_srgb(pixels, profile) is pixels
    assert to_srgb(pixels, None) is pixels
    assert profile_name(b"damaged") is None
