from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.diffusion.process import q_posterior_mean_variance, q_sample
from dirac_enhance.diffusion.sampler import sample_residual
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.diffusion.trajectory import Evaluation, plan_trajectory
from dirac_enhance.errors import SamplingError
from dirac_enhance.window import Window

SCHEDULE = linear_schedule()
NOISE = NoiseField(4, 1)
SHAPE = (1, 3, 6, 10)
PLANE = Window(0, 0, 6, 10)


@dataclass
class Recorder:
    """A predictor that computes with a function of r_t and t, and remembers what it was given."""

    compute: Callable[[Tensor, int], Tensor]
    noised: list[Tensor] = field(default_factory=list)
    rate_factors: list[RateFactor] = field(default_factory=list)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        assert base_reconstruction.shape == noised_residual.shape
        self.noised.append(noised_residual.clone())
        self.rate_factors.append(rate_factor)
        return self.compute(noised_residual, timestep)


def sample(
    predictor: Recorder, evaluations: Sequence[Evaluation], **settings: Any
) -> Iterator[tuple[Evaluation, Tensor]]:
    settings = {"noise": NOISE, "schedule": SCHEDULE, "evaluations": evaluations, **settings}
    return sample_residual(predictor, settings.pop("base", torch.zeros(SHAPE)), **settings)


def last_residual(predictor: Recorder, evaluations: Sequence[Evaluation], **settings: Any) -> Tensor:
    return list(sample(predictor, evaluations, **settings))[-1][1]


def residual(scale: float = 0.1) -> Tensor:
    return (scale * torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)


def at(*timesteps: int) -> list[Evaluation]:
    return [Evaluation(position, timestep) for position, timestep in enumerate(timesteps, start=1)]


@pytest.mark.parametrize("start", [190, 990])
def test_sampling_starts_from_noise_of_the_timestep_s_own_deviation(start: int) -> None:
    predictor = Recorder(lambda r_t, _: torch.zeros_like(r_t))
    last_residual(predictor, at(start))
    deviation = math.sqrt(1 - float(SCHEDULE.alpha_bar[start]))
    torch.testing.assert_close(predictor.noised[0][0], deviation * NOISE.normal(0, PLANE))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("settings", [{"steps": 1}, {}, {"late_start": 0}, {"spacing": "log-snr", "evaluations": 4}])
def test_a_perfect_oracle_gives_back_the_residual_after_every_evaluation(eta: float, settings: dict[str, Any]) -> None:
    truth = residual()
    plan = plan_trajectory(SCHEDULE, **settings)
    found = list(sample(Recorder(lambda _r_t, _t: truth.clone()), plan, eta=eta))
    assert [evaluation for evaluation, _ in found] == list(plan)
    assert all(torch.equal(r_0, truth) for _, r_0 in found)


def test_with_an_oracle_every_later_noised_residual_is_the_truth_under_the_same_noise() -> None:
    truth, plan = residual(), at(190, 60, 4)
    predictor = Recorder(lambda _r_t, _t: truth.clone())
    last_residual(predictor, plan)
    # At the late start r_t lacks the signal; what is missing counts as noise from there on.
    start = SCHEDULE.alpha_bar[190]
    noise = NOISE.normal(0, PLANE)[None] - (start.sqrt() / (1 - start).sqrt()).float() * truth
    for r_t, evaluation in zip(predictor.noised[1:], plan[1:], strict=True):
        expected = q_sample(truth, noise, alpha_bar_t=SCHEDULE.alpha_bar[evaluation.timestep])
        torch.testing.assert_close(r_t, expected)


# Ancestral steps of finite length lose a little variance: theirs is that of the posterior for a known r_0.
@pytest.mark.parametrize(("eta", "start", "tolerance"), [(0.0, 999, 0.03), (0.0, 190, 0.03), (1.0, 190, 0.08)])
def test_samples_of_a_gaussian_residual_end_with_its_deviation(eta: float, start: int, tolerance: float) -> None:
    # The posterior mean of r_0 ~ N(0, s²) is known in closed form; with it, sampling gives N(0, s²) again.
    s = 0.05

    def posterior_mean(r_t: Tensor, t: int) -> Tensor:
        alpha_bar = float(SCHEDULE.alpha_bar[t])
        return math.sqrt(alpha_bar) * s**2 / (alpha_bar * s**2 + 1 - alpha_bar) * r_t

    base = torch.zeros(1, 3, 40, 60)
    plan = at(*range(start, -1, -1))
    deviation = float(last_residual(Recorder(posterior_mean), plan, base=base, eta=eta).std())
    ending = math.sqrt(s**2 / (s**2 + 1e-4))  # the last r̂_0 is a mean, given what noise t = 0 leaves
    assert deviation == pytest.approx(s * ending, rel=tolerance)


