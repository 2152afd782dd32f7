"""JPEG bytes to a base reconstruction through Pillow."""

from __future__ import annotations

import math
import struct
import warnings
from io import BytesIO

import numpy
import torch
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from dirac_enhance import (
    BaseReconstruction,
    DiracWarning,
    ImageMetadata,
    InvalidBitstreamError,
    check_pixel_count,
    cmyk_to_srgb,
    srgb_profile,
)
from dirac_enhance_jpeg.details import jpeg_details
from dirac_enhance_jpeg.exif import read_exif
from dirac_enhance_jpeg.quality import estimate_quality

_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error, OverflowError)


_ARITHMETIC_FRAMES = (b"\xff\xc9", b"\xff\xca")
"""Markers of sequential and progressive frames with arithmetic coding (ITU-T T.81, table B.1)."""


class _StrictJpegFile(JpegImageFile):
    """A JPEG file that is refused when truncated, even where another library set `LOAD_TRUNCATED_IMAGES`."""

    def load_read(self, read_bytes: int) -> bytes:
        chunk = self.fp.read(read_bytes) if self.fp else b""
        if not chunk:
            raise OSError("the data ends before the picture does")
        return chunk


def read_jpeg(data: bytes, *, max_pixels: int) -> BaseReconstruction:
    """Decode the first frame of a JPEG or MPO file.

    Raises:
        InvalidBitstreamError: if `data` is empty, truncated, damaged, not a JPEG, or of more than `max_pixels`.
    """
    image = _load(data, max_pixels=max_pixels)
    profile = _profile(image)
    grayscale = image.mode == "L"
    exif = read_exif(image.info.get("exif"))
    metadata = ImageMetadata(
        icc_profile=srgb_profile() if image.mode == "CMYK" else profile,
        exif=exif.raw,
        xmp=image.info.get("xmp"),
        dpi=_dpi(image) or exif.dpi,
        orientation=exif.orientation,
        grayscale=grayscale,
    )
    rate_factor = _rate_factor(image)
    pixels = _to_pixels(cmyk_to_srgb(image, profile) if image.mode == "CMYK" else image)
    return BaseReconstruction(
        pixels, coded_bytes=len(data), rate_factor=rate_factor, metadata=metadata, details=jpeg_details(image)
    )


def _load(data: bytes, *, max_pixels: int) -> JpegImageFile:
    if not data:
        raise InvalidBitstreamError("empty file; expected a JPEG")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", module=r"PIL\."
            )  # damaged EXIF and MPO indices are no reason to refuse the picture
            image = _StrictJpegFile(BytesIO(data))
            check_pixel_count(image.height, image.width, maximum=max_pixels)
            _check_length(data, image)
            image.load()
    except _PILLOW_ERRORS as cause:
        raise InvalidBitstreamError(f"not a whole JPEG file of 8 bits per sample: {cause}") from cause
    return image


def _check_length(data: bytes, image: JpegImageFile) -> None:
    """Refuse a file that claims more blocks than it has bits, before libjpeg fills the rest in.

    Every 8×8 block of the finest component takes a Huffman code of a bit or more (ITU-T T.81, F.1.2.1); arithmetic
    coding takes less.

    Raises:
        OSError: if it does.
    """
    arithmetic = any(frame in data for frame in _ARITHMETIC_FRAMES)
    if 8 * len(data) < math.ceil(image.width / 8) * math.ceil(image.height / 8) and not arithmetic:
        raise OSError(f"{len(data):,} bytes are too few for {image.width}×{image.height} pixels")


def _profile(image: JpegImageFile) -> bytes | None:
    """Return the colour profile; Pillow reports one whose parts are incomplete as None."""
    profile: bytes | None = image.info.get("icc_profile")
    if not profile and "icc_profile" in image.info:
        warnings.warn("the JPEG's colour profile is damaged and is left out", DiracWarning, stacklevel=2)
    return profile or None


def _rate_factor(image: JpegImageFile) -> float | None:
    luminance_index = image.layer[0][3]
    table = image.quantization.get(luminance_index)
    return None if table is None else float(estimate_quality(tuple(table)))


def _dpi(image: JpegImageFile) -> tuple[float, float] | None:
    """Return the resolution that the JFIF header gives; Pillow makes one up where EXIF should but does not say."""
    if image.info.get("jfif_unit") not in (1, 2):
        return None
    horizontal, vertical = image.info["dpi"]
    return (float(horizontal), float(vertical)) if horizontal > 0 and vertical > 0 else None


def _to_pixels(image: Image) -> Tensor:
    """Scale samples to (3, H, W) in [0, 1], on this thread alone: torch would take some from the network."""
    samples = numpy.asarray(image)
    planes = samples.transpose(2, 0, 1) if samples.ndim == 3 else samples[None]
    pixels = numpy.empty((3, image.height, image.width), dtype=numpy.float32)
    return torch.from_numpy(numpy.divide(planes, numpy.float32(255), out=pixels))
