"""NoiseSchedule: how much of the residual is left at each diffusion timestep.

What a timestep means depends on the schedule; what a noise-to-signal ratio means does not. So whatever sampling and
training know by experience is written here, and in its neighbours, as a ratio, and looked up in the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.errors import SamplingError

NUM_POSITIONS = 100
"""Positions of the paper's respaced trajectory (section 3.2): position k evaluates the network at t = 10·(100 − k)."""

LATE_START_NOISE = 0.681
"""Where sampling starts by default, as σ_t: at position 81 of the linear schedule, t = 190."""

LARGEST_BETA = 0.999
"""Where a curve reaches ᾱ = 0, its last β is 1, and nothing is left to predict from; it is kept below that (Nichol and
Dhariwal 2021, section 3.2)."""


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

    def timestep_at(self, noise_to_signal: float) -> int:
        """Return the timestep whose σ_t is nearest, in its logarithm, to a positive ratio."""
        return int((self.noise_to_signal.log() - math.log(noise_to_signal)).abs().argmin())


def linear_schedule(num_timesteps: int = 1000, *, beta_start: float = 1e-4, beta_end: float = 0.02) -> NoiseSchedule:
    """Build the paper's schedule: β_t rises linearly, ᾱ_t = Π (1 − β_s), in float64 (DIRAC section A.1).

    Raises:
        SamplingError: if the β are not 0 < `beta_start` < `beta_end` < 1.
    """
    if not 0 < beta_start < beta_end < 1:
        raise SamplingError(f"beta from {beta_start} to {beta_end}; expected 0 < beta_start < beta_end < 1")
    betas = torch.linspace(beta_start, beta_end, num_timesteps, dtype=torch.float64)
    return NoiseSchedule((1 - betas).cumprod(dim=0))


def cosine_schedule(num_timesteps: int = 1000, *, offset: float = 0.008) -> NoiseSchedule:
    """Build the schedule ᾱ = f(u)/f(0), f(u) = cos²(π/2·(u + s)/(1 + s)) (Nichol and Dhariwal 2021, equation 17).

    Args:
        num_timesteps: T; timestep t lies at u = (t + 1)/T.
        offset: s, which keeps the first steps from being too small.

    Raises:
        SamplingError: if the offset is negative.
    """
    if offset < 0:
        raise SamplingError(f"offset {offset} given; expected at least 0")
    return _from_curve(lambda u: torch.cos((u + offset) / (1 + offset) * math.pi / 2).square(), num_timesteps)


def decay_schedule(num_timesteps: int = 1000, *, a: float, b: float) -> NoiseSchedule:
    """Build a schedule of the family ᾱ = (1 − uᵃ)ᵇ (DIRAC section C.3, whose equation 12 leaves a and b open).

    Args:
        num_timesteps: T; timestep t lies at u = (t + 1)/T.
        a: the larger, the later it decays.
        b: the larger, the earlier it decays, and the flatter it ends.

    Raises:
        SamplingError: if `a` or `b` is not positive, or so large that ᾱ is 1 or 0 in float64.
    """
    if min(a, b) <= 0:
        raise SamplingError(f"a decay with a = {a} and b = {b} given; expected positive numbers")
    return _from_curve(lambda u: (1 - u**a) ** b, num_timesteps)


def _from_curve(curve: Callable[[Tensor], Tensor], num_timesteps: int) -> NoiseSchedule:
    """Sample a falling curve of ᾱ over u from 0 to 1, in float64, as β no larger than `LARGEST_BETA`."""
    signal_power = curve(torch.arange(num_timesteps + 1, dtype=torch.float64) / num_timesteps)
    betas = (1 - signal_power[1:] / signal_power[:-1]).clamp(max=LARGEST_BETA)
    return NoiseSchedule((1 - betas).cumprod(dim=0))


_BUILDERS: Mapping[str, Callable[..., NoiseSchedule]] = MappingProxyType(
    {
        "linear": linear_schedule,
        "cosine": cosine_schedule,
        "early-decay": decay_schedule,
        "late-decay": decay_schedule,
        "smooth-late-decay": decay_schedule,
    }
)


def build_schedule(description: Mapping[str, Any]) -> NoiseSchedule:
    """Build a schedule from its name, "linear" where there is none, and its constants, as `SCHEDULES` has them.

    Raises:
        SamplingError: if there is no schedule of that name, or the constants are not those of one.
    """
    constants = dict(description)
    name = constants.pop("name", "linear")
    if name not in _BUILDERS:
        raise SamplingError(f"no noise schedule '{name}'; the schedules are {', '.join(_BUILDERS)}")
    try:
        return _BUILDERS[name](**constants)
    except (TypeError, RuntimeError) as cause:
        raise SamplingError(f"the {name} schedule cannot have the constants {constants}") from cause


def usual_late_start(schedule: NoiseSchedule) -> int:
    """Return how many of the 100 positions to skip, so that sampling begins at the noise of the paper's late start.

    That is 80 for the linear schedule (DIRAC section 3.3), and less where the signal decays later.
    """
    per_position = schedule.num_timesteps / NUM_POSITIONS
    position = NUM_POSITIONS - round(schedule.timestep_at(LATE_START_NOISE) / per_position)
    return min(max(position - 1, 0), NUM_POSITIONS - 1)


def late_start_timestep(schedule: NoiseSchedule) -> int:
    """Return the timestep at which sampling begins after `usual_late_start`: t = 190 for the linear schedule."""
    return schedule.num_timesteps // NUM_POSITIONS * (NUM_POSITIONS - 1 - usual_late_start(schedule))
