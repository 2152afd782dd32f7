"""The image formats results are written in, and how each of them carries a source's metadata."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin

from dirac_enhance.errors import DiracWarning, InvalidImageError
from dirac_enhance.exif import upright_exif

if TYPE_CHECKING:
    from dirac_enhance.codec import ImageMetadata

_SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that swap height and width."""
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[0-9]")
_XMP_TAG = 700
_DESCRIPTIVE_TAGS = frozenset((0x010E, 0x010F, 0x0110, 0x0112, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825))
"""EXIF tags that describe the picture; others of the main directory, such as its size, a TIFF file has of its own."""

SaveOptions = dict[str, Any]
"""Keyword arguments of Pillow's `Image.save`, which takes other ones for each format."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A format of image files: its name and modes in Pillow, and its `Image.save` options for given metadata."""

    name: str
    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    options: Callable[[ImageMetadata], SaveOptions]


def find_format(suffix: str) -> ImageFormat:
    """Return the format that a file suffix names, in either case.

    Raises:
        InvalidImageError: if results are not written in such a format.
    """
    for image_format in FORMATS:
        if suffix.lower() in image_format.suffixes:
            return image_format
    known = ", ".join(known for image_format in FORMATS for known in image_format.suffixes)
    raise InvalidImageError(f"results cannot be written as '{suffix}'; end the output's name in one of {known}")


def fit_metadata(metadata: ImageMetadata, *, grayscale: bool) -> ImageMetadata:
    """Return the metadata of the upright picture; what is damaged or does not fit is left out with a `DiracWarning`.

    Args:
        metadata: of the source, whose orientation is not yet applied.
        grayscale: the written file will have one colour channel.
    """
    dpi = metadata.dpi
    if dpi is not None and metadata.orientation in _SIDEWAYS:
        dpi = (dpi[1], dpi[0])
    return replace(
        metadata,
        icc_profile=_fit_profile(metadata.icc_profile, grayscale=grayscale),
        exif=_fit_exif(metadata.exif),
        xmp=None if metadata.xmp is None else _XMP_ORIENTATION.sub(rb"\g<1>1", metadata.xmp),
        dpi=dpi,
        orientation=1,
    )


def _fit_profile(profile: bytes | None, *, grayscale: bool) -> bytes | None:
    """Keep a profile whose colour space (ICC.1, section 7.2.6) is that of the file; decoders refuse any other."""
    colour_space = b"GRAY" if grayscale else b"RGB "
    if profile is None or profile[16:20] == colour_space:
        return profile
    kind = "grayscale" if grayscale else "RGB"
    warnings.warn(
        f"the source's colour profile is not one for {kind} pictures and is left out", DiracWarning, stacklevel=2
    )
    return None


def _fit_exif(exif: bytes | None) -> bytes | None:
    try:
        return upright_exif(exif) if exif else None
    except InvalidImageError as error:
        warnings.warn(f"{error} and is left out", DiracWarning, stacklevel=2)
        return None


def _png_options(metadata: ImageMetadata) -> SaveOptions:
    chunks = PngImagePlugin.PngInfo()
    if metadata.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", errors="replace").rstrip("\0"))
    return _present(icc_profile=metadata.icc_profile, exif=metadata.exif, dpi=metadata.dpi, pnginfo=chunks)


def _jpeg_options(metadata: ImageMetadata) -> SaveOptions:
    exif = b"Exif\0\0" + metadata.exif if metadata.exif else None
    fixed: SaveOptions = {"quality": 95, "subsampling": "4:4:4", "optimize": True}
    return fixed | _present(icc_profile=metadata.icc_profile, exif=exif, xmp=metadata.xmp, dpi=metadata.dpi)


def _webp_options(metadata: ImageMetadata) -> SaveOptions:
    fixed: SaveOptions = {"lossless": True, "exact": True}
    return fixed | _present(icc_profile=metadata.icc_profile, exif=metadata.exif, xmp=metadata.xmp)


def _tiff_options(metadata: ImageMetadata) -> SaveOptions:
    """Uncompressed, because Pillow cannot write the EXIF directories beside libtiff's compressions."""
    tags = Image.Exif()
    tags.load(metadata.exif or b"")
    for tag in set(tags) - _DESCRIPTIVE_TAGS:
        del tags[tag]
    if metadata.xmp:
        tags[_XMP_TAG] = metadata.xmp
    return _present(icc_profile=metadata.icc_profile, exif=tags, dpi=metadata.dpi)


def _present(**options: object) -> SaveOptions:
    return {name: value for name, value in options.items() if value is not None}


FORMATS = (
    ImageFormat("PNG", (".png",), ("L", "LA", "RGB", "RGBA"), _png_options),
    ImageFormat("JPEG", (".jpg", ".jpeg"), ("L", "LA", "RGB", "RGBA"), _jpeg_options),
    ImageFormat("WEBP", (".webp",), ("RGB", "RGBA"), _webp_options),
    ImageFormat("TIFF", (".tif", ".tiff"), ("L", "LA", "RGB", "RGBA"), _tiff_options),
)
