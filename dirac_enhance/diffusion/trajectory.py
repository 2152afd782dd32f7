"""Which timesteps a sampling run evaluates the network at, and what part of the trajectory each of them stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from dirac_enhance.diffusion.schedule import NUM_POSITIONS, NoiseSchedule, usual_late_start
from dirac_enhance.errors import SamplingError

Spacing = Literal["paper", "log-snr"]
"""How the evaluations lie: at every position of the paper's trajectory, or few of them, evenly in log-SNR."""

END_NOISE = 0.02645
"""Where log-SNR spacing ends if nothing is said, as σ_t, t = 4 of the linear schedule: below it the noise is far
smaller than any residual worth restoring."""

LOG_SNR_EVALUATIONS = 4
"""Evaluations of log-SNR spacing where no number is given."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of the network.

    Args:
        position: how far along the trajectory it brings the picture, 1 … 100.
        timestep: t at which the network is evaluated, 0 … T − 1.
    """

    position: int
    timestep: int


def plan_trajectory(
    schedule: NoiseSchedule,
    *,
    steps: int = NUM_POSITIONS,
    late_start: int | None = None,
    spacing: Spacing = "paper",
    evaluations: int | None = None,
    end_timestep: int | None = None,
) -> tuple[Evaluation, ...]:
    """List the evaluations of a sampling run, in their order (DIRAC sections 3.2 and 3.3).

    Position k of 100 lies at t = 10·(100 − k). Sampling starts late, at position `late_start` + 1, and stops early,
    at position `steps`; where that leaves nothing, it is the single evaluation at position 1 from pure noise
    (DIRAC-1).

    Args:
        schedule: of T timesteps, T a multiple of 100.
        steps: last position, 1 … 100.
        late_start: positions skipped at the beginning, 0 … 99; None for `usual_late_start`.
        spacing: "paper" evaluates every position; "log-snr" has `evaluations` timesteps evenly spaced in log σ_t,
            from that of the first position down to that of `end_timestep`, and evaluates the first of them, at least
            one, in proportion to the positions that `steps` leaves.
        evaluations: how many "log-snr" has at `steps` 100; None for the default. There are never more than
            positions, and timesteps that coincide after rounding are evaluated once.
        end_timestep: t at which "log-snr" ends, 0 … T − 1, where that is less than t of the first position; None for
            `END_NOISE`.

    Returns:
        At least one evaluation, timesteps falling, positions rising.

    Raises:
        SamplingError: if a setting is out of its range, or one of log-SNR spacing is given for the paper's.
    """
    late_start = usual_late_start(schedule) if late_start is None else late_start
    _check_positions(schedule, steps=steps, late_start=late_start)
    _check_spacing(schedule, spacing, evaluations=evaluations, end_timestep=end_timestep)
    if steps <= late_start:
        return (Evaluation(1, _timestep(schedule, 1)),)
    if spacing == "paper":
        return tuple(Evaluation(k, _timestep(schedule, k)) for k in range(late_start + 1, steps + 1))
    left = NUM_POSITIONS - late_start
    count = min(left, LOG_SNR_EVALUATIONS if evaluations is None else evaluations)
    start = _timestep(schedule, late_start + 1)
    timesteps = log_snr_timesteps(schedule, start=start, end=end_timestep, count=count)
    count = len(timesteps)
    all_of_them = [
        Evaluation(late_start + _ceil_div((j + 1) * left, count), timestep) for j, timestep in enumerate(timesteps)
    ]
    return tuple(all_of_them[: max(1, _ceil_div((steps - late_start) * count, left))])


def log_snr_timesteps(schedule: NoiseSchedule, *, start: int, end: int | None = None, count: int) -> tuple[int, ...]:
    """List timesteps from `start` down to `end`, as even in log σ_t as rounding lets.

    Args:
        schedule: of T timesteps.
        start: the first, 0 … T − 1.
        end: the last, 0 … T − 1, where it is earlier than `start` and `count` is at least 2; None for `END_NOISE`.
        count: how many, at least 1; those that coincide after rounding are listed once.
    """
    log_sigma = schedule.noise_to_signal.log()
    end = schedule.timestep_at(END_NOISE) if end is None else end
    wanted = torch.linspace(float(log_sigma[start]), float(log_sigma[min(start, end)]), count).double()
    nearest = (log_sigma[None, :] - wanted[:, None]).abs().argmin(dim=1)
    return tuple(dict.fromkeys([start, *nearest.tolist()[1:]]))


def _check_positions(schedule: NoiseSchedule, *, steps: int, late_start: int) -> None:
    if schedule.num_timesteps % NUM_POSITIONS:
        raise SamplingError(f"a schedule of {schedule.num_timesteps} timesteps; expected a multiple of {NUM_POSITIONS}")
    if not 1 <= steps <= NUM_POSITIONS:
        raise SamplingError(f"steps {steps} given; expected a whole number from 1 to {NUM_POSITIONS}")
    if not 0 <= late_start < NUM_POSITIONS:
        raise SamplingError(f"late start {late_start} given; expected a whole number from 0 to {NUM_POSITIONS - 1}")


def _check_spacing(
    schedule: NoiseSchedule, spacing: Spacing, *, evaluations: int | None, end_timestep: int | None
) -> None:
    if spacing not in ("paper", "log-snr"):
        raise SamplingError(f"spacing '{spacing}' given; expected 'paper' or 'log-snr'")
    if evaluations is not None and evaluations < 1:
        raise SamplingError(f"{evaluations} evaluations given; expected at least 1")
    if evaluations is not None and spacing == "paper":
        raise SamplingError(
            f"{evaluations} evaluations given, but the paper's spacing evaluates every position; "
            "use --spacing log-snr, or leave --evaluations out"
        )
    last = schedule.num_timesteps - 1
    if end_timestep is not None and not 0 <= end_timestep <= last:
        raise SamplingError(f"end timestep {end_timestep} given; expected a whole number from 0 to {last}")
    if end_timestep is not None and spacing == "paper":
        raise SamplingError(
            f"end timestep {end_timestep} given, but the paper's spacing ends at 0; use --spacing log-snr, or leave "
            "--end-timestep out"
        )


def _timestep(schedule: NoiseSchedule, position: int) -> int:
    return schedule.num_timesteps // NUM_POSITIONS * (NUM_POSITIONS - position)


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
