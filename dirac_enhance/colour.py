"""Colour profiles (ICC.1:2022): which of them can be used, and CMYK pictures through theirs to sRGB."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, ImageCms

from dirac_enhance.errors import DiracWarning


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a CMYK image through its colour profile, or by Pillow's formula where there is none that works.

    Args:
        image: of mode CMYK, 0 for no ink.
        profile: its colour profile, which no longer holds for the result.

    Returns:
        An image of mode RGB in sRGB.

    Warns:
        DiracWarning: if the profile is damaged or of another colour space.
    """
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None
        if converted is not None:
            return converted
        warnings.warn(
            "the CMYK picture's colour profile is damaged or not one for CMYK; its colours are converted without",
            DiracWarning,
            stacklevel=2,
        )
    return image.convert("RGB")


def is_readable_profile(profile: bytes) -> bool:
    """Whether a colour management system can open a profile at all."""
    try:
        ImageCms.ImageCmsProfile(BytesIO(profile))
    except (ImageCms.PyCMSError, OSError):
        return False
    return True
