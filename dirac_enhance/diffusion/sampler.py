"""Sampling of a residual from noise: DDIM with late start, early stop and explicit noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.predictor import Predictor, RateFactor
from dirac_enhance.diffusion.schedule import NoiseSchedule
from dirac_enhance.diffusion.trajectory import Evaluation
from dirac_enhance.errors import SamplingError
from dirac_enhance.window import Window

Constrain = Callable[[Tensor, Window], Tensor]
"""Maps a predicted residual, (N, 3, h, w) in [−1, 1] units, and its window to one that is allowed there."""

_NOISE_ROWS = 256
"""Rows of noise held at a time."""


def unconstrained(predicted_residual: Tensor, window: Window) -> Tensor:
    """Allow every residual."""
    del window
    return predicted_residual


@dataclass(frozen=True, slots=True)
class DDIMStep:
    """The update r_s = noised_residual·r_t + predicted_residual·r̂_0 + noise·z, as three float64 weights.

    Args:
        noised_residual: weight of r_t.
        predicted_residual: weight of r̂_0.
        noise: weight of fresh noise z; 0 where η is 0.
    """

    noised_residual: float
    predicted_residual: float
    noise: float


def ddim_step(*, alpha_bar_t: float, alpha_bar_s: float, eta: float) -> DDIMStep:
    """Return the weights of the DDIM update from t to an earlier s (Song et al. 2021, equations 12 and 16).

    With ε̂ = (r_t − √ᾱ_t r̂_0)/√(1 − ᾱ_t) the paper's r_s = √ᾱ_s r̂_0 + √(1 − ᾱ_s − σ²) ε̂ + σ z, where
    σ = η·√((1 − ᾱ_s)/(1 − ᾱ_t))·√(1 − ᾱ_t/ᾱ_s). η = 0 is deterministic, η = 1 draws from q(r_s | r_t, r̂_0).

    Args:
        alpha_bar_t: ᾱ_t in (0, 1).
        alpha_bar_s: ᾱ_s in (ᾱ_t, 1].
        eta: η in [0, 1].
    """
    sigma = eta * math.sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)) * math.sqrt(1 - alpha_bar_t / alpha_bar_s)
    direction = math.sqrt(max(0.0, 1 - alpha_bar_s - sigma**2)) / math.sqrt(1 - alpha_bar_t)
    return DDIMStep(direction, math.sqrt(alpha_bar_s) - direction * math.sqrt(alpha_bar_t), sigma)


def sample_residual(
    predictor: Predictor,
    base_reconstruction: Tensor,
    *,
    schedule: NoiseSchedule,
    evaluations: Sequence[Evaluation],
    noise: NoiseField,
    rate_factor: RateFactor = None,
    eta: float = 0.0,
    constrain: Constrain = unconstrained,
) -> Iterator[tuple[Evaluation, Tensor]]:
    """Sample a residual, step by step (DIRAC sections 3.2 and 3.3).

    Starts from √(1 − ᾱ_t)·z at the first evaluation's t. Every r̂_0 is clipped to [−1, 1], then constrained, and
    only then used for the update. Besides the arguments it holds two planes, r_t and r̂_0.

    Args:
        predictor: predicts r_0.
        base_reconstruction: x̃, (N, 3, H, W) float32 in [−1, 1]; all N pictures are given the same noise,
            the one that each would have on its own.
        schedule: ᾱ of the diffusion the predictor was trained for.
        evaluations: at least one, timesteps falling.
        noise: its step 0 is the start; where η > 0, step j is added before evaluation j, counted from 0.
        rate_factor: passed on to the predictor.
        eta: η in [0, 1]: 0 is DDIM, 1 ancestral sampling.
        constrain: called on every clipped r̂_0 with its window, the whole plane.

    Returns:
        An iterator over the evaluations, each with its r̂_0, (N, 3, H, W) float32 in [−1, 1]. The next update still
        reads that tensor: it may be changed after the last evaluation only.

    Raises:
        SamplingError: if η is out of range, or the evaluations do not fall within the schedule.
    """
    _check(schedule, evaluations, eta)
    alpha_bar = [float(schedule.alpha_bar[evaluation.timestep]) for evaluation in evaluations]
    updates = [ddim_step(alpha_bar_t=t, alpha_bar_s=s, eta=eta) for t, s in pairwise(alpha_bar)]
    window = Window(0, 0, *base_reconstruction.shape[-2:])

    def predict(r_t: Tensor, evaluation: Evaluation) -> Tensor:
        predicted = predictor.predict(r_t, base_reconstruction, evaluation.timestep, rate_factor)
        return constrain(predicted.clamp_(-1, 1), window)

    def walk() -> Iterator[tuple[Evaluation, Tensor]]:
        r_t = torch.zeros_like(base_reconstruction)
        _add_noise(r_t, noise, step=0, scale=math.sqrt(1 - alpha_bar[0]))
        for step, (evaluation, update) in enumerate(zip(evaluations, updates, strict=False), start=1):
            r_0 = predict(r_t, evaluation)
            yield evaluation, r_0
            r_t.mul_(update.noised_residual).add_(r_0, alpha=update.predicted_residual)
            del r_0  # before the predictor makes the next one
            if update.noise > 0:
                _add_noise(r_t, noise, step=step, scale=update.noise)
        yield evaluations[-1], predict(r_t, evaluations[-1])

    return walk()


def _check(schedule: NoiseSchedule, evaluations: Sequence[Evaluation], eta: float) -> None:
    if not 0 <= eta <= 1:
        raise SamplingError(f"eta {eta:g} given; expected a number from 0 (deterministic) to 1 (ancestral)")
    timesteps = [evaluation.timestep for evaluation in evaluations]
    falling = all(t > s for t, s in pairwise(timesteps))
    if not timesteps or not falling or timesteps[0] >= schedule.num_timesteps or timesteps[-1] < 0:
        raise SamplingError(f"timesteps {timesteps} given; expected falling ones, {schedule.num_timesteps - 1} to 0")


def _add_noise(r_t: Tensor, noise: NoiseField, *, step: int, scale: float) -> None:
    """Add scaled noise to a (N, 3, H, W) plane in place, a band of rows at a time."""
    channels, height, width = r_t.shape[-3:]
    for top in range(0, height, _NOISE_ROWS):
        band = Window(top, 0, min(_NOISE_ROWS, height - top), width)
        rows = r_t[..., band.top : band.bottom, :]
        rows.add_(noise.normal(step, band, channels=channels).to(r_t.device), alpha=scale)
