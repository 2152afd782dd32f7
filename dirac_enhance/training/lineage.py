"""Lineage: the runs that made a network, one after the other, each from the weights that the one before exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PastRun:
    """One training, its resumptions included.

    Args:
        started_from: sha256 of the weights it began with; None for random ones, "" where that was not recorded.
        iterations: of the optimisation.
        pairs: drawn, by all processes.
        minutes: on the clock.
    """

    started_from: str | None
    iterations: int
    pairs: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a training started.

    Args:
        started_from: sha256 of the weights, or None for random ones.
        earlier: the runs behind those weights, the first one first.
    """

    started_from: str | None = None
    earlier: tuple[PastRun, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a checkpoint's recipe keeps them."""
        return {"started_from": self.started_from, "earlier_runs": [asdict(run) for run in self.earlier]}

    @classmethod
    def from_dict(cls, recipe: Mapping[str, Any]) -> Lineage:
        """Rebuild it from a recipe; one of an earlier version did not record it."""
        return cls(recipe.get("started_from", ""), _read_runs(recipe.get("earlier_runs", ())))


UNRECORDED = "earlier runs are not recorded"


def describe_iterations(runs: Sequence[PastRun]) -> str:
    """Say how many iterations some runs took together, and in how many runs; at least so many if earlier ones lack."""
    number = f"{sum(run.iterations for run in runs):,} iterations"
    number = number if len(runs) == 1 else f"{number} in {len(runs)} runs"
    return number if begin_at_random(runs) else f"at least {number}"


def begin_at_random(runs: Sequence[PastRun]) -> bool:
    """Whether nothing was trained before the first of these runs."""
    return runs[0].started_from is None


def summary_of_weights(training: Mapping[str, Any] | None) -> str:
    """Return the summary that weights hold, with what those of earlier versions leave out: that runs are missing."""
    summary = str((training or {}).get("summary", "no summary"))
    runs = runs_of_weights(training)
    whole = not runs or begin_at_random(runs) or UNRECORDED in summary
    return summary if whole else f"{summary} ({UNRECORDED})"


RANDOM = Lineage()
"""Of a network whose weights nothing trained."""


def runs_of_recipe(recipe: Mapping[str, Any], *, iterations: int, seconds: float) -> tuple[PastRun, ...]:
    """Return all runs behind a checkpoint, its own last."""
    lineage = Lineage.from_dict(recipe)
    pairs = iterations * recipe["settings"]["batch_size"] * recipe["processes"]
    return (*lineage.earlier, PastRun(lineage.started_from, iterations, pairs, round(seconds / 60, 1)))


def runs_of_weights(training: Mapping[str, Any] | None) -> tuple[PastRun, ...]:
    """Return the runs that weights record in their metadata; those of an earlier version record their last one only."""
    if training is None:
        return ()
    if "runs" in training:
        return _read_runs(training["runs"])
    try:
        return runs_of_recipe(training, iterations=training["iterations"], seconds=training["seconds"])
    except (KeyError, TypeError):  # made by something else
        return ()


def _read_runs(rows: Sequence[Mapping[str, Any]]) -> tuple[PastRun, ...]:
    return tuple(PastRun(row["started_from"], row["iterations"], row["pairs"], row["minutes"]) for row in rows)
