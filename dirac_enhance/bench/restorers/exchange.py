"""Pictures exchanged with a peer through files: what it is given, and what it left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance import BaseReconstruction, DiracError, ImageMetadata, RestorerError, load_host

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # Y of JFIF, which is that of ITU-R BT.601 in full range


def decode_jpeg(data: bytes) -> BaseReconstruction:
    """Decode a JPEG as our own codec does, in coded orientation.

    Raises:
        InvalidBitstreamError: if it is none.
    """
    return load_host().codec("jpeg").codec.decode(data)


def read_restored(path: Path, *, restorer_id: str, height: int, width: int) -> Tensor:
    """Read the picture that a peer left, which must have the size of what it was given.

    Returns:
        (3, `height`, `width`) float32 in [0, 1], grayscale repeated.

    Raises:
        RestorerError: if there is none, it is damaged, or it has another size.
    """
    from dirac_enhance.image import read_rgb

    if not path.is_file():
        raise RestorerError(f"{restorer_id} ended without an error but left no '{path.name}'")
    try:
        # A JPEG through our codec, which leaves the EXIF orientation alone, unlike a reader of originals.
        pixels = decode_jpeg(path.read_bytes()).pixels if path.suffix == ".jpg" else read_rgb(path)
    except (DiracError, OSError) as cause:
        raise RestorerError(f"{restorer_id} left a '{path.name}' that is no picture: {cause}") from cause
    if tuple(pixels.shape) != (3, height, width):
        raise RestorerError(
            f"{restorer_id} left a picture of {pixels.shape[2]}×{pixels.shape[1]} pixels; expected {width}×{height}"
        )
    return pixels


def write_png(path: Path, pixels: Tensor) -> None:
    """Write (3, H, W) pixels in [0, 1] as an 8-bit RGB PNG, or (1, H, W) as grayscale."""
    from dirac_enhance.image import write_image

    path.parent.mkdir(parents=True, exist_ok=True)
    grayscale = pixels.shape[0] == 1
    write_image(path, pixels.expand(3, -1, -1), metadata=ImageMetadata(grayscale=grayscale))


def luminance(pixels: Tensor) -> Tensor:
    """Return the luma Y of JPEG, (1, H, W), of RGB pixels (3, H, W), both in [0, 1]."""
    import torch

    return torch.einsum("c,chw->hw", torch.tensor(_LUMA), pixels)[None]


def with_luminance(pixels: Tensor, restored: Tensor) -> Tensor:
    """Replace the luma of RGB pixels and keep their Cb and Cr, as restorers of one plane are used on colour.

    Args:
        pixels: (3, H, W) in [0, 1].
        restored: (1, H, W) in [0, 1], their new luma.

    Returns:
        (3, H, W) in [0, 1]: equal chroma means that each of R, G and B moves by the luma's difference.
    """
    return (pixels + (restored - luminance(pixels))).clamp(0, 1)
