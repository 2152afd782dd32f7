"""Pictures whose pixels some decoder has already put out, read from image files that keep them without loss."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import DecompressionBombError, Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    EXTRASAMPLES,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLEFORMAT,
    TiffImageFile,
)
from PIL.WebPImagePlugin import WebPImageFile

from dirac_enhance.codec import BaseReconstruction, ImageMetadata
from dirac_enhance.colour_profile import cmyk_to_srgb, srgb_profile
from dirac_enhance.errors import DiracWarning, InvalidBitstreamError, InvalidImageError
from dirac_enhance.exif import read_orientation, upright_tiff
from dirac_enhance.image_formats import PILLOW_METADATA_ERRORS, keep_descriptive_tags
from dirac_enhance.pixel_limit import DEFAULT_MAX_PIXELS, check_pixel_count
from dirac_enhance.sixteen_bit import decode_png, decode_pnm, decode_tiff, is_deep_pnm
from dirac_enhance.webp import read_webp_header

_LOSSLESS: tuple[tuple[re.Pattern[bytes], type[ImageFile]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    (re.compile(rb"BM"), BmpImageFile),
    (re.compile(rb"P[1-6]\s"), PpmImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
)
_CODED = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"GIF8"), "GIF"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"), "JPEG XL"),
    (re.compile(rb"....ftypavi", re.DOTALL), "AVIF"),
    (re.compile(rb"....ftyp(hei|hev|mif)", re.DOTALL), "HEIF"),
)
_TO_MODE = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
_TO_TRANSPARENT_MODE = {"1": "LA", "L": "LA", "LA": "LA", "La": "LA"}
_ASSOCIATED_ALPHA = 1  # of the TIFF tag ExtraSamples: colours are stored multiplied by it
_EXIF_PREFIX = b"Exif\0\0"
_PILLOW_ERRORS = (*PILLOW_METADATA_ERRORS, EOFError)

_Samples = npt.NDArray[Any]
"""(H, W, C) uint8 or uint16 with C = 1 grayscale, 2 grayscale and alpha, 3 RGB, 4 RGB and alpha."""


def read_decoded_pixels(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> BaseReconstruction:
    """Read a PNG, TIFF, BMP, PPM or lossless WebP file as what a codec decoded; see `BaseReconstruction.from_pixels`.

    Samples have 8 or 16 bits, in grayscale or colour, with alpha or without; palettes are resolved, and CMYK becomes
    sRGB through its profile, in whose place that of sRGB is reported. The EXIF orientation is reported, not applied.

    Args:
        data: the whole file.
        max_pixels: of the largest picture that is read.

    Warns:
        DiracWarning: if a colour profile is damaged, or only the first of several pages is read.

    Raises:
        InvalidBitstreamError: if the file is truncated, damaged, animated, still coded, of another format or depth,
            or of more than `max_pixels`.
    """
    file_class = _find_class(data)
    if file_class is WebPImageFile:
        _check_webp(data, max_pixels=max_pixels)
    if file_class is not TiffImageFile:
        return _read(data, file_class, max_pixels=max_pixels)
    orientation = read_orientation(data)
    try:
        data = upright_tiff(data)  # or Pillow and OpenCV would each apply the orientation as they see fit
    except InvalidImageError:
        orientation = 1  # a BigTIFF file, whose orientation they do apply
    base = _read(data, file_class, max_pixels=max_pixels)
    return replace(base, metadata=replace(base.metadata, orientation=orientation))


def begins_as_decoded(data: bytes) -> bool:
    """Whether a file begins as those do that `read_decoded_pixels` takes; a WebP file may still be lossy."""
    return any(start.match(data) for start, _ in _LOSSLESS)


def check_is_decoded(header: bytes) -> None:
    """Check by its first bytes that a file is of a format that `read_decoded_pixels` takes.

    Raises:
        InvalidBitstreamError: if it is still coded, or of no known format.
    """
    _find_class(header)


def _find_class(data: bytes) -> type[ImageFile]:
    for start, file_class in _LOSSLESS:
        if start.match(data):
            return file_class
    for start, name in _CODED:
        if start.match(data):
            raise _still_coded(name)
    raise InvalidBitstreamError("of no known image format; expected decoded pixels as PNG, TIFF, BMP, PPM or WebP")


def _check_webp(data: bytes, *, max_pixels: int) -> None:
    header = read_webp_header(data)
    if header.animated:
        raise _animated("WebP")
    if header.lossy:
        raise _still_coded("lossy WebP")
    check_pixel_count(header.height, header.width, maximum=max_pixels)


def _still_coded(name: str) -> InvalidBitstreamError:
    return InvalidBitstreamError(
        f"a {name} file is still coded, expected decoded pixels; leave out --enhancer if `dirac-enhance codecs` lists"
        " a codec for it, or else save the decoded picture as PNG"
    )


def _animated(name: str) -> InvalidBitstreamError:
    return InvalidBitstreamError(
        f"an animated {name} file; expected one picture: extract its frames, as in `ffmpeg -i FILE frame-%d.png`"
    )


def _read(data: bytes, file_class: type[ImageFile], *, max_pixels: int) -> BaseReconstruction:
    picture = _load(data, file_class, max_pixels=max_pixels)
    kind = picture.format or "image"
    if isinstance(picture, TiffImageFile) and picture.is_animated:
        warnings.warn("the TIFF file has several pages; the first is read", DiracWarning, stacklevel=2)
    metadata = _read_metadata(picture)
    deep = _decoder_of_deep_samples(picture, data)
    samples = _eight_bit_samples(picture) if deep is None else deep(data)
    if picture.mode == "CMYK":
        metadata = replace(metadata, icc_profile=srgb_profile())
    if samples.dtype == np.uint8:
        return BaseReconstruction.from_pixels(_to_planes(samples), metadata=metadata)
    if (samples.shape[1], samples.shape[0]) != picture.size:
        raise InvalidBitstreamError(f"a {kind} file whose 16-bit samples cannot be read; save it as plain PNG")
    scaled = samples.astype(np.float32) / np.float32(65535)
    return BaseReconstruction.from_pixels(_to_planes(scaled), metadata=replace(metadata, bit_depth=16))


def _load(data: bytes, file_class: type[ImageFile], *, max_pixels: int) -> ImageFile:
    """Open and decode a file with Pillow, which gives 16-bit colour 8 bits, but finds all that is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged metadata is no reason to refuse the picture
            picture = file_class(BytesIO(data))
            check_pixel_count(picture.height, picture.width, maximum=max_pixels)
            if isinstance(picture, PngImageFile) and picture.is_animated:
                raise _animated("PNG")
            picture.load()
    except DecompressionBombError as cause:  # Pillow has a limit of its own for TIFF and WebP
        raise InvalidBitstreamError(f"the file claims too many pixels: {cause}") from cause
    except _PILLOW_ERRORS as cause:
        raise InvalidBitstreamError(f"not a whole {file_class.format} file of a known layout: {cause}") from cause
    return picture


