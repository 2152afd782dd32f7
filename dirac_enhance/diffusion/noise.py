"""NoiseField: counter-based normal noise, addressed by step, channel and pixel window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from numpy.random import Philox
from torch import Tensor

from dirac_enhance.errors import SamplingError
from dirac_enhance.window import Window

_WORDS_PER_BLOCK = 4
_VALUES_PER_BAND = 1 << 15
"""Values transformed at a time, so that the float64 scratch stays in a processor core's cache."""


@dataclass(frozen=True, slots=True)
class NoiseField:
    """Independent standard normals for every (step, channel, row, column), without state.

    Each value comes from one 64-bit word of Philox4x64-10 (Salmon et al., *Parallel random numbers: as easy as
    1, 2, 3*, 2011) with the key (seed, sample) and the counter (column // 4 + 1, row, channel, step), by the
    Box–Muller transform of its two halves in float64. So any window can be drawn on its own, and equals the same
    part of any larger one bit by bit.

    Args:
        seed: which noise, 0 … 2⁶⁴ − 1.
        sample: which of several independent samples of that seed, 0 … 2⁶⁴ − 1.

    Raises:
        SamplingError: if one of them is out of range.
    """

    seed: int
    sample: int = 0

    def __post_init__(self) -> None:
        for name, value in (("seed", self.seed), ("sample", self.sample)):
            if not 0 <= value < 1 << 64:
                raise SamplingError(f"{name} {value} given; expected a whole number from 0 to 2^64 - 1")

    def normal(self, step: int, window: Window, *, channels: int = 3) -> Tensor:
        """Draw the normals of one sampling step inside a window.

        Args:
            step: which of the steps' independent fields, at least 0.
            window: in pixels of the whole picture; `top` and `left` at least 0.
            channels: how many, counted from channel 0.

        Returns:
            (channels, h, w) float32 in host memory, mean 0, standard deviation 1, magnitude at most 6.77.

        Raises:
            SamplingError: if `step` or a coordinate is negative.
        """
        if min(step, window.top, window.left) < 0:
            raise SamplingError(f"noise asked for step {step} at {window}; steps and coordinates start at 0")
        normals = np.empty((channels, window.height, window.width), dtype=np.float32)
        rows = max(1, _VALUES_PER_BAND // window.width)
        for channel in range(channels):
            for first in range(0, window.height, rows):
                band = normals[channel, first : first + rows]
                place = Window(window.top + first, window.left, len(band), window.width)
                band[:] = _box_muller(self._words(step, channel, place))
        return torch.from_numpy(normals)

    def _words(self, step: int, channel: int, window: Window) -> npt.NDArray[np.uint64]:
        """Return the (h, w) random words of a window of one channel."""
        first_block = window.left // _WORDS_PER_BLOCK
        blocks = -(-window.right // _WORDS_PER_BLOCK) - first_block
        counter = np.array([first_block, window.top, channel, step], dtype=np.uint64)
        bits = Philox(key=np.array([self.seed, self.sample], dtype=np.uint64), counter=counter)
        words = np.empty((window.height, blocks * _WORDS_PER_BLOCK), dtype=np.uint64)
        to_next_row = (1 << 64) - blocks  # the row is the counter's second word
        for row in words:
            row[:] = bits.random_raw(len(row))
            bits.advance(to_next_row)
        skipped = window.left - first_block * _WORDS_PER_BLOCK
        return words[:, skipped : skipped + window.width]


def _box_muller(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Turn each word into one normal: √(−2 ln u)·cos 2πv, with u in (0, 1) of the upper 32 bits and v of the lower."""
    radius = (words >> np.uint64(32)).astype(np.float64)
    radius += 0.5
    radius *= 2.0**-32
    np.log(radius, out=radius)
    radius *= -2
    np.sqrt(radius, out=radius)
    angle = (words & np.uint64(0xFFFFFFFF)).astype(np.float64)
    angle *= 2 * math.pi * 2.0**-32
    np.cos(angle, out=angle)
    radius *= angle
    return radius
