"""JPEG bytes to a base reconstruction through Pillow."""

from __future__ import annotations

import struct
import warnings
from io import BytesIO

import numpy
import torch
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from dirac_enhance import BaseReconstruction, ImageMetadata, InvalidBitstreamError
from dirac_enhance_jpeg.colour import cmyk_to_srgb
from dirac_enhance_jpeg.details import jpeg_details
from dirac_enhance_jpeg.exif import read_exif
from dirac_enhance_jpeg.quality import estimate_quality

MAXIMUM_PIXELS = 200_000_000
"""More than a sensor of 2026 delivers; a file of a few bytes can claim 4 300 000 000."""

_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error, OverflowError)


class _StrictJpegFile(JpegImageFile):
    """A JPEG file that is refused when truncated, even where another library set `LOAD_TRUNCATED_IMAGES`."""

    def load_read(self, read_bytes: int) -> bytes:
        chunk = self.fp.read(read_bytes) if self.fp else b""
        if not chunk:
            raise OSError("the data ends before the picture does")
        return chunk


def read_jpeg(data: bytes) -> BaseReconstruction:
    """Decode the first frame of a JPEG or MPO file.

    Raises:
        InvalidBitstreamError: if `data` is empty, truncated, damaged, not a JPEG, or over `MAXIMUM_PIXELS`.
    """
    image = _load(data)
    profile = image.info.get("icc_profile") or None
    grayscale = image.mode == "L"
    exif = read_exif(image.info.get("exif"))
    metadata = ImageMetadata(
        icc_profile=None if image.mode == "CMYK" else profile,
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


def _load(data: bytes) -> JpegImageFile:
    if not data:
        raise InvalidBitstreamError("empty file; expected a JPEG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF and MPO indices are no reason to refuse the picture
            image = _StrictJpegFile(BytesIO(data))
            _check_size(image)
            image.load()
    except _PILLOW_ERRORS as cause:
        raise InvalidBitstreamError(f"not a whole JPEG file of 8 bits per sample: {cause}") from cause
    return image


def _check_size(image: Image) -> None:
    if image.width * image.height > MAXIMUM_PIXELS:
        raise InvalidBitstreamError(
            f"a JPEG that claims {image.width}×{image.height} pixels;"
            f" at most {MAXIMUM_PIXELS // 1_000_000} megapixels are decoded"
        )


def _rate_factor(image: JpegImageFile) -> float | None:
    luminance_index = image.layer[0][3]
    table = image.quantization.get(luminance_index)
    return None if table is None else float(estimate_quality(tuple(table)))


def _dpi(image: Image) -> tuple[float, float] | None:
    """Return the resolution that the JFIF header gives; Pillow makes one up where EXIF should but does not say."""
    if image.info.get("jfif_unit") not in (1, 2):
        return None
    horizontal, vertical = image.info["dpi"]
    return (float(horizontal), float(vertical)) if horizontal > 0 and vertical > 0 else None


def _to_pixels(image: Image) -> Tensor:
    samples = torch.from_numpy(numpy.array(image))
    planes = samples.permute(2, 0, 1) if samples.dim() == 3 else samples.expand(3, -1, -1)
    return planes.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