def _decoder_of_deep_samples(picture: ImageFile, data: bytes) -> Callable[[bytes], _Samples] | None:
    """Return what decodes the samples of a file of 16 bits per sample; None where there are 8 or fewer.

    Raises:
        InvalidBitstreamError: if the samples are of another kind.
    """
    if isinstance(picture, PngImageFile):
        return decode_png if data[24] == 16 else None
    if isinstance(picture, PpmImageFile):
        return decode_pnm if is_deep_pnm(data) else None
    return _decoder_of_deep_tiff(picture.tag_v2) if isinstance(picture, TiffImageFile) else None


def _decoder_of_deep_tiff(tags: Mapping[int, Any]) -> Callable[[bytes], _Samples] | None:
    depth = max(tags.get(BITSPERSAMPLE, (1,)))
    if depth <= 8:
        return None
    unsigned = set(tags.get(SAMPLEFORMAT, (1,))) == {1}
    plain = tags.get(PHOTOMETRIC_INTERPRETATION) in (1, 2) and tags.get(EXTRASAMPLES) != (_ASSOCIATED_ALPHA,)
    if not (depth == 16 and unsigned and plain):
        raise InvalidBitstreamError(
            f"a TIFF file of {depth} bits per sample; expected up to 8 bits, or 16-bit unsigned grayscale or RGB,"
            " its alpha not multiplied in: save it as plain PNG"
        )
    return decode_tiff


def _eight_bit_samples(picture: ImageFile) -> _Samples:
    image: Image = picture
    if picture.mode == "CMYK":
        image = cmyk_to_srgb(picture, picture.info.get("icc_profile"))
    elif picture.has_transparency_data:
        image = picture.convert(_TO_TRANSPARENT_MODE.get(picture.mode, "RGBA"))
    elif picture.mode in _TO_MODE:
        image = picture.convert(_TO_MODE[picture.mode])
    else:
        raise InvalidBitstreamError(
            f"a {picture.format} file with samples of kind '{picture.mode}'; expected grayscale, RGB or CMYK of 8 bits,"
            " or grayscale or RGB of 16 bits"
        )
    samples = np.array(image)
    return samples.reshape(*samples.shape[:2], -1)


def _to_planes(samples: _Samples) -> torch.Tensor:
    return torch.from_numpy(samples).permute(2, 0, 1)


def _read_metadata(picture: ImageFile) -> ImageMetadata:
    info = picture.info
    profile = info.get("icc_profile") or None
    if profile is None and "icc_profile" in info:
        warnings.warn("the picture's colour profile is damaged and is left out", DiracWarning, stacklevel=2)
    exif = _read_exif(picture)
    return ImageMetadata(
        icc_profile=profile,
        exif=exif,
        xmp=info.get("xmp") or None,
        dpi=_read_dpi(info.get("dpi")),
        orientation=read_orientation(exif or b""),
    )


def _read_exif(picture: ImageFile) -> bytes | None:
    if not isinstance(picture, TiffImageFile):
        block = picture.info.get("exif")
        return block.removeprefix(_EXIF_PREFIX) or None if isinstance(block, bytes) else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            tags = keep_descriptive_tags(picture.getexif())
            return tags.tobytes().removeprefix(_EXIF_PREFIX) if len(tags) else None
    except PILLOW_METADATA_ERRORS:
        warnings.warn("the TIFF file's descriptive tags are damaged and are left out", DiracWarning, stacklevel=2)
        return None


def _read_dpi(resolution: object) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(value) for value in resolution)  # type: ignore[attr-defined] # or it is none
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    usable = all(math.isfinite(value) and value > 0 for value in (horizontal, vertical))
    return (horizontal, vertical) if usable else None
