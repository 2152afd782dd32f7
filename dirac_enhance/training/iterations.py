"""Iterations: the loop that every training runs, its limits and its clock; what is trained comes as hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import torch
from torch import Tensor

from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance.training.processes import ProcessGroup
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.state import TrainingState

Batch = TypeVar("Batch")

REPORT_SECONDS = 20.0
"""Between two lines of progress."""
MEMORY = 0.98
"""Share of the past in the figures that are reported."""


class Iterations:
    """The iterations of one run in one process; its clock starts when it is made.

    Args:
        state: of the training, after `state.iteration` iterations of earlier runs.
        settings: its limits and intervals.
        group: the processes that train together. All of them step; the leading one does the rest.
        report: called with a line of progress now and then.
    """

    def __init__(
        self,
        state: TrainingState[Any],
        settings: TrainingSettings,
        group: ProcessGroup,
        *,
        report: Callable[[str], None],
    ) -> None:
        self._state, self._settings, self._group, self._report = state, settings, group, report
        self._started, self._start_iteration = time.monotonic(), state.iteration

    def run(
        self,
        batches: Iterator[Batch],
        *,
        step: Callable[[Batch], Tensor],
        describe: Callable[[Tensor], str],
        validate: Callable[[], None],
        save: Callable[[], None],
    ) -> None:
        """Iterate until a limit is reached.

        Args:
            batches: one for each iteration.
            step: moves the weights once; returns figures of the batch, (F,) on the CPU.
            describe: puts figures, averaged over the last iterations, into words for a line of progress.
            validate: called every `settings.validation_interval` iterations, and at the end.
            save: called every `settings.interval` iterations, and last.
        """
        state, settings, leads = self._state, self._settings, self._group.leads
        reported, figures = time.monotonic(), torch.zeros(())
        while not self._group.agree(self.progress() >= 1):
            figures = MEMORY * figures + (1 - MEMORY) * step(next(batches))
            state.iteration += 1
            if not leads:
                continue
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                self._report_progress(describe(figures / (1 - MEMORY ** (state.iteration - self._start_iteration))))
            if state.iteration % settings.validation_interval == 0:
                validate()
            if state.iteration % settings.interval == 0:
                save()
        if leads:
            if state.iteration % settings.validation_interval:
                validate()
            save()

    def progress(self) -> float:
        """How much of this run is over, 0 … 1, by whichever limit is nearer."""
        settings = self._settings
        by_time = self._elapsed() / (60 * settings.minutes) if settings.minutes else 0.0
        by_count = self._state.iteration / settings.iterations if settings.iterations else 0.0
        return max(by_time, by_count)

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._settings.learning_rate_at(self._state.iteration, progress=self.progress())

    def checkpoint(
        self,
        *,
        codec_id: str,
        network: dict[str, Any],
        recipe: Mapping[str, Any],
        residual_counts: dict[float, tuple[int, ...]] | None = None,
    ) -> Checkpoint:
        """Return all that the training needs to go on; `recipe` says what the settings and the processes do not."""
        state = self._state
        return Checkpoint(
            codec_id=codec_id,
            network=network,
            weights=state.network.state_dict(),
            averaged=state.averaged.state_dict(),
            optimizer=state.optimizer.state_dict(),
            iteration=state.iteration,
            seconds=state.seconds + self._elapsed(),
            recipe={
                "settings": {**asdict(self._settings), "iterations": state.iteration},
                "processes": self._group.size,
                **recipe,
            },
            history=state.history,
            residual_counts=residual_counts,
        )

    def _elapsed(self) -> float:
        """Seconds of this run."""
        return time.monotonic() - self._started

    def _report_progress(self, figures: str) -> None:
        elapsed = self._elapsed()
        speed = (self._state.iteration - self._start_iteration) / elapsed
        left = max(elapsed * (1 / max(self.progress(), 1e-9) - 1), 0.0)
        self._report(f"iteration {self._state.iteration} | {speed:.2f} it/s | {figures} | {_clock(left)} left")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
