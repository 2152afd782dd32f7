"""PlainCodec: a codec of a few lines that keeps the whole contract, for tests to break at one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from dirac_enhance import (
    BaseReconstruction,
    CodecOption,
    ImageMetadata,
    InvalidBitstreamError,
    InvalidImageError,
    OptionValue,
    RateRange,
    check_options,
)

HEADER = 9


@dataclass(frozen=True)
class PlainCodec:
    """Keeps `rate_factor` levels a sample, one byte each.

    A file is "PLN", the levels, both sides in two bytes each, a checksum of all that, then the samples.
    """

    dither: str = "none"

    id = "plain"
    file_suffixes = (".pln",)
    options = (CodecOption("dither", str, "none", "kind of dither", ("none", "blue")),)
    rate_range = RateRange(2, 64, integer=True, log_spaced=True, higher_is_better=True, usual=(4, 32))

    def with_options(self, **values: OptionValue) -> Self:
        checked: dict[str, Any] = check_options(self.options, values)
        return replace(self, **checked)

    def detect(self, header: bytes) -> bool:
        return header.startswith(b"PLN")

    def decode(self, data: bytes) -> BaseReconstruction:
        if len(data) < HEADER or not self.detect(data) or data[8] != sum(data[:8]) % 256:
            raise InvalidBitstreamError(f"no plain file: {data[:HEADER]!r}")
        levels, height, width = data[3], int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        if len(data) != HEADER + 3 * height * width or max(data[HEADER:]) >= levels:
            raise InvalidBitstreamError(f"{len(data)} bytes for {width}×{height} pixels of {levels} levels")
        samples = torch.frombuffer(bytearray(data[HEADER:]), dtype=torch.uint8).view(3, height, width)
        pixels = (samples.float() + 0.5) / levels
        return BaseReconstruction(
            pixels, coded_bytes=len(data), rate_factor=float(levels), metadata=ImageMetadata(dpi=(72, 72))
        )

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        levels = int(self.rate_range.check(rate_factor))
        if pixels.dim() != 3 or pixels.shape[0] != 3 or 0 in pixels.shape or not bool(pixels.isfinite().all()):
            raise InvalidImageError(f"pixels of shape {tuple(pixels.shape)}")
        samples = (pixels * levels).floor().clamp(0, levels - 1).byte()
        header = b"PLN" + bytes([levels]) + b"".join(side.to_bytes(2, "big") for side in pixels.shape[1:])
        return header + bytes([sum(header) % 256]) + samples.numpy().tobytes()
