"""RatePower: the mean power of a codec's residuals at each rate factor, by which the loss weighs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dirac_enhance.training.batches import PairBatch
from dirac_enhance.training.rate_groups import group_by_rate

REFERENCE_POWER = 0.07**2
"""Power that gets weight 1: about JPEG at quality 20, so that the LPIPS term keeps its proportion there."""


@dataclass(frozen=True, slots=True)
class RatePower:
    """Residual power E[r_0²], in [−1, 1] units squared, at a few rate factors; its logarithm is interpolated.

    Args:
        rates: strictly rising; positive where `log_spaced`.
        powers: at these, positive.
        log_spaced: whether to interpolate over the logarithm of the rate factor, or over the rate factor itself.
    """

    rates: tuple[float, ...]
    powers: tuple[float, ...]
    log_spaced: bool = True

    def standard_deviations(self) -> tuple[tuple[float, float], ...]:
        """Rows (rate factor, standard deviation of the residual), as `UNetConfig.residual_std` takes them."""
        return tuple((rate, power**0.5) for rate, power in zip(self.rates, self.powers, strict=True))

    def weight(self, rate_factor: Tensor, *, exponent: float) -> Tensor:
        """(`REFERENCE_POWER` over the power at each rate factor) to the `exponent`: (N,) → (N,) float32."""
        places, knots = rate_factor.cpu().numpy(), np.asarray(self.rates)
        if self.log_spaced:
            places, knots = np.log(places), np.log(knots)
        log_power = np.interp(places, knots, np.log(self.powers))
        return torch.from_numpy((REFERENCE_POWER / np.exp(log_power)) ** exponent).float().to(rate_factor.device)


def measure_rate_power(batch: PairBatch, *, log_spaced: bool = True) -> RatePower:
    """Average the residual power of a batch of pairs over groups of rate factors, equally filled.

    Args:
        batch: many pairs, at rate factors all over the range.
        log_spaced: whether rate factors are averaged, and later interpolated, as logarithms.
    """
    power = torch.stack([*map(_residual_power, batch.original, batch.base_reconstruction)])
    groups = group_by_rate(batch.rate_factor, log_spaced=log_spaced)
    powers = tuple(max(power[indices].mean().item(), 1e-8) for indices in groups.values())
    return RatePower(tuple(groups), powers, log_spaced)


def _residual_power(original: Tensor, base_reconstruction: Tensor) -> Tensor:
    """Mean squared residual of one uint8 pair, in [−1, 1] units; one by one, lest a batch in float32 fill memory."""
    return ((original.float() - base_reconstruction.float()) / 127.5).square().mean()
