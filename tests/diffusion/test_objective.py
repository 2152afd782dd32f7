"""The training objective: which timesteps are drawn, and what is minimised."""

from __future__ import annotations

import pytest
import torch

from dirac_enhance.diffusion.objective import (
    CROSSING,
    DECISIVE_NOISE,
    perceptual_weight,
    residual_loss,
    sample_timesteps,
)
from dirac_enhance.diffusion.schedule import build_schedule, late_start_timestep, linear_schedule
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.diffusion.trajectory import log_snr_timesteps


def drawn(count: int, *, seed: int = 0, schedule: str = "linear") -> torch.Tensor:
    built = build_schedule(SCHEDULES[schedule])
    return sample_timesteps(count, schedule=built, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 3, 8, 17])
def test_every_batch_trains_the_single_evaluation_of_dirac_1(count: int) -> None:
    assert len(drawn(count)) == count
    assert drawn(count)[0] == 990


def test_a_sixth_is_the_first_a_quarter_uniform_and_the_rest_decisive() -> None:
    timesteps = drawn(48_000)
    first, anywhere, decisive = timesteps[:8_000], timesteps[8_000:20_000], timesteps[20_000:]
    assert (first == 990).all()
    assert anywhere.max() == 999
    assert abs(anywhere.float().mean() - 499.5) < 15
    assert decisive.max() == 250
    assert decisive.min() == 0


def test_the_share_of_the_first_timestep_can_be_chosen_and_a_quarter_stays_uniform() -> None:
    timesteps = sample_timesteps(
        1_200, schedule=linear_schedule(), generator=torch.Generator().manual_seed(0), first_share=0.5
    )
    assert (timesteps == 990).sum() >= 600
    assert (timesteps[600:900] > 250).any()
    assert (timesteps[900:] <= 250).all()


def test_a_share_can_be_where_few_evaluations_end() -> None:
    generator = torch.Generator().manual_seed(0)
    timesteps = sample_timesteps(1_200, schedule=linear_schedule(), generator=generator, first_share=0.25, last=300)
    assert (timesteps[:300] == 990).all()
    assert (timesteps[300:600] > 250).any()
    assert len(set(timesteps[600:900].tolist())) > 50
    assert (timesteps[900:] == log_snr_timesteps(linear_schedule(), start=190, count=2)[-1]).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_decisive_timesteps_lie_densest_where_signal_and_noise_are_equal(name: str) -> None:
    schedule = build_schedule(SCHEDULES[name])
    ratios = schedule.noise_to_signal[drawn(48_000, schedule=name)[20_000:]]
    assert abs(ratios.median() / CROSSING - 1) < 0.1
    assert ratios.max() / DECISIVE_NOISE == pytest.approx(1, abs=0.01)


def test_the_same_generator_draws_the_same_timesteps() -> None:
    assert torch.equal(drawn(64, seed=3), drawn(64, seed=3))
    assert not torch.equal(drawn(64, seed=3), drawn(64, seed=4))


def test_unweighted_residual_loss_is_the_mean_squared_error() -> None:
    predicted, residual = torch.randn(2, 4, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.mse_loss(predicted, residual)
    torch.testing.assert_close(residual_loss(predicted, residual, weight=torch.ones(4)), expected)


def test_a_weight_counts_for_its_own_sample_only() -> None:
    residual = torch.zeros(2, 3, 4, 4)
    predicted = torch.stack((torch.full((3, 4, 4), 0.1), torch.full((3, 4, 4), 1.0)))
    loss = residual_loss(predicted, residual, weight=torch.tensor([4.0, 0.0]))
    assert loss.item() == pytest.approx(4 * 0.1**2 / 2)


def test_the_perceptual_term_leaves_the_high_fidelity_estimates_alone() -> None:
    weights = perceptual_weight(torch.tensor([0, 100, 145, 190, 990]), schedule=linear_schedule())
    assert weights.tolist() == [1, 1, 0.5, 0, 0]


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_perceptual_term_fades_out_at_the_late_start_of_any_schedule(name: str) -> None:
    schedule = build_schedule(SCHEDULES[name])
    start = late_start_timestep(schedule)
    weights = perceptual_weight(torch.tensor([0, start - 1, start, 990]), schedule=schedule)
    assert weights[0] == 1
    assert 0 < weights[1] < 0.05
    assert weights[2:].tolist() == [0, 0]
