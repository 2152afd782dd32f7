"""The codec's optimisers: Muon for the inner matrices and kernels, AdamW for the rest, each at its own pace."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.training.optimizer import Muon, OptimizerPair
from dirac_enhance_swint_charm.networks.network import SwintCharm

OUTER = {
    "analysis.merges.0.": 0.3,
    "analysis.project.": 0.3,
    "synthesis.project.": 0.03,
    "synthesis.splits.3.": 0.05,
}
"""Maps from and to pixels and latents, and their pace: a step of one size goes further where latents of tens come in,
or pixels of hundredths go out."""
TRUNK = ("analysis.merges.", "synthesis.splits.")
TRUNK_PACE = 0.3
"""Of the maps between stages, which begin as a transform that is good already."""
HYPER_PACE = 2.0
"""Of the hyper-codec and the prior, which begin with knowing nothing."""
QUANTILE_RATE = 1e-2
"""Learning rate of the bottleneck's quantiles, which only the auxiliary loss moves."""


def build_optimizer(network: SwintCharm, *, learning_rate: float) -> OptimizerPair:
    """Divide the parameters into groups; `pace` of each is its learning rate, in `learning_rate`s."""
    inner: defaultdict[float, list[Tensor]] = defaultdict(list)
    others: defaultdict[float, list[Tensor]] = defaultdict(list)
    for name, parameter in network.named_parameters():
        if name == "bottleneck.quantiles":
            continue
        outer = next((pace for prefix, pace in OUTER.items() if name.startswith(prefix)), None)
        if outer is not None:
            others[outer].append(parameter)
        elif parameter.ndim not in (2, 4) or name.startswith("bottleneck.") or name.endswith("position_bias"):
            others[1.0].append(parameter)
        else:
            inner[_inner_pace(name)].append(parameter)
    groups: list[dict[str, Any]] = [
        *({"params": parameters, "pace": pace} for pace, parameters in others.items()),
        {"params": [network.bottleneck.quantiles], "fixed": QUANTILE_RATE},
    ]
    return OptimizerPair(
        Muon([{"params": parameters, "pace": pace} for pace, parameters in inner.items()], learning_rate),
        torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    )


def set_learning_rate(optimizer: OptimizerPair, learning_rate: float) -> None:
    """Give every group its pace of the learning rate, or its fixed one."""
    for group in optimizer.param_groups:
        group["lr"] = group["fixed"] if "fixed" in group else learning_rate * group["pace"]


def _inner_pace(name: str) -> float:
    if name.startswith(TRUNK):
        return TRUNK_PACE
    return 1.0 if name.startswith(("analysis.", "synthesis.")) else HYPER_PACE
