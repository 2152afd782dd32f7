"""Training pairs made on the fly: an original crop, its base reconstruction and the rate factor between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dirac_enhance.codec import EncodingCodec, RateRange
from dirac_enhance.errors import TrainingError
from dirac_enhance.guard import reconstruct
from dirac_enhance.training.batches import PairBatch
from dirac_enhance.training.images import ImagePool, Pixels

GRID_SLACK = 8
"""Pixels cut away, at random, between two compressions and after the last, so that their grids seldom coincide."""


@dataclass(frozen=True, slots=True)
class PairRecipe:
    """How a pair is made; each probability is drawn on its own.

    Args:
        crop_size: side of the crops in pixels.
        smallest_scale: crops are scaled by a factor uniform in [smallest_scale, 1].
        rate_bounds: rate factors are drawn between these, as `draw_rate_factor` does.
        varied_options: probability that a codec option declared `vary_in_training` takes a random choice.
        recompressed: probability that the crop was coded once before, on another grid, at another rate factor.
        shifted: probability that the reconstruction is seen off the codec's grid, as in a screenshot.
        rate_hidden: probability that the network is not told the rate factor. It never is where that would mislead:
            where shifted, and where an earlier coding was the worse one.
        gray: probability that the crop has no colour.
    """

    crop_size: int = 128
    smallest_scale: float = 0.5
    rate_bounds: tuple[float, float] = (5.0, 95.0)
    varied_options: float = 0.25
    recompressed: float = 0.15
    shifted: float = 0.05
    rate_hidden: float = 0.1
    gray: float = 0.04


@dataclass(frozen=True, slots=True)
class PairMaker:
    """Draws pairs of one codec, coding each on the spot."""

    pool: ImagePool
    codec: EncodingCodec
    recipe: PairRecipe = field(default_factory=PairRecipe)

    def draw_batch(self, generator: np.random.Generator, count: int) -> PairBatch:
        """Draw `count` pairs.

        Raises:
            PluginError: if the codec fails or breaks its contract.
        """
        originals, bases, rates, known = zip(*(self._draw(generator) for _ in range(count)), strict=True)
        return PairBatch(torch.stack(originals), torch.stack(bases), torch.tensor(rates), torch.tensor(known))

    def _draw(self, generator: np.random.Generator) -> tuple[Tensor, Tensor, float, float]:
        recipe = self.recipe
        crop = self.pool.draw_crop(
            generator, size=recipe.crop_size + 2 * GRID_SLACK, smallest_scale=recipe.smallest_scale
        )
        original = to_tensor(_without_colour(crop) if generator.random() < recipe.gray else crop)
        source, rate = original, draw_rate_factor(generator, self.codec.rate_range, bounds=recipe.rate_bounds)
        worse = rate
        if generator.random() < recipe.recompressed:
            earlier = draw_rate_factor(generator, self.codec.rate_range, bounds=recipe.rate_bounds)
            source, worse = self._reconstruct(generator, original, earlier), self._worse(earlier, rate)
        source, original = _crop_both(generator, source, original, size=recipe.crop_size + GRID_SLACK)
        if generator.random() < recipe.shifted:
            base, original = _crop_both(
                generator, self._reconstruct(generator, source, rate), original, size=recipe.crop_size
            )
            return original, base, worse, math.nan
        source, original = (plane[:, : recipe.crop_size, : recipe.crop_size] for plane in (source, original))
        base = self._reconstruct(generator, source, rate)
        hidden = worse != rate or generator.random() < recipe.rate_hidden
        return original, base, worse, math.nan if hidden else rate

    def _worse(self, one: float, other: float) -> float:
        return min(one, other) if self.codec.rate_range.higher_is_better else max(one, other)

    def _reconstruct(self, generator: np.random.Generator, original: Tensor, rate: float) -> Tensor:
        codec = self.codec
        if generator.random() < self.recipe.varied_options:
            codec = codec.with_options(**_draw_options(generator, codec))
        return (reconstruct(codec, original.float() / 255, rate_factor=rate).pixels * 255).round().byte()


def check_rate_bounds(bounds: tuple[float, float] | None, rates: RateRange) -> tuple[float, float]:
    """Return the bounds to draw rate factors from: those given, or the usual ones.

    Raises:
        RateFactorError: if the codec cannot encode at one of them.
        TrainingError: if they are in the wrong order.
    """
    if bounds is None:
        return rates.bounds
    low, high = (rates.check(rate) for rate in bounds)
    if low >= high:
        raise TrainingError(f"rate factors from {low:g} to {high:g}; expected the smaller one first")
    return low, high


def draw_rate_factor(generator: np.random.Generator, rates: RateRange, *, bounds: tuple[float, float]) -> float:
    """Draw a rate factor: half log-uniformly, half uniformly where the range is log-spaced, else uniformly.

    Args:
        generator: source of all randomness.
        rates: what the codec takes.
        bounds: smallest and largest to draw, within `rates`.
    """
    low, high = bounds
    if rates.log_spaced and generator.random() < 0.5:
        rate = math.exp(generator.uniform(math.log(low), math.log(high)))
    else:
        rate = generator.uniform(low, high)
    return float(round(rate)) if rates.integer else rate


def _draw_options(generator: np.random.Generator, codec: EncodingCodec) -> dict[str, Any]:
    varied = (option for option in codec.options if option.vary_in_training and option.choices)
    return {option.keyword: option.choices[generator.integers(len(option.choices))] for option in varied}


def _crop_both(generator: np.random.Generator, one: Tensor, other: Tensor, *, size: int) -> tuple[Tensor, Tensor]:
    """Cut the same random window out of both, seldom on the grid."""
    top, left = generator.integers(GRID_SLACK, size=2)
    return one[:, top : top + size, left : left + size], other[:, top : top + size, left : left + size]


def _without_colour(crop: Pixels) -> Pixels:
    luma = (crop @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    return np.repeat(luma[:, :, None], 3, axis=2)


def to_tensor(crop: Pixels) -> Tensor:
    """(H, W, 3) uint8 → (3, H, W) uint8, contiguous."""
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))
