from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from dirac_enhance.diffusion.schedule import (
    NoiseSchedule,
    build_schedule,
    cosine_schedule,
    decay_schedule,
    late_start_timestep,
    linear_schedule,
    usual_late_start,
)
from dirac_enhance.diffusion.schedule_catalogue import DEFAULT_SCHEDULE, SCHEDULES
from dirac_enhance.errors import SamplingError


def test_linear_schedule_is_the_running_product_of_ddpm() -> None:
    expected, alpha_bar = [], 1.0
    for t in range(1000):
        alpha_bar *= 1 - (1e-4 + (0.02 - 1e-4) * t / 999)
        expected.append(alpha_bar)
    actual = linear_schedule().alpha_bar
    assert actual.dtype == torch.float64
    assert actual.tolist() == pytest.approx(expected, rel=1e-12)


def test_noise_to_signal_rises_from_a_hundredth_to_far_above_one() -> None:
    ratio = linear_schedule().noise_to_signal
    assert float(ratio[0]) == pytest.approx(math.sqrt(1e-4 / (1 - 1e-4)))
    assert float(ratio[-1]) > 100
    assert bool((ratio.diff() > 0).all())


@pytest.mark.parametrize(
    "alpha_bar",
    [
        torch.tensor([0.9, 0.9], dtype=torch.float64),
        torch.tensor([1.0, 0.5], dtype=torch.float64),
        torch.tensor([0.5, 0.0], dtype=torch.float64),
        torch.tensor([0.9, 0.5]),
    ],
)
def test_a_sequence_that_does_not_fall_within_bounds_is_refused(alpha_bar: torch.Tensor) -> None:
    with pytest.raises(SamplingError, match="falling float64"):
        NoiseSchedule(alpha_bar)


def test_betas_out_of_order_are_refused() -> None:
    with pytest.raises(SamplingError, match="beta_start"):
        linear_schedule(beta_start=0.02, beta_end=1e-4)


def test_the_named_schedules_and_their_constants_are_frozen() -> None:
    assert {name: dict(constants) for name, constants in SCHEDULES.items()} == {
        "linear": {"num_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02},
        "cosine": {"name": "cosine", "num_timesteps": 1000, "offset": 0.008},
        "early-decay": {"name": "early-decay", "num_timesteps": 1000, "a": 1.5, "b": 8.0},
        "late-decay": {"name": "late-decay", "num_timesteps": 1000, "a": 4.0, "b": 1.0},
        "smooth-late-decay": {"name": "smooth-late-decay", "num_timesteps": 1000, "a": 4.0, "b": 2.0},
    }
    assert DEFAULT_SCHEDULE == "linear"
    with pytest.raises(TypeError):
        SCHEDULES["linear"]["beta_end"] = 0.03  # type: ignore[index] # that is the point


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_named_schedule_falls_from_nearly_all_signal_to_nearly_none(name: str) -> None:
    alpha_bar = build_schedule(SCHEDULES[name]).alpha_bar
    assert alpha_bar.dtype == torch.float64
    assert bool((alpha_bar.diff() < 0).all())
    assert 0.999 < float(alpha_bar[0]) < 1
    assert 0 < float(alpha_bar[-1]) < 1e-4


@pytest.mark.parametrize("t", [0, 1, 249, 499, 749, 998])
def test_the_curves_are_their_closed_forms(t: int) -> None:
    u = (t + 1) / 1000
    expected = {
        "cosine": (math.cos((u + 0.008) / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)) ** 2,
        "early-decay": (1 - u**1.5) ** 8,
        "late-decay": 1 - u**4,
        "smooth-late-decay": (1 - u**4) ** 2,
    }
    for name, value in expected.items():
        actual = float(build_schedule(SCHEDULES[name]).alpha_bar[t])
        assert actual == pytest.approx(value, rel=1e-9), name
        assert 1 - actual == pytest.approx(1 - value, rel=1e-3), name  # what is left of it at the first timesteps


def test_the_last_beta_is_limited_where_a_curve_ends_at_no_signal() -> None:
    for schedule in (cosine_schedule(), decay_schedule(a=4, b=1)):
        assert float(schedule.alpha_bar[-1] / schedule.alpha_bar[-2]) == pytest.approx(0.001)


def test_early_decays_before_the_linear_schedule_and_late_after_the_cosine_one() -> None:
    alpha_bar = {name: build_schedule(SCHEDULES[name]).alpha_bar for name in SCHEDULES}
    assert bool((alpha_bar["early-decay"] < alpha_bar["linear"]).all())
    for name in ("late-decay", "smooth-late-decay"):
        assert bool((alpha_bar[name] > alpha_bar["cosine"]).all())
    slopes = {name: float(alpha_bar[name][-11] - alpha_bar[name][-2]) for name in ("late-decay", "smooth-late-decay")}
    assert slopes["smooth-late-decay"] < 0.05 * slopes["late-decay"]


def test_a_ratio_finds_its_own_timestep_on_any_schedule() -> None:
    for name in SCHEDULES:
        schedule = build_schedule(SCHEDULES[name])
        for t in (0, 1, 300, 999):
            assert schedule.timestep_at(float(schedule.noise_to_signal[t])) == t


def test_the_late_start_has_the_paper_s_noise_on_any_schedule() -> None:
    assert (usual_late_start(linear_schedule()), late_start_timestep(linear_schedule())) == (80, 190)
    assert usual_late_start(linear_schedule(200)) == 56
    for name in SCHEDULES:
        schedule = build_schedule(SCHEDULES[name])
        assert float(schedule.noise_to_signal[late_start_timestep(schedule)]) == pytest.approx(0.681, rel=0.06), name


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"name": "sigmoid"}, "no noise schedule 'sigmoid'; the schedules are linear, cosine, early-decay"),
        ({"name": "cosine", "offset": -0.1}, "offset -0.1"),
        ({"name": "early-decay", "a": -1.0, "b": 2.0}, "a = -1.0 and b = 2.0"),
        ({"name": "early-decay", "a": 20.0, "b": 2.0}, "falling float64"),
        ({"name": "cosine", "beta_start": 0.1}, "the cosine schedule cannot have the constants"),
    ],
)
def test_constants_that_make_no_schedule_are_refused(constants: dict[str, Any], message: str) -> None:
    with pytest.raises(SamplingError, match=message):
        build_schedule(constants)
