"""CMYK pictures to sRGB."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageCms


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a CMYK image through its colour profile, or by Pillow's formula where there is none that works.

    Pillow has already undone the inversion with which Adobe, and every encoder after it, stores CMYK and YCCK.
    """
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None  # damaged, or of another colour space
        if converted is not None:
            return converted
    return image.convert("RGB")
