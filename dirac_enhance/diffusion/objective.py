"""The training objective: which timesteps are drawn, and what is minimised."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dirac_enhance.diffusion.schedule import NoiseSchedule, late_start_timestep
from dirac_enhance.diffusion.trajectory import END_NOISE

FIRST_TIMESTEP = 990
"""Where DIRAC-1 evaluates the network."""
FIRST_SHARE = 1 / 6
"""Share of a batch at that timestep."""
DECISIVE_NOISE = 0.958
"""Up to this σ_t, t = 250 of the linear schedule, a residual stands out of its noise (√ᾱ_t · .1 against √(1 − ᾱ_t));
beyond it drowns."""
PERCEPTUAL_NOISE = 0.342
"""Up to this σ_t, t = 100 of the linear schedule, the LPIPS term counts in full."""
CROSSING, CROSSING_SPREAD = 0.08, 1.2
"""Log-normal centre and spread of the noise-to-signal ratio among decisive timesteps: residuals of .02 … .13 meet
their noise, 0 dB, around the centre."""


def sample_timesteps(
    count: int,
    *,
    schedule: NoiseSchedule,
    generator: torch.Generator,
    first_share: float = FIRST_SHARE,
    last: int = 0,
) -> Tensor:
    """Draw training timesteps for a batch: (count,) int64.

    A `first_share`, at least one, is 990; a quarter is uniform over all T; as many as `last` says, at the batch's end,
    are where log-SNR spacing ends; the rest has at most `DECISIVE_NOISE`, densest where the residual's signal-to-noise
    ratio crosses 0 dB.
    """
    drawn = _draw_timesteps(count - last, count, schedule=schedule, generator=generator, first_share=first_share)
    return torch.cat((drawn, torch.full((last,), schedule.timestep_at(END_NOISE))))


def _draw_timesteps(
    left: int, count: int, *, schedule: NoiseSchedule, generator: torch.Generator, first_share: float
) -> Tensor:
    """Draw `left` timesteps, shares being those of `count`."""
    first = max(1, int(count * first_share))
    uniform = math.ceil(count / 4)
    anywhere = torch.randint(schedule.num_timesteps, (first + uniform,), generator=generator)[:left]
    anywhere[:first] = min(FIRST_TIMESTEP, schedule.num_timesteps - 1)
    ratios = schedule.noise_to_signal[: schedule.timestep_at(DECISIVE_NOISE) + 1]
    drawn = torch.randn(left - len(anywhere), generator=generator, dtype=torch.float64) * CROSSING_SPREAD
    drawn = (drawn + math.log(CROSSING)).exp().clamp(ratios[0], ratios[-1])
    decisive = torch.searchsorted(ratios, drawn).clamp(max=len(ratios) - 1)
    return torch.cat((anywhere, decisive))


def residual_loss(predicted_residual: Tensor, residual: Tensor, *, weight: Tensor) -> Tensor:
    """Mean squared error of r̂_0, the first term of the objective (DIRAC equation 1).

    Args:
        predicted_residual: r̂_0, (N, 3, H, W) in [−1, 1] units.
        residual: r_0, likewise.
        weight: w, (N,), broadcast over each sample.

    Returns:
        The mean over all elements, a scalar.
    """
    return (weight * (predicted_residual - residual).square().mean(dim=(1, 2, 3))).mean()


def perceptual_weight(timestep: Tensor, *, schedule: NoiseSchedule) -> Tensor:
    """Share of the LPIPS term at each timestep: 1 up to `PERCEPTUAL_NOISE`, falling to 0 at the late start.

    Where the network sees little but noise, its prediction should be the mean of all residuals that fit: the paper's
    high-fidelity DIRAC-1, and the first estimate of a trajectory. Realism is for the timesteps that decide on detail.

    Args:
        timestep: (N,) int64.
        schedule: of the diffusion.

    Returns:
        (N,) float32; for the linear schedule 1 up to t = 100, and 0 from t = 190.
    """
    full, none = schedule.timestep_at(PERCEPTUAL_NOISE), late_start_timestep(schedule)
    return ((none - timestep.float()) / (none - full)).clamp(0, 1)
