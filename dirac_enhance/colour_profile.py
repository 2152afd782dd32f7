"""ICC colour profiles: what one is called, which one an image file carries, and pixels from it to sRGB."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageCms

from dirac_enhance.errors import DiracWarning

if TYPE_CHECKING:
    from torch import Tensor

_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def profile_name(profile: bytes) -> str | None:
    """Return the description in an ICC profile (ICC.1:2022, section 9.2.41), None if it is damaged or has none."""
    try:
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile)))
    except _PROFILE_ERRORS:
        return None
    return " ".join(description.split()) or None


def read_profile(path: Path) -> bytes | None:
    """Return the ICC profile of an image file that is known to be readable, None if it has none."""
    with Image.open(path) as picture:
        return picture.info.get("icc_profile") or None


def to_srgb(pixels: Tensor, profile: bytes | None) -> Tensor:
    """Convert pixels from a colour profile to sRGB, in 8 bits, relative colorimetric as Pillow does when told nothing.

    Args:
        pixels: (3, H, W) float32 in [0, 1].
        profile: theirs; None means sRGB.

    Returns:
        A tensor like `pixels`; `pixels` itself where they are in sRGB already.

    Warns:
        DiracWarning: if the profile is damaged or not one for RGB; the pixels are then taken as sRGB.
    """
    import numpy
    import torch

    if profile is None or "srgb" in (profile_name(profile) or "").lower():
        return pixels
    samples = (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(Image.fromarray(samples), source, ImageCms.createProfile("sRGB"))
    except _PROFILE_ERRORS:
        converted = None
    if converted is None:
        warnings.warn(
            "the picture's colour profile is damaged or not one for RGB; its colours are taken as sRGB",
            DiracWarning,
            stacklevel=2,
        )
        return pixels
    return torch.from_numpy(numpy.array(converted)).permute(2, 0, 1).contiguous().float().div_(255)
