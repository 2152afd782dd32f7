"""NoiseSchedule: how much of the residual is left at each diffusion timestep."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dirac_enhance.errors import SamplingError

NUM_POSITIONS = 100
"""Positions of the paper's respaced trajectory (section 3.2): position k evaluates the network at t = 10·(100 − k)."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSchedule:
    """Cumulative signal power ᾱ_t of a variance-preserving diffusion, t = 0 … T − 1.

    Args:
        alpha_bar: (T,) float64, strictly decreasing, in (0, 1).

    Raises:
        SamplingError: if `alpha_bar` is not such a sequence.
    """

    alpha_bar: Tensor

    def __post_init__(self) -> None:
        falls = self.alpha_bar.dim() == 1 and bool((self.alpha_bar.diff() < 0).all())
        if self.alpha_bar.dtype != torch.float64 or not falls or not 0 < self.alpha_bar[-1] < self.alpha_bar[0] < 1:
            raise SamplingError("alpha_bar must be a falling float64 sequence between 1 and 0")

    @property
    def num_timesteps(self) -> int:
        """T, the number of timesteps."""
        return len(self.alpha_bar)

    @property
    def noise_to_signal(self) -> Tensor:
        """(T,) float64: σ_t = √((1 − ᾱ_t)/ᾱ_t), the noise's standard deviation in units of the residual's own scale."""
        return ((1 - self.alpha_bar) / self.alpha_bar).sqrt()


def linear_schedule(num_timesteps: int = 1000, *, beta_start: float = 1e-4, beta_end: float = 0.02) -> NoiseSchedule:
    """Build the paper's schedule: β_t rises linearly, ᾱ_t = Π (1 − β_s), in float64 (DIRAC section A.1).

    Raises:
        SamplingError: if the β are not 0 < `beta_start` < `beta_end` < 1.
    """
    if not 0 < beta_start < beta_end < 1:
        raise SamplingError(f"beta from {beta_start} to {beta_end}; expected 0 < beta_start < beta_end < 1")
    betas = torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float64)
    return NoiseSchedule((1 - betas).cumprod(dim=0))
