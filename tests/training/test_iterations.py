"""Iterations: when a training steps, reports, validates, saves and ends, whatever it trains."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dirac_enhance.training import iterations
from dirac_enhance.training.iterations import Iterations
from dirac_enhance.training.optimizer import OptimizerPair
from dirac_enhance.training.processes import ProcessGroup
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.state import TrainingState

SETTINGS = TrainingSettings(iterations=5, interval=2, validation_interval=3)
Run = Callable[..., "Recorder"]
LEADING, FOLLOWING = (ProcessGroup(rank, 1, torch.device("cpu")) for rank in (0, 1))


class Clock:
    """A clock that goes on when it is told to."""

    seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


class Recorder:
    """Hooks that write down when they were called; a step takes 20 seconds of a clock."""

    def __init__(self, state: TrainingState[nn.Linear], clock: Clock) -> None:
        self.state, self.clock = state, clock
        self.steps: list[int] = []
        self.calls: list[tuple[str, int]] = []
        self.lines: list[str] = []

    def step(self, batch: int) -> Tensor:
        self.steps.append(batch)
        self.clock.seconds += 20
        return torch.tensor([3.0, batch])

    def describe(self, figures: Tensor) -> str:
        return f"figures {figures[0]:.3f} {figures[1]:.3f}"

    def validate(self) -> None:
        self.calls.append(("validate", self.state.iteration))

    def save(self) -> None:
        self.calls.append(("save", self.state.iteration))


@pytest.fixture
def state() -> TrainingState[nn.Linear]:
    network = nn.Linear(1, 1)
    return TrainingState.begin(network, OptimizerPair(torch.optim.SGD(network.parameters(), lr=1.0)))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the iterations take for the time."""
    clock = Clock()
    monkeypatch.setattr(iterations, "time", clock)
    return clock


@pytest.fixture
def run(clock: Clock) -> Run:
    """Iterate with hooks that take notes."""

    def iterate(state: TrainingState[nn.Linear], settings: TrainingSettings, group: ProcessGroup = LEADING) -> Recorder:
        hooks = Recorder(state, clock)
        Iterations(state, settings, group, report=hooks.lines.append).run(
            itertools.count(), step=hooks.step, describe=hooks.describe, validate=hooks.validate, save=hooks.save
        )
        return hooks

    return iterate


def test_it_validates_and_saves_at_intervals_and_at_the_end(run: Run, state: TrainingState[nn.Linear]) -> None:
    hooks = run(state, SETTINGS)

    assert hooks.steps == [0, 1, 2, 3, 4]
    assert hooks.calls == [("save", 2), ("validate", 3), ("save", 4), ("validate", 5), ("save", 5)]


def test_an_end_at_an_interval_validates_once(run: Run, state: TrainingState[nn.Linear]) -> None:
    hooks = run(state, replace(SETTINGS, iterations=3))

    assert hooks.calls == [("save", 2), ("validate", 3), ("save", 3)]


def test_a_run_that_is_over_only_leaves_its_checkpoint(run: Run, state: TrainingState[nn.Linear]) -> None:
    state.iteration = 6

    assert run(state, SETTINGS).calls == [("save", 6)]


def test_minutes_end_it_before_the_iterations_do(run: Run, state: TrainingState[nn.Linear]) -> None:
    hooks = run(state, replace(SETTINGS, iterations=100, minutes=1.1))

    assert hooks.steps == [0, 1, 2, 3]  # of 20 s
    assert hooks.lines[-1].endswith("| 0:00:00 left")  # and not less, though it took 14 s more


def test_a_process_that_does_not_lead_only_steps(run: Run, state: TrainingState[nn.Linear]) -> None:
    hooks = run(state, SETTINGS, FOLLOWING)

    assert (len(hooks.steps), hooks.calls, hooks.lines) == (5, [], [])


def test_a_line_of_progress_every_while_has_the_mean_of_the_last_figures(
    run: Run, state: TrainingState[nn.Linear]
) -> None:
    state.iteration = 1
    hooks = run(state, SETTINGS)

    assert hooks.lines == [
        "iteration 3 | 0.05 it/s | figures 3.000 0.505 | 0:00:26 left",
        "iteration 5 | 0.05 it/s | figures 3.000 1.525 | 0:00:00 left",
    ]


def test_progress_is_that_towards_the_nearer_limit(state: TrainingState[nn.Linear], clock: Clock) -> None:
    both = Iterations(state, replace(SETTINGS, iterations=10, minutes=1), LEADING, report=print)
    state.iteration = 4
    clock.seconds += 12

    assert both.progress() == 0.4
    assert both.learning_rate() == SETTINGS.learning_rate_at(4, progress=0.4)
    clock.seconds += 18
    assert both.progress() == 0.5


def test_a_checkpoint_counts_the_seconds_of_all_runs(state: TrainingState[nn.Linear], clock: Clock) -> None:
    state.iteration, state.seconds = 4, 50.0
    resumed = Iterations(state, SETTINGS, LEADING, report=print)
    clock.seconds += 7
    checkpoint = resumed.checkpoint(codec_id="plain", network={"width": 1}, recipe={"data": {"a": 1}})

    assert (checkpoint.iteration, checkpoint.seconds, checkpoint.codec_id) == (4, 57.0, "plain")
    assert checkpoint.recipe["settings"]["iterations"] == 4
    assert (checkpoint.recipe["processes"], checkpoint.recipe["data"]) == (1, {"a": 1})
    assert torch.equal(checkpoint.weights["weight"], state.network.weight)
