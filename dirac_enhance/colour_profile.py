"""ICC colour profiles: what one is called, whether it can be used, and pixels from it to sRGB."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageCms

from dirac_enhance.errors import DiracWarning

if TYPE_CHECKING:
    from torch import Tensor

_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
_CREATED = slice(24, 36)
"""Where a profile's header says when it was made (ICC.1:2022, section 7.2.8)."""
_SOME_DAY = bytes.fromhex("07d0 0001 0001 0000 0000 0000")
"""The first of January 2000, as year, month, day, hours, minutes and seconds of two bytes each."""


def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB, for pixels that were converted to it; the same bytes on every day."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = _SOME_DAY
    return bytes(profile)


def profile_name(profile: bytes) -> str | None:
    """Return the description in an ICC profile (ICC.1:2022, section 9.2.41), None if it is damaged or has none."""
    try:
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile)))
    except _PROFILE_ERRORS:
        return None
    return " ".join(description.split()) or None


def read_profile(content: bytes) -> bytes | None:
    """Return the ICC profile of an image file that is known to be readable, None if it has none."""
    with Image.open(BytesIO(content)) as picture:
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


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a CMYK image through its colour profile, or by Pillow's formula where there is none that works.

    Args:
        image: of mode CMYK, 0 for no ink.
        profile: its colour profile, which no longer holds for the result; that of `srgb_profile` does.

    Returns:
        An image of mode RGB in sRGB.

    Warns:
        DiracWarning: if the profile is damaged or of another colour space.
    """
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except _PROFILE_ERRORS:
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
    except _PROFILE_ERRORS:
        return False
    return True
