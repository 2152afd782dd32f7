"""Photographs drawn by arithmetic, and a codec that coarsens them, for training in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typing_extensions import Self

from dirac_enhance import (
    BaseReconstruction,
    CodecOption,
    InvalidBitstreamError,
    OptionValue,
    RateRange,
    check_options,
)

SIDE = 96


def draw_photograph(seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Smooth gradients, an edge and some grain."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    slopes = generator.uniform(-1, 1, size=(3, 2))
    smooth = np.stack([0.5 + 0.4 * (a * x + b * y) for a, b in slopes], axis=2)
    edge = (x + y > generator.uniform(0.6, 1.4))[:, :, None] * generator.uniform(-0.3, 0.3, size=3)
    grain = generator.normal(scale=0.05, size=(SIDE, SIDE, 1)) * (x > 0.5)[:, :, None]
    levels: np.ndarray[Any, np.dtype[np.uint8]] = (255 * (smooth + edge + grain)).clip(0, 255).astype(np.uint8)
    return levels


@dataclass(frozen=True, slots=True)
class SteppedCodec:
    """Stores pixels at `rate_factor` levels, one byte a sample, after the size in two bytes a side."""

    offset: str = "none"

    id = "stepped"
    file_suffixes = (".stp",)
    options = (CodecOption("offset", str, "none", "a constant added", ("none", "half"), vary_in_training=True),)
    rate_range = RateRange(2, 64, integer=True, log_spaced=True, higher_is_better=True, usual=(4, 32))

    def with_options(self, **values: OptionValue) -> SteppedCodec:
        checked: dict[str, Any] = check_options(self.options, values)
        return replace(self, **checked)

    def detect(self, header: bytes) -> bool:
        return header.startswith(b"STP")

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        levels = int(self.rate_range.check(rate_factor))
        shift = 0.5 / levels if self.offset == "half" else 0.0
        stepped = ((pixels + shift) * levels).floor().clamp(0, levels - 1)
        size = b"".join(side.to_bytes(2, "big") for side in pixels.shape[1:])
        return b"STP" + bytes([levels]) + size + stepped.byte().numpy().tobytes()

    def decode(self, data: bytes) -> BaseReconstruction:
        levels, height, width = data[3], int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        stepped = torch.frombuffer(bytearray(data[8:]), dtype=torch.uint8).view(3, height, width)
        return BaseReconstruction((stepped.float() + 0.5) / levels, coded_bytes=len(data), rate_factor=float(levels))


@dataclass(frozen=True, slots=True)
class QuantisedReader:
    """Decodes what `QuantisingCodec` writes, and no more."""

    reports_rate: bool = True

    id = "quantised"
    file_suffixes = (".qnt",)
    options = ()

    def with_options(self, **values: OptionValue) -> Self:
        check_options(self.options, values)
        return self

    def detect(self, header: bytes) -> bool:
        return header.startswith(b"QNT")

    def decode(self, data: bytes) -> BaseReconstruction:
        if len(data) < 8:
            raise InvalidBitstreamError(f"{len(data)} bytes; expected a header of 8")
        qp, height, width = data[3], int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        steps = torch.frombuffer(bytearray(data[8:]), dtype=torch.uint8).view(3, height, width)
        pixels = (steps.float() * step_size(qp)).clamp(0, 1)
        return BaseReconstruction(pixels, coded_bytes=len(data), rate_factor=float(qp) if self.reports_rate else None)


@dataclass(frozen=True, slots=True)
class QuantisingCodec(QuantisedReader):
    """Rounds samples to multiples of a step that doubles every six QP, as video codecs count: lower is better."""

    rate_range = RateRange(0, 63, integer=True, log_spaced=False, higher_is_better=False, usual=(22, 45))

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        qp = int(self.rate_range.check(rate_factor))
        size = b"".join(side.to_bytes(2, "big") for side in pixels.shape[1:])
        return b"QNT" + bytes([qp]) + size + (pixels / step_size(qp)).round().byte().numpy().tobytes()


def step_size(qp: int) -> float:
    """Quantiser step for samples in [0, 1], at least one of 8 bits."""
    return max(float(2 ** ((qp - 45) / 6) / 4), 1 / 255)


@pytest.fixture
def qp_codec() -> QuantisingCodec:
    return QuantisingCodec()


@pytest.fixture
def qp_reader() -> QuantisedReader:
    return QuantisedReader()


@pytest.fixture
def codec() -> SteppedCodec:
    return SteppedCodec()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six: four of a source `near`, two in a folder `far`."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "far").mkdir()
    for index in range(6):
        name = f"near__{index}.png" if index < 4 else f"far/{index}.png"
        Image.fromarray(draw_photograph(index)).save(folder / name)
    return folder
