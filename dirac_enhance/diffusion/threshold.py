"""Rate-dependent thresholding of the predicted residual (DIRAC section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dirac_enhance.diffusion.sampler import Constrain, unconstrained

Thresholds = Sequence[tuple[float, float]]
"""Rows of a rate factor and the limit on the residual's magnitude at that rate factor."""


def threshold_residual(predicted_residual: Tensor, *, limit: float) -> Tensor:
    """Clip r̂_0 to [−limit, limit], the range that holds nearly all training residuals at a rate; no rescaling.

    Args:
        predicted_residual: r̂_0, any shape, float32 in [−1, 1] units.
        limit: in (0, 1]; 1 changes nothing in a residual that is clipped to [−1, 1] already.

    Returns:
        A tensor of the same shape, nowhere larger in magnitude than `predicted_residual`.
    """
    return predicted_residual.clamp(-limit, limit)


def limit_residual(thresholds: Thresholds | None, rate_factor: float | None) -> Constrain:
    """Return the constraint that thresholds at a rate factor, or none if either is not known.

    Args:
        thresholds: at least one row; the one with the nearest rate factor counts, the first of two equally near.
        rate_factor: the base codec's own rate factor.
    """
    if thresholds is None or rate_factor is None:
        return unconstrained
    _, limit = min(thresholds, key=lambda row: abs(row[0] - rate_factor))
    return lambda predicted_residual, _: threshold_residual(predicted_residual, limit=limit)
