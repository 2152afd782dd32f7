"""Rate-dependent thresholding of the predicted residual (DIRAC section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dirac_enhance.diffusion.sampler import Constrain, unconstrained

Thresholds = Sequence[tuple[float, float]]
"""Rows of a rate factor and the limit on the residual's magnitude at that rate factor."""


def threshold_residual(predicted_residual: Tensor, *, limit: float | Tensor) -> Tensor:
    """Clip r̂_0 to [−limit, limit], the range that holds nearly all training residuals at a rate; no rescaling.

    Args:
        predicted_residual: r̂_0, any shape, float32 in [−1, 1] units.
        limit: in (0, 1], broadcastable; 1 changes nothing in a residual that is clipped to [−1, 1] already.

    Returns:
        A tensor of the same shape, nowhere larger in magnitude than `predicted_residual`.
    """
    limit = torch.as_tensor(limit, dtype=predicted_residual.dtype, device=predicted_residual.device)
    return predicted_residual.clamp(-limit, limit)


def limit_residual(thresholds: Thresholds | None, rate_factors: Sequence[float | None]) -> Constrain:
    """Return the constraint that thresholds each picture at its rate factor; what is not known is not limited.

    Args:
        thresholds: at least one row; the one with the nearest rate factor counts, the first of two equally near.
        rate_factors: the base codec's own rate factor of each of N pictures.
    """
    if thresholds is None or not any(rate is not None for rate in rate_factors):
        return unconstrained
    limits = torch.tensor([_limit_at(thresholds, rate) for rate in rate_factors]).view(-1, 1, 1, 1)
    return lambda predicted_residual, _: threshold_residual(predicted_residual, limit=limits)


def _limit_at(thresholds: Thresholds, rate_factor: float | None) -> float:
    return 1.0 if rate_factor is None else min(thresholds, key=lambda row: abs(row[0] - rate_factor))[1]
