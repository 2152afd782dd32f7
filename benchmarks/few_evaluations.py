"""How few evaluations of the network do, where they begin and end, and which solver goes between them.

base ─► the paper's twenty, and one walk for each start × end × number × solver ─► PSNR, LPIPS, seconds
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import torch

from analysis_setup import analysis_options, load_setup, measure_all, numbers
from dirac_enhance import BenchmarkError, DiracError
from dirac_enhance.diffusion.solver import Solver
from dirac_enhance.diffusion.trajectory import Evaluation, log_snr_timesteps, plan_trajectory
from few_evaluations_pages import best_text
from record import RESULTS, publish_record
from walks import Memory, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis_setup import Decoded, Row, Setup
    from dirac_enhance.diffusion.schedule import NoiseSchedule
    from meter import Values

_SOLVERS: tuple[Solver, ...] = get_args(Solver)


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to sample: `kind` is what the record calls it, timesteps fall."""

    kind: str
    solver: Solver
    timesteps: tuple[int, ...]

    @property
    def columns(self) -> tuple[tuple[str, Any], ...]:
        """What tells its rows from others."""
        ends = (("start", self.timesteps[0]), ("end", self.timesteps[-1]))
        return (("solver", self.solver), *ends, ("evaluations", len(self.timesteps)))

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """As the sampler takes them."""
        return tuple(Evaluation(number, timestep) for number, timestep in enumerate(self.timesteps, start=1))


@dataclass(frozen=True, slots=True)
class Grid:
    """What is tried: every start with every end, number of evaluations and solver."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    evaluations: tuple[int, ...]
    solvers: tuple[Solver, ...]

    def variants(self, schedule: NoiseSchedule) -> tuple[Variant, ...]:
        """List what differs: a single evaluation has no end, and fewer than three have no order.

        Raises:
            BenchmarkError: if a timestep is out of the schedule.
        """
        last = schedule.num_timesteps - 1
        if outside := [t for t in (*self.starts, *self.ends) if not 0 <= t <= last]:
            raise BenchmarkError(f"timestep {outside[0]} given; expected 0 to {last}")
        found: dict[Variant, None] = {}
        for start, end, count, solver in product(self.starts, self.ends, self.evaluations, self.solvers):
            timesteps = log_snr_timesteps(schedule, start=start, end=end, count=count)
            if end < start and len(timesteps) == count:  # else they coincide, and another number stands for them
                found[Variant("log-snr", solver if count > 2 else "ddim", timesteps)] = None
        return tuple(found)


def standard_variants(setup: Setup) -> tuple[Variant, ...]:
    """Return DIRAC-1, the paper's twenty evaluations, and the default of the weights."""
    metadata, schedule = setup.enhancer.metadata, setup.enhancer.schedule
    plans = {
        "steps 1": plan_trajectory(schedule, steps=1),
        "paper": plan_trajectory(schedule),
        "default": plan_trajectory(
            schedule,
            late_start=metadata.late_start,
            spacing=metadata.spacing,
            evaluations=metadata.evaluations,
            end_timestep=metadata.end_timestep,
        ),
    }
    return tuple(
        Variant(kind, "ddim", tuple(evaluation.timestep for evaluation in plan)) for kind, plan in plans.items()
    )


def measure(decoded: Decoded, setup: Setup, variants: Sequence[Variant]) -> Iterator[Row]:
    """Yield a row for the plain codec and for each variant."""
    yield (decoded.quality, "base", ()), decoded.picture, decoded.meter(decoded.base.pixels)
    memory = Memory(setup.enhancer.predictor, setup.enhancer.device)
    for variant in variants:
        memory.seconds = 0.0
        walked = walk(
            setup.enhancer,
            decoded.base,
            variant.evaluations,
            seed=setup.seed,
            solver=variant.solver,
            predictor=memory,
        )
        *_, (_, _, pixels) = walked
        seconds: Values = {"network_seconds_per_megapixel": memory.seconds / decoded.megapixels}
        yield (decoded.quality, variant.kind, variant.columns), decoded.picture, decoded.meter(pixels) | seconds


@torch.inference_mode()
def warm_up(setup: Setup, variant: Variant) -> None:
    """Have libraries load, memory taken and kernels chosen before anything is timed."""
    decoded = next(setup.decoded())
    next(walk(setup.enhancer, decoded.base, variant.evaluations, seed=setup.seed))


@click.command(context_settings={"show_default": True})
@analysis_options
@click.option("--starts", default="190,100,60,30", callback=numbers, help="Timesteps of the first evaluation.")
@click.option("--ends", default="10,4,1", callback=numbers, help="Timesteps of the last.")
@click.option("--evaluations", default="1,2,3,4,6,8", callback=numbers, help="How many.")
@click.option("--solver", "solvers", multiple=True, type=click.Choice(_SOLVERS), default=_SOLVERS, help="Repeatable.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "few-evaluations.json")
def main(
    folder: Path,
    starts: tuple[int, ...],
    ends: tuple[int, ...],
    evaluations: tuple[int, ...],
    solvers: tuple[Solver, ...],
    json_file: Path,
    **options: Any,
) -> None:
    """Sample pictures in FOLDER with few evaluations; print the best ways beside the paper's twenty."""
    try:
        setup = load_setup(folder, options)
        grid = Grid(starts, ends, evaluations, solvers).variants(setup.enhancer.schedule)
        variants = (*standard_variants(setup), *grid)
        warm_up(setup, variants[0])
        rows = measure_all(setup, lambda decoded: measure(decoded, setup, variants))
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents = setup.header() | {"rows": rows}
    publish_record(json_file, benchmark="few_evaluations", contents=contents, text=best_text)


if __name__ == "__main__":
    main()
