"""CropSource: batches of crops from the training photographs, each with its rate factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dirac_enhance.training.images import ImagePool

SMALLEST_SCALE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class CropBatch:
    """N crops.

    Args:
        pixels: (N, 3, S, S) uint8.
        rate_factor: (N,) float32, λ of each.
    """

    pixels: Tensor
    rate_factor: Tensor


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """How a crop is drawn.

    Args:
        crop_size: side in pixels, a multiple of 64.
        rate_bounds: smallest and largest λ, between which it is log-uniform (DIRAC equation 11); equal for one rate.
        smallest_scale: photographs are scaled by a factor from this to 1.
    """

    crop_size: int
    rate_bounds: tuple[float, float]
    smallest_scale: float = SMALLEST_SCALE


@dataclass(frozen=True, slots=True, eq=False)
class CropSource:
    """Crops of photographs, drawn by a recipe."""

    pool: ImagePool
    recipe: CropRecipe

    def draw_batch(self, generator: np.random.Generator, count: int) -> CropBatch:
        """Draw `count` crops; the same state of the generator draws the same ones."""
        size, (low, high) = self.recipe.crop_size, self.recipe.rate_bounds
        smallest = self.recipe.smallest_scale
        crops = [self.pool.draw_crop(generator, size=size, smallest_scale=smallest) for _ in range(count)]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
        rates = np.exp(generator.uniform(np.log(low), np.log(high), count))
        return CropBatch(pixels, torch.from_numpy(rates).float())
