"""The ways of enhancing a base reconstruction that `restoration.py` compares."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import mean
from typing import TYPE_CHECKING, Any

from dirac_enhance.metrics import round_to_8_bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from dirac_enhance import BaseReconstruction, Enhancer
    from dirac_enhance.diffusion.trajectory import Spacing

METHODS = ("base", "steps1", "trajectory", "samples", "blind", "seeds")

BLIND_STEPS = (1, 100)
"""Positions measured without the rate factor."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How to go from late start to position 100; None stands for the default of the weights."""

    spacing: Spacing | None = None
    evaluations: int | None = None
    late_start: int | None = None

    @property
    def keywords(self) -> dict[str, Any]:
        """As `Enhancer.enhance`, `.trajectory` and `.evaluations` take them."""
        return {"spacing": self.spacing, "evaluations": self.evaluations, "late_start": self.late_start}

    @property
    def label(self) -> str:
        """What is not the default, to tell trajectories apart."""
        late = None if self.late_start is None else f"from {self.late_start}"
        return " ".join(str(part) for part in (self.spacing, self.evaluations, late) if part is not None)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which of `METHODS` to apply, along which trajectories; all but the seeds' difference use the first seed."""

    which: frozenset[str]
    walks: tuple[Walk, ...]
    samples: int
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A picture, what made it, and the seconds that took."""

    method: str
    trajectory: str
    evaluations: int
    pixels: Tensor
    seconds: float


def restore(enhancer: Enhancer, base: BaseReconstruction, plan: Plan) -> Iterator[Restored]:
    """Yield the enhanced pictures of one base reconstruction, method after method."""
    seed = plan.seeds[0]
    if "steps1" in plan.which:
        start = time.perf_counter()
        pixels = enhancer.enhance(base, steps=1, seed=seed)
        yield Restored("steps 1", "", 1, pixels, time.perf_counter() - start)
    for walk in plan.walks:
        if "trajectory" in plan.which:
            yield from _each_position(enhancer, base, walk, seed=seed)
        if "samples" in plan.which:
            start = time.perf_counter()
            pixels = enhancer.enhance(base, steps=100, seed=seed, samples=plan.samples, **walk.keywords)
            seconds = time.perf_counter() - start
            evaluations = plan.samples * enhancer.evaluations(steps=100, **walk.keywords)
            yield Restored(f"mean of {plan.samples}", walk.label, evaluations, pixels, seconds)
    if "blind" in plan.which:
        yield from _blind(enhancer, base, plan)


def _blind(enhancer: Enhancer, base: BaseReconstruction, plan: Plan) -> Iterator[Restored]:
    """Enhance without telling the network the rate factor: pixels of unknown history, as `--enhancer` takes them."""
    unknown = replace(base, rate_factor=None)
    for steps in BLIND_STEPS:
        # Up to late start, trajectories do not differ.
        for walk in plan.walks if steps > 1 else (Walk(),):
            start = time.perf_counter()
            pixels = enhancer.enhance(unknown, steps=steps, seed=plan.seeds[0], **walk.keywords)
            seconds = time.perf_counter() - start
            evaluations = enhancer.evaluations(steps=steps, **walk.keywords)
            yield Restored(f"steps {steps} blind", walk.label, evaluations, pixels, seconds)


def _each_position(enhancer: Enhancer, base: BaseReconstruction, walk: Walk, *, seed: int) -> Iterator[Restored]:
    points = enhancer.trajectory(base, steps=100, seed=seed, **walk.keywords)
    seconds = 0.0
    for evaluations in range(1, enhancer.evaluations(steps=100, **walk.keywords) + 1):
        start = time.perf_counter()
        point = next(points)
        seconds += time.perf_counter() - start  # the caller's measuring in between is not counted
        yield Restored(f"steps {point.position}", walk.label, evaluations, point.pixels, seconds)


def seed_differences(enhancer: Enhancer, base: BaseReconstruction, plan: Plan) -> dict[str, float]:
    """Mean absolute difference between two seeds' pictures, in 8-bit levels, over all pairs of seeds.

    Returns:
        One value for each number of steps, 1 and 100, the latter along the first trajectory.
    """
    differences = {}
    for steps in (1, 100):
        keywords = plan.walks[0].keywords
        pictures = [round_to_8_bits(enhancer.enhance(base, steps=steps, seed=seed, **keywords)) for seed in plan.seeds]
        pairs = combinations(pictures, 2)
        differences[f"steps {steps}"] = mean(255 * (one - other).abs().mean().item() for one, other in pairs)
    return differences
