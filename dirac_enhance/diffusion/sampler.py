"""Sampling of a residual from noise: late start, early stop, explicit noise, and a solver in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.predictor import Predictor, RateFactor
from dirac_enhance.diffusion.schedule import NoiseSchedule
from dirac_enhance.diffusion.solver import Solver, plan_updates
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


def sample_residual(
    predictor: Predictor,
    base_reconstruction: Tensor,
    *,
    schedule: NoiseSchedule,
    evaluations: Sequence[Evaluation],
    noise: NoiseField,
    rate_factor: RateFactor = None,
    eta: float = 0.0,
    solver: Solver = "ddim",
    constrain: Constrain = unconstrained,
) -> Iterator[tuple[Evaluation, Tensor]]:
    """Sample a residual, step by step (DIRAC sections 3.2 and 3.3).

    Starts from √(1 − ᾱ_t)·z at the first evaluation's t. Every r̂_0 is clipped to [−1, 1], then constrained, and
    only then used for the update. Besides the arguments it holds two planes, r_t and r̂_0; DPM-Solver++ a third, the r̂_0
    before.

    Args:
        predictor: predicts r_0.
        base_reconstruction: x̃, (N, 3, H, W) float32 in [−1, 1]; all N pictures are given the same noise,
            the one that each would have on its own.
        schedule: ᾱ of the diffusion the predictor was trained for.
        evaluations: at least one, timesteps falling.
        noise: its step 0 is the start; where η > 0, step j is added before evaluation j, counted from 0.
        rate_factor: passed on to the predictor.
        eta: η in [0, 1]: 0 is DDIM, 1 ancestral sampling.
        solver: of the updates in between; with fewer than three evaluations both are the same.
        constrain: called on every clipped r̂_0 with its window, the whole plane.

    Returns:
        An iterator over the evaluations, each with its r̂_0, (N, 3, H, W) float32 in [−1, 1]. Later updates still
        read that tensor: it may be changed after the last evaluation only.

    Raises:
        SamplingError: if η is out of range or not for the solver, or the evaluations do not fall within the schedule.
    """
    _check(schedule, evaluations)
    alpha_bar = [float(schedule.alpha_bar[evaluation.timestep]) for evaluation in evaluations]
    updates = plan_updates(alpha_bar, solver=solver, eta=eta)
    window = Window(0, 0, *base_reconstruction.shape[-2:])

    def predict(r_t: Tensor, evaluation: Evaluation) -> Tensor:
        predicted = predictor.predict(r_t, base_reconstruction, evaluation.timestep, rate_factor)
        return constrain(predicted.clamp_(-1, 1), window)

    def walk() -> Iterator[tuple[Evaluation, Tensor]]:
        r_t = torch.zeros_like(base_reconstruction)
        _add_noise(r_t, noise, step=0, scale=math.sqrt(1 - alpha_bar[0]))
        previous: Tensor | None = None
        for step, (evaluation, update) in enumerate(zip(evaluations, updates, strict=False), start=1):
            r_0 = predict(r_t, evaluation)
            yield evaluation, r_0
            r_t.mul_(update.noised_residual).add_(r_0, alpha=update.predicted_residual)
            if previous is not None:
                r_t.add_(previous, alpha=update.previous_residual)
            previous = r_0 if solver == "dpm-solver++" else None
            del r_0  # before the predictor makes the next one
            if update.noise > 0:
                _add_noise(r_t, noise, step=step, scale=update.noise)
        yield evaluations[-1], predict(r_t, evaluations[-1])

    return walk()


def _check(schedule: NoiseSchedule, evaluations: Sequence[Evaluation]) -> None:
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
