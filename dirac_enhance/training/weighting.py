"""RatePower: the mean power of a codec's residuals at each rate factor, by which the loss weighs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dirac_enhance.training.pairs import PairBatch

KNOTS = 8
REFERENCE_POWER = 0.07**2
"""Power that gets weight 1: about JPEG at quality 20, so that the LPIPS term keeps its proportion there."""


@dataclass(frozen=True, slots=True)
class RatePower:
    """Residual power E[r_0²], in [−1, 1] units squared, at a few rate factors; log-log interpolated between them."""

    rates: tuple[float, ...]
    powers: tuple[float, ...]

    def standard_deviations(self) -> tuple[tuple[float, float], ...]:
        """Rows (rate factor, standard deviation of the residual), as `UNetConfig.residual_std` takes them."""
        return tuple((rate, power**0.5) for rate, power in zip(self.rates, self.powers, strict=True))

    def weight(self, rate_factor: Tensor, *, exponent: float) -> Tensor:
        """(`REFERENCE_POWER` over the power at each rate factor) to the `exponent`: (N,) → (N,) float32."""
        log_power = np.interp(np.log(rate_factor.cpu().numpy()), np.log(self.rates), np.log(self.powers))
        return torch.from_numpy((REFERENCE_POWER / np.exp(log_power)) ** exponent).float().to(rate_factor.device)


def measure_rate_power(batch: PairBatch) -> RatePower:
    """Average the residual power of a batch of pairs over `KNOTS` equally filled groups of rate factors."""
    order = batch.rate_factor.argsort()
    residual = (batch.original.float() - batch.base_reconstruction.float()) / 127.5
    power = residual.square().mean(dim=(1, 2, 3))[order]
    groups = [group for group in torch.arange(len(order)).tensor_split(KNOTS) if len(group)]
    rates = [batch.rate_factor[order][group].log().mean().exp().item() for group in groups]
    rates = [rate + 1e-6 * index for index, rate in enumerate(rates)]  # strictly rising, as interpolation needs
    return RatePower(tuple(rates), tuple(max(power[group].mean().item(), 1e-8) for group in groups))
