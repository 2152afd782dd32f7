"""The optimiser: Muon for the convolution kernels inside the network, AdamW for everything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd quintic that drives singular values towards 1 (Jordan et al. 2024)."""
NEWTON_SCHULZ_STEPS = 5
UPDATE_RMS = 0.2
"""Root mean square of an update per learning rate, AdamW's own size (Liu et al. 2025, arXiv 2502.16982)."""


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, kernel by kernel (Jordan et al. 2024, "Muon").

    A kernel (out, in, h, w) counts as a matrix (out, in·h·w); so does one (out, in). `torch.optim.Muon` takes the
    latter only.

    Args:
        kernels: parameters of two dimensions or more, or groups of them.
        lr: learning rate, of AdamW's size.
        momentum: share of the past in the (Nesterov) momentum.
    """

    def __init__(
        self, kernels: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float, *, momentum: float = 0.95
    ) -> None:
        super().__init__(kernels, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every kernel that has a gradient."""
        for group in self.param_groups:
            alike: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
            for kernel in group["params"]:
                if kernel.grad is not None:
                    alike[kernel.shape].append(kernel)
            for kernels in alike.values():
                updates = torch.stack([self._update(kernel, group["momentum"]) for kernel in kernels])
                updates = orthogonalise(updates) * (UPDATE_RMS * max(updates.shape[1:]) ** 0.5)
                for kernel, update in zip(kernels, updates, strict=True):
                    kernel.add_(update.view_as(kernel), alpha=-group["lr"])

    def _update(self, kernel: Tensor, momentum: float) -> Tensor:
        assert kernel.grad is not None
        state = self.state[kernel]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(kernel)
        state["momentum"].lerp_(kernel.grad, 1 - momentum)
        return kernel.grad.lerp(state["momentum"], momentum).flatten(1)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Bring the singular values of each matrix near 1 by Newton–Schulz iteration.

    The iteration X ← (a + b·A + c·A²)·X, A = X·Xᵀ, is carried out on A alone, whose polynomials commute; X is
    multiplied once, at the end.

    Args:
        matrices: (N, m, n) float32.

    Returns:
        (N, m, n); singular values that were above a hundredth of the matrix's norm lie between .7 and 1.2.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalise(matrices.mT).mT
    a, b, c = NEWTON_SCHULZ
    matrices = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-12)
    gram = matrices @ matrices.mT
    identity = torch.eye(gram.shape[1], device=gram.device, dtype=gram.dtype)
    product = identity.expand_as(gram)
    for _ in range(NEWTON_SCHULZ_STEPS):
        factor = a * identity + b * gram + c * (gram @ gram)
        product = factor @ product
        gram = factor @ factor @ gram
    return product @ matrices


class OptimizerPair:
    """Two optimisers of one network's parameters, used as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move all parameters."""
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """State of each, by class name."""
        return {type(optimizer).__name__: optimizer.state_dict() for optimizer in self.optimizers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            KeyError: if it is of other optimisers.
        """
        for optimizer in self.optimizers:
            optimizer.load_state_dict(state[type(optimizer).__name__])


def build_optimizer(network: nn.Module, *, learning_rate: float) -> OptimizerPair:
    """Give Muon the 4-d kernels between first and last convolution, and AdamW all other parameters."""
    inner: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in network.named_parameters():
        outer = name.startswith(("conv_in.", "conv_out."))
        (inner if parameter.ndim == 4 and not outer else others).append(parameter)
    return OptimizerPair(
        Muon(inner, learning_rate),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    )
