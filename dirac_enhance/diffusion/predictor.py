"""Predictor: the one seam between the sampler and whatever predicts the residual."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

RateFactor = float | Tensor | None
"""The base codec's own rate factor: one for all pictures, or None where it is not known, or (N,) float32, a number
for each picture, NaN where it is not known."""


class Predictor(Protocol):
    """Predicts the residual of whole pictures: r̂_0 = f(r_t, x̃, t) (DIRAC section 3.1)."""

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        """Predict r_0 from its noised version.

        Args:
            noised_residual: r_t, (N, 3, H, W) float32 in residual units; left unchanged.
            base_reconstruction: x̃, (N, 3, H, W) float32 in [−1, 1], on the same device; left unchanged.
            timestep: t, 0 … T − 1.
            rate_factor: of each picture, or of all.

        Returns:
            r̂_0, (N, 3, H, W) float32 on the device of `noised_residual`, a tensor that the caller may overwrite.
        """
        ...
