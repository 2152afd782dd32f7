"""Preparations: how a paper turned the files of its set into the originals it measured."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dirac_enhance import InvalidImageError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

_SIDE = 256
_LUMA, _LUMA_OFFSET = (65.481, 128.553, 24.966), 16
"""ITU-R BT.601 in studio range, of samples in [0, 1]."""


class Preparation(Enum):
    """Named steps from a file to an original; Pillow's filters, antialiased and in 8 bits, are part of them."""

    AS_IT_IS = "as it is"
    SQUARE_THEN_256 = "square centre crop, then resized to 256 (bilinear)"
    """DDRM: torchvision's `center_crop` to the shorter side, then `Resize(256)` on a Pillow image."""
    RESIZE_256_THEN_SQUARE = "shorter side resized to 256 (bicubic), then centre crop"
    """Palette and ΠGDM as DIRAC repeats them (appendix B.1), which names Pillow but no filter: Pillow's default."""


def read_original(path: Path, preparation: Preparation) -> Tensor:
    """Read a picture and prepare it.

    Returns:
        (3, H, W) float32 in [0, 1], each sample a multiple of 1/255; 256×256 unless the picture is kept as it is.

    Raises:
        InvalidImageError: if the file is missing, damaged, or no image.
    """
    from dirac_enhance.image import read_rgb

    pixels = read_rgb(path).mul_(255).round_().div_(255)
    return pixels if preparation is Preparation.AS_IT_IS else _to_pixels(_prepare(_to_pillow(pixels), preparation))


def to_luma(pixels: Tensor) -> Tensor:
    """Make the original of gray tables, as their papers do: Y of MATLAB's `rgb2ycbcr`; a gray picture stays as it is.

    Y of BT.601 lies in 16 … 235 and is rounded to 8 bits. DnCNN-3 codes it (cszn/DnCNN:Demo_test_DnCNN3.m@3e721ef), and
    SwinIR (JingyunLiang/SwinIR:main_test_swinir.py@184ccfd). JPEG's own Y has the full range, and so a lower PSNR at
    equal quality: figures of the two cannot be compared (jiaxi-jiang/FBCNN#7).

    Args:
        pixels: (3, H, W) float32 in [0, 1], each sample a multiple of 1/255.

    Returns:
        The same shape and range, three equal planes of multiples of 1/255; `pixels` itself if it is gray.
    """
    import torch

    if is_gray(pixels):
        return pixels
    luma = torch.einsum("c,chw->hw", torch.tensor(_LUMA, dtype=torch.float64), pixels.double())
    return luma.add_(_LUMA_OFFSET).round_().div_(255).float().expand(3, -1, -1)


def is_gray(pixels: Tensor) -> bool:
    """Say whether the planes of (3, H, W) pixels are equal, as those read from a grayscale file are."""
    return bool((pixels == pixels[:1]).all())


def _prepare(picture: Image, preparation: Preparation) -> Image:
    from PIL import Image as Pillow

    if preparation is Preparation.SQUARE_THEN_256:
        square = _centre_crop(picture, min(picture.size))
        return square.resize((_SIDE, _SIDE), Pillow.Resampling.BILINEAR)
    scale = _SIDE / min(picture.size)
    width, height = (max(_SIDE, round(side * scale)) for side in picture.size)
    return _centre_crop(picture.resize((width, height), Pillow.Resampling.BICUBIC), _SIDE)


def _centre_crop(picture: Image, side: int) -> Image:
    """Cut out the middle, an odd margin's larger half rounded as torchvision rounds it: half to even."""
    left, top = (round((length - side) / 2.0) for length in picture.size)
    return picture.crop((left, top, left + side, top + side))


def _to_pillow(pixels: Tensor) -> Image:
    from PIL import Image as Pillow

    return Pillow.fromarray((pixels * 255).round().byte().permute(1, 2, 0).contiguous().numpy())


def _to_pixels(picture: Image) -> Tensor:
    import numpy
    import torch

    samples = torch.from_numpy(numpy.array(picture))
    return samples.permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of those in it, by their paths' order: that of results and pixel hashes.

    Raises:
        InvalidImageError: if the folder is missing, or there is none.
    """
    from dirac_enhance.image import PHOTOGRAPH_SUFFIXES

    if not folder.is_dir():
        raise InvalidImageError(f"there is no folder '{folder}' of original pictures")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPH_SUFFIXES and path.is_file())
    if not found:
        raise InvalidImageError(f"no pictures in '{folder}'; expected files such as '{folder / '01.png'}'")
    return found


def channels_of(path: Path) -> Literal["RGB", "grayscale", "alpha"]:
    """Say from a picture's header what kind of samples it has; "RGB" also where the header cannot be read."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as picture:
            if "A" in picture.getbands() or "transparency" in picture.info:
                return "alpha"
            return "grayscale" if picture.mode in ("1", "L") else "RGB"
    except (OSError, ValueError):
        return "RGB"
