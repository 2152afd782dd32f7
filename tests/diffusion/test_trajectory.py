from __future__ import annotations

import re
from typing import Any

import pytest

from dirac_enhance.diffusion.schedule import build_schedule, linear_schedule
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.diffusion.trajectory import Evaluation, log_snr_timesteps, plan_trajectory
from dirac_enhance.errors import SamplingError

SCHEDULE = linear_schedule()


def timesteps(**settings: Any) -> list[int]:
    return [evaluation.timestep for evaluation in plan_trajectory(SCHEDULE, **settings)]


def test_the_default_is_the_paper_s_twenty_evaluations_after_late_start() -> None:
    plan = plan_trajectory(SCHEDULE)
    assert [evaluation.timestep for evaluation in plan] == list(range(190, -1, -10))
    assert [evaluation.position for evaluation in plan] == list(range(81, 101))


def test_without_late_start_all_hundred_positions_are_evaluated() -> None:
    assert timesteps(late_start=0) == list(range(990, -1, -10))


@pytest.mark.parametrize(("steps", "count"), [(81, 1), (85, 5), (99, 19), (100, 20)])
def test_steps_stop_the_paper_s_trajectory_early(steps: int, count: int) -> None:
    plan = plan_trajectory(SCHEDULE, steps=steps)
    assert len(plan) == count
    assert plan == plan_trajectory(SCHEDULE)[:count]


@pytest.mark.parametrize("spacing", ["paper", "log-snr"])
@pytest.mark.parametrize("steps", [1, 2, 79, 80])
def test_steps_within_the_late_start_are_one_evaluation_of_pure_noise(steps: int, spacing: Any) -> None:
    assert plan_trajectory(SCHEDULE, steps=steps, spacing=spacing) == (Evaluation(1, 990),)


def test_log_snr_spacing_is_even_in_log_sigma() -> None:
    plan = plan_trajectory(SCHEDULE, spacing="log-snr", evaluations=6)
    assert (plan[0].timestep, plan[-1].timestep) == (190, 4)
    log_sigma = SCHEDULE.noise_to_signal.log()[[evaluation.timestep for evaluation in plan]]
    spaces = -log_sigma.diff()
    assert float(spaces.max() - spaces.min()) < 0.1 * float(spaces.mean())


@pytest.mark.parametrize(("start", "end", "count"), [(190, 1, 4), (60, 10, 3), (30, 0, 2)])
def test_log_snr_timesteps_begin_and_end_where_they_are_told(start: int, end: int, count: int) -> None:
    timesteps = log_snr_timesteps(SCHEDULE, start=start, end=end, count=count)
    assert (timesteps[0], timesteps[-1], len(timesteps)) == (start, end, count)


@pytest.mark.parametrize(("end", "times"), [(None, [190, 37, 4]), (10, [190, 51, 10]), (0, [190, 21, 0])])
def test_log_snr_spacing_ends_where_it_is_told(end: int | None, times: list[int]) -> None:
    assert timesteps(spacing="log-snr", evaluations=3, end_timestep=end) == times
    assert timesteps(spacing="log-snr", evaluations=1, end_timestep=end) == [190]
    assert timesteps(spacing="log-snr", evaluations=3, end_timestep=end, steps=1) == [990]


def test_an_end_before_the_start_leaves_one_evaluation() -> None:
    assert timesteps(spacing="log-snr", evaluations=3, end_timestep=300) == [190]
    assert timesteps(spacing="log-snr", evaluations=3, end_timestep=10, late_start=99) == [0]


def test_log_snr_timesteps_that_coincide_are_listed_once_and_none_comes_after_the_start() -> None:
    assert log_snr_timesteps(SCHEDULE, start=6, end=4, count=8) == (6, 5, 4)
    assert log_snr_timesteps(SCHEDULE, start=3, end=4, count=2) == (3,)
    assert log_snr_timesteps(SCHEDULE, start=190, end=4, count=1) == (190,)


