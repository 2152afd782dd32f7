"""Pixels to JPEG bytes through Pillow."""

from __future__ import annotations

from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from dirac_enhance import InvalidImageError

_MAXIMUM_SIDE = 65500  # libjpeg's JPEG_MAX_DIMENSION


def write_jpeg(pixels: Tensor, *, quality: int, subsampling: str | None) -> bytes:
    """Encode (3, H, W) float pixels in [0, 1]; values outside are clamped, all are rounded to 8 bits.

    Args:
        pixels: RGB.
        quality: 1…100.
        subsampling: of the chroma planes; None for a file of one component, the luma of JFIF.

    Raises:
        InvalidImageError: if the pixels have another shape, a value that is not finite, or a side over 65500.
    """
    _check(pixels)
    samples = pixels.detach().clamp(0, 1).mul_(255).round_().to(torch.uint8)
    image = Image.fromarray(samples.permute(1, 2, 0).cpu().contiguous().numpy())
    coded = BytesIO()
    if subsampling is None:
        image.convert("L").save(coded, "JPEG", quality=quality)
    else:
        image.save(coded, "JPEG", quality=quality, subsampling=subsampling)
    return coded.getvalue()


def _check(pixels: Tensor) -> None:
    shape = tuple(pixels.shape)
    if len(shape) != 3 or shape[0] != 3 or 0 in shape or not pixels.is_floating_point():
        raise InvalidImageError(f"{pixels.dtype} pixels of shape {shape}; JPEG takes float pixels (3, height, width)")
    if max(shape) > _MAXIMUM_SIDE:
        raise InvalidImageError(f"a picture of {shape[2]}×{shape[1]} pixels; JPEG takes at most {_MAXIMUM_SIDE} a side")
    if not bool(torch.isfinite(pixels).all()):
        raise InvalidImageError("pixels that are not finite cannot be coded; expected values in [0, 1]")
