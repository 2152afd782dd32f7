"""The codec's optimisers: Muon for the inner matrices and kernels, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dirac_enhance.training.optimizer import Muon, OptimizerPair
from dirac_enhance_swint_charm.networks.network import SwintCharm

OUTER = ("analysis.merges.0.", "analysis.project.", "synthesis.project.", "synthesis.splits.3.")
"""Maps from and to pixels and latents."""
QUANTILE_RATE = 1e-2
"""Learning rate of the bottleneck's quantiles, which only the auxiliary loss moves."""


def build_optimizer(network: SwintCharm, *, learning_rate: float) -> OptimizerPair:
    """Divide the parameters; groups with a fixed rate have it as `fixed`."""
    inner: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in network.named_parameters():
        outer = name.startswith((*OUTER, "bottleneck.")) or name.endswith("position_bias")
        if name != "bottleneck.quantiles":
            (inner if parameter.ndim in (2, 4) and not outer else others).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": [network.bottleneck.quantiles], "lr": QUANTILE_RATE, "fixed": True},
    ]
    return OptimizerPair(
        Muon(inner, learning_rate),
        torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    )