def test_log_snr_evaluations_divide_the_positions_evenly() -> None:
    plan = plan_trajectory(SCHEDULE, spacing="log-snr", evaluations=4)
    assert [evaluation.position for evaluation in plan] == [85, 90, 95, 100]


@pytest.mark.parametrize("count", range(1, 21))
def test_log_snr_steps_take_the_first_evaluations_in_proportion(count: int) -> None:
    everything = plan_trajectory(SCHEDULE, spacing="log-snr", evaluations=count)
    lengths = []
    for steps in range(81, 101):
        plan = plan_trajectory(SCHEDULE, steps=steps, spacing="log-snr", evaluations=count)
        assert plan == everything[: len(plan)]
        lengths.append(len(plan))
    assert lengths[0] == 1
    assert lengths[-1] == len(everything) == count
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("late_start", [0, 50, 80, 95, 97, 98, 99])
@pytest.mark.parametrize("evaluations", [1, 5, 100, 1000])
def test_every_log_snr_plan_falls_in_time_and_rises_in_position_to_the_end(late_start: int, evaluations: int) -> None:
    plan = plan_trajectory(SCHEDULE, late_start=late_start, spacing="log-snr", evaluations=evaluations)
    times, positions = zip(*((evaluation.timestep, evaluation.position) for evaluation in plan), strict=True)
    assert list(times) == sorted(set(times), reverse=True)
    assert list(positions) == sorted(set(positions))
    assert times[0] == 10 * (99 - late_start)
    assert positions[-1] == 100


def test_the_last_position_alone_is_one_evaluation() -> None:
    assert timesteps(late_start=99) == timesteps(late_start=99, spacing="log-snr") == [0]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_trajectory_begins_and_ends_at_the_same_noise_on_any_schedule(name: str) -> None:
    schedule = build_schedule(SCHEDULES[name])
    plan = plan_trajectory(schedule, spacing="log-snr", evaluations=4)
    noise = schedule.noise_to_signal.log()[[evaluation.timestep for evaluation in plan]]
    reference = SCHEDULE.noise_to_signal.log()[timesteps(spacing="log-snr", evaluations=4)]
    # A position is ten timesteps, a timestep of the early decay up to half an octave at its beginning.
    assert (noise - reference).abs().max() < 0.35
    paper = plan_trajectory(schedule)
    assert paper[0].timestep == plan[0].timestep
    assert paper[-1].timestep == 0


def test_positions_scale_with_the_schedule_s_length() -> None:
    plan = plan_trajectory(linear_schedule(200), late_start=97)
    assert [evaluation.timestep for evaluation in plan] == [4, 2, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps 0 given; expected a whole number from 1 to 100"),
        ({"steps": 101}, "steps 101"),
        ({"late_start": -1}, "late start -1 given; expected a whole number from 0 to 99"),
        ({"late_start": 100}, "late start 100"),
        ({"spacing": "log-snr", "evaluations": 0}, "0 evaluations given; expected at least 1"),
        ({"spacing": "cosine"}, "spacing 'cosine' given; expected 'paper' or 'log-snr'"),
        ({"evaluations": 4}, "use --spacing log-snr"),
        ({"spacing": "log-snr", "end_timestep": -1}, "end timestep -1 given; expected a whole number from 0 to 999"),
        ({"spacing": "log-snr", "end_timestep": 1000}, "end timestep 1000 given"),
        ({"end_timestep": 10}, "end timestep 10 given, but the paper's spacing ends at 0; use --spacing log-snr"),
    ],
)
def test_settings_out_of_range_are_refused_with_what_was_expected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SamplingError, match=re.escape(message)):
        plan_trajectory(SCHEDULE, **settings)


def test_a_schedule_that_cannot_be_cut_into_a_hundred_is_refused() -> None:
    with pytest.raises(SamplingError, match="multiple of 100"):
        plan_trajectory(linear_schedule(150))
