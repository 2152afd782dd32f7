"""Groups of training pairs by rate factor, in which what depends on the rate is measured."""

from __future__ import annotations

import torch
from torch import Tensor

GROUPS = 20
"""As many as the paper has thresholds (DIRAC section A.4)."""


def group_by_rate(rate_factor: Tensor, *, log_spaced: bool) -> dict[float, Tensor]:
    """Divide pairs into at most `GROUPS` groups of neighbouring rate factors, equally filled.

    Args:
        rate_factor: (N,) float32, of each pair; no NaN.
        log_spaced: whether rate factors are averaged as logarithms.

    Returns:
        Mean rate factor of each group, to five digits, strictly rising → the indices of its pairs, (n,) int64. Groups
        of one and the same rate factor are one.
    """
    order = rate_factor.argsort()
    groups: dict[float, list[Tensor]] = {}
    for indices in order.tensor_split(GROUPS):
        if len(indices):
            mean = _mean(rate_factor[indices], log_spaced=log_spaced)
            groups.setdefault(float(f"{mean:.5g}"), []).append(indices)
    return {rate: torch.cat(indices) for rate, indices in groups.items()}


def _mean(rates: Tensor, *, log_spaced: bool) -> float:
    return rates.log().mean().exp().item() if log_spaced else rates.mean().item()
