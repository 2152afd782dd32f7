"""The image formats results are written in, and how each of them carries a source's metadata."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin

from dirac_enhance.colour_profile import is_readable_profile
from dirac_enhance.errors import DiracWarning, InvalidImageError
from dirac_enhance.exif import upright_exif

if TYPE_CHECKING:
    from dirac_enhance.codec import ImageMetadata

_SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that swap height and width."""
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[0-9]")
_XMP_TAG = 700
PILLOW_METADATA_ERRORS = (
    *(OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError),
    *(struct.error, OverflowError, ZeroDivisionError, RuntimeError),
)
"""What Pillow raises at metadata that are damaged in one way or another."""
_JPEG_SEGMENT_BYTES = 65_533 - len(b"http://ns.adobe.com/xap/1.0/\0")
_DESCRIPTIVE_TAGS = frozenset((0x010E, 0x010F, 0x0110, 0x0112, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825))
"""EXIF tags that describe the picture; others of the main directory, such as its size, a TIFF file has of its own."""

SaveOptions = dict[str, Any]
"""Keyword arguments of Pillow's `Image.save`, which takes other ones for each format."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A format of image files: its name in Pillow, and its `Image.save` options for given metadata.

    Its modes are those with 8 bits per sample, its deep modes those with 16, named as Pillow names the former.
    """

    name: str
    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    deep_modes: tuple[str, ...]
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
    dpi = _fit_resolution(metadata.dpi)
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
    if profile is None:
        return None
    kind, colour_space = ("grayscale", b"GRAY") if grayscale else ("RGB", b"RGB ")
    if profile[16:20] != colour_space:
        fault = f"is not one for {kind} pictures"
    elif not is_readable_profile(profile):
        fault = "is damaged"
    else:
        return profile
    warnings.warn(f"the source's colour profile {fault} and is left out", DiracWarning, stacklevel=2)
    return None


def _fit_resolution(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    """Keep a resolution that every format can hold: JPEG has 16 bits for whole dots per inch."""
    if dpi is None or all(1 <= each <= 65535 for each in dpi):
        return dpi
    warnings.warn(
        f"a resolution of {dpi[0]:g}×{dpi[1]:g} dots per inch is absurd and is left out", DiracWarning, stacklevel=2
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
        chunks.add_itxt("XML:com.adobe.xmp", xmp_text(metadata.xmp))
    return _present(
        compress_type=zlib.Z_RLE, icc_profile=metadata.icc_profile, exif=metadata.exif, dpi=metadata.dpi, pnginfo=chunks
    )


def _jpeg_options(metadata: ImageMetadata) -> SaveOptions:
    exif = _fit_segment(b"Exif\0\0" + metadata.exif, name="EXIF block") if metadata.exif else None
    xmp = _fit_segment(metadata.xmp, name="XMP packet") if metadata.xmp else None
    fixed: SaveOptions = {"quality": 95, "subsampling": "4:4:4", "optimize": True}
    return fixed | _present(icc_profile=metadata.icc_profile, exif=exif, xmp=xmp, dpi=metadata.dpi)


def _fit_segment(content: bytes, *, name: str) -> bytes | None:
    """Keep what fits into one segment of a JPEG file, together with the longest identifier."""
    if len(content) <= _JPEG_SEGMENT_BYTES:
        return content
    warnings.warn(f"the {name} is too long for a JPEG file and is left out", DiracWarning, stacklevel=2)
    return None


def _webp_options(metadata: ImageMetadata) -> SaveOptions:
    fixed: SaveOptions = {"lossless": True, "exact": True}
    return fixed | _present(icc_profile=metadata.icc_profile, exif=metadata.exif, xmp=metadata.xmp)


def xmp_text(packet: bytes) -> str:
    """Return an XMP packet as the text that PNG wants, without the zeros that some writers end it with."""
    return packet.decode("utf-8", errors="replace").rstrip("\0")


def _tiff_options(metadata: ImageMetadata) -> SaveOptions:
    """Uncompressed, because Pillow cannot write the EXIF directories beside libtiff's compressions."""
    return _present(icc_profile=metadata.icc_profile, exif=tiff_tags(metadata), dpi=metadata.dpi)


def tiff_tags(metadata: ImageMetadata) -> Image.Exif:
    """Return the EXIF and XMP of `metadata` as tags of a TIFF file, which has others of its own for the rest."""
    tags = _load_tags(metadata.exif or b"")
    if metadata.xmp:
        tags[_XMP_TAG] = metadata.xmp
    return tags


def _load_tags(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            tags.load(exif)
            keep_descriptive_tags(tags)
            tags.tobytes()  # reads the directories below the main one, too
    except PILLOW_METADATA_ERRORS:
        warnings.warn("the EXIF block is damaged and is left out", DiracWarning, stacklevel=2)
        return Image.Exif()
    return tags


def keep_descriptive_tags(tags: Image.Exif) -> Image.Exif:
    """Delete the tags that tell how a file's samples are laid out, and return what is left: those on the picture."""
    for tag in set(tags) - _DESCRIPTIVE_TAGS:
        del tags[tag]
    return tags


def _present(**options: object) -> SaveOptions:
    return {name: value for name, value in options.items() if value is not None}


FORMATS = (
    ImageFormat("PNG", (".png",), ("L", "LA", "RGB", "RGBA"), ("L", "LA", "RGB", "RGBA"), _png_options),
    ImageFormat("JPEG", (".jpg", ".jpeg"), ("L", "LA", "RGB", "RGBA"), (), _jpeg_options),
    ImageFormat("WEBP", (".webp",), ("RGB", "RGBA"), (), _webp_options),
    ImageFormat("TIFF", (".tif", ".tiff"), ("L", "LA", "RGB", "RGBA"), ("L", "RGB", "RGBA"), _tiff_options),
)
