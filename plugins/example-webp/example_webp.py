"""Lossy WebP as a base codec of dirac-enhance, through Pillow."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

from dirac_enhance import (
    BaseReconstruction,
    CodecOption,
    ImageMetadata,
    InvalidBitstreamError,
    InvalidImageError,
    OptionValue,
    RateRange,
    RegisterCodec,
    check_options,
    hookimpl,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@hookimpl
def register_codecs(register: RegisterCodec) -> None:
    """Register the codec `webp`."""
    register(WebpCodec())


@dataclass(frozen=True)
class WebpCodec:
    """Lossy WebP; its rate factor is libwebp's quality."""

    method: int = 4

    id = "webp"
    file_suffixes = (".webp",)
    options = (CodecOption("method", int, 4, "effort of the encoder, 0 is fastest", choices=tuple(range(7))),)
    rate_range = RateRange(0, 100, integer=True, log_spaced=False, higher_is_better=True, usual=(5, 95))

    def with_options(self, **values: OptionValue) -> WebpCodec:
        """Return a codec with these options set."""
        checked: dict[str, Any] = check_options(self.options, values)
        return replace(self, **checked)

    def detect(self, header: bytes) -> bool:
        """Say whether a file is a still WebP with lossy pixels; lossless ones have no artefacts to remove."""
        is_webp = header[:4] == b"RIFF" and header[8:12] == b"WEBP"
        return is_webp and not {b"VP8L", b"ANIM"} & set(_chunk_names(header))

    def decode(self, data: bytes) -> BaseReconstruction:
        """Decode a whole file; a WebP does not say its quality in plain view, so there is no rate factor."""
        import numpy
        import torch
        from PIL import Image

        if not self.detect(data):
            raise InvalidBitstreamError("not a WebP file, or a lossless or animated one; expected a lossy, still WebP")
        if len(data) < 8 + int.from_bytes(data[4:8], "little"):
            raise InvalidBitstreamError(f"a WebP file that ends after {len(data)} bytes, before the picture does")
        try:
            with Image.open(BytesIO(data), formats=["WEBP"]) as image:
                image.load()
        except (OSError, EOFError, ValueError, Image.DecompressionBombError) as cause:
            raise InvalidBitstreamError(f"not a whole WebP file: {cause}") from cause
        planes = torch.from_numpy(numpy.array(image)).permute(2, 0, 1).float().div(255).contiguous()
        return BaseReconstruction(
            pixels=planes[:3],
            alpha=planes[3] if len(planes) == 4 else None,
            coded_bytes=len(data),
            metadata=_read_metadata(image),
        )

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        """Encode (3, H, W) float32 pixels in [0, 1]."""
        from PIL import Image

        quality = int(self.rate_range.check(rate_factor))
        shape = tuple(pixels.shape)
        if len(shape) != 3 or shape[0] != 3 or 0 in shape or max(shape) > 16383 or not pixels.isfinite().all():
            raise InvalidImageError(f"pixels of shape {shape}; WebP takes finite (3, H, W), at most 16383 a side")
        samples = pixels.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        coded = BytesIO()
        Image.fromarray(samples).save(coded, "WEBP", quality=quality, method=self.method)
        return coded.getvalue()


def _chunk_names(data: bytes) -> Iterator[bytes]:
    """Yield the names of the RIFF chunks in a WebP file, as far as `data` goes."""
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        yield name
        place += 8 + size + size % 2


def _read_metadata(image: Image) -> ImageMetadata:
    """Carry colour profile, EXIF and XMP; a damaged EXIF block is carried, too, but tells no orientation."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation = image.getexif().get(0x0112, 1)
    except (OSError, SyntaxError, ValueError, struct.error):
        orientation = 1
    return ImageMetadata(
        icc_profile=image.info.get("icc_profile"),
        exif=image.info.get("exif", b"").removeprefix(b"Exif\0\0") or None,
        xmp=image.info.get("xmp"),
        orientation=orientation if orientation in range(1, 9) else 1,
    )