def test_ancestral_sampling_draws_from_the_posterior() -> None:
    truth, plan = residual(), at(900, 300, 40)
    predictor = Recorder(lambda r_t, _: (0.3 * r_t + truth).clamp(-1, 1))
    found = list(sample(predictor, plan, eta=1.0))
    for step, (before, after) in enumerate(pairwise(plan)):
        mean, variance = q_posterior_mean_variance(
            found[step][1],
            predictor.noised[step],
            alpha_bar_t=SCHEDULE.alpha_bar[before.timestep],
            alpha_bar_s=SCHEDULE.alpha_bar[after.timestep],
        )
        expected = mean + variance.sqrt() * NOISE.normal(step + 1, PLANE)
        torch.testing.assert_close(predictor.noised[step + 1], expected)


def test_predictions_are_clipped_before_the_update() -> None:
    plan = at(190, 40)
    wild = Recorder(lambda r_t, _: torch.full_like(r_t, 7.0))
    tame = Recorder(lambda r_t, _: torch.ones_like(r_t))
    assert torch.equal(last_residual(wild, plan), torch.ones(SHAPE))
    last_residual(tame, plan)
    assert torch.equal(wild.noised[1], tame.noised[1])


def test_constrain_sees_every_clipped_residual_and_its_window_and_decides_the_update() -> None:
    seen: list[Window] = []

    def halve(predicted_residual: Tensor, window: Window) -> Tensor:
        assert float(predicted_residual.abs().max()) <= 1
        seen.append(window)
        return predicted_residual / 2

    plan = at(190, 40)
    constrained = Recorder(lambda r_t, _: torch.full_like(r_t, 9.0))
    assert torch.equal(last_residual(constrained, plan, constrain=halve), torch.full(SHAPE, 0.5))
    half = Recorder(lambda r_t, _: torch.full_like(r_t, 0.5))
    last_residual(half, plan)
    assert seen == [PLANE, PLANE]
    assert torch.equal(constrained.noised[1], half.noised[1])


def test_stopping_early_gives_the_longer_run_s_own_intermediate() -> None:
    predictor = Recorder(lambda r_t, t: r_t / (1 + t))
    long = list(sample(predictor, at(190, 90, 40, 4), eta=0.7))
    short = list(sample(predictor, at(190, 90), eta=0.7))
    assert torch.equal(long[1][1], short[1][1])


def test_a_batch_is_sampled_as_each_picture_alone() -> None:
    base = torch.rand(2, 3, 6, 10, generator=torch.Generator().manual_seed(1)) * 2 - 1
    plan, settings = at(190, 40, 4), {"eta": 1.0}
    together = last_residual(_Brightness(), plan, base=base, **settings)
    alone = last_residual(_Brightness(), plan, base=base[1:], **settings)
    assert torch.equal(together[1:], alone)


def test_noise_of_a_tall_plane_is_the_whole_field_whatever_the_bands() -> None:
    predictor = Recorder(lambda r_t, _: torch.zeros_like(r_t))
    last_residual(predictor, at(999), base=torch.zeros(1, 3, 600, 2))
    deviation = math.sqrt(1 - float(SCHEDULE.alpha_bar[999]))
    torch.testing.assert_close(predictor.noised[0][0], deviation * NOISE.normal(0, Window(0, 0, 600, 2)))


def test_the_rate_factor_reaches_the_predictor_and_the_arguments_are_left_alone() -> None:
    base = residual()
    before = base.clone()
    predictor = Recorder(lambda r_t, _: r_t.clone())
    last_residual(predictor, at(190, 40), base=base, rate_factor=10.0)
    assert predictor.rate_factors == [10.0, 10.0]
    assert torch.equal(base, before)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_eta_out_of_range_is_refused_before_the_first_step(eta: float) -> None:
    with pytest.raises(SamplingError, match="expected a number from 0"):
        sample(Recorder(lambda r_t, _: r_t), at(190), eta=eta)


@pytest.mark.parametrize("timesteps", [(), (40, 190), (40, 40), (1000,), (10, -1)])
def test_timesteps_that_do_not_fall_within_the_schedule_are_refused(timesteps: tuple[int, ...]) -> None:
    with pytest.raises(SamplingError, match="expected falling ones, 999 to 0"):
        sample(Recorder(lambda r_t, _: r_t), at(*timesteps))


class _Brightness(Recorder):
    """Predicts from the base reconstruction, too."""

    def __init__(self) -> None:
        super().__init__(lambda r_t, _: r_t)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        return 0.5 * noised_residual + 0.1 * base_reconstruction
