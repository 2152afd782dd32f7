"""Runs of the benchmark into one folder, with what tests put in the place of the enhancer, of peers and of networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirac_enhance.bench.cells import Cell, CellKey
from dirac_enhance.bench.harness import BenchPlan, Harness, State
from dirac_enhance.bench.measures import find_measures
from dirac_enhance.bench.meter import Meter, load_meter
from dirac_enhance.bench.originals import OriginalSet
from dirac_enhance.bench.protocols import SIMULATED_JPEG
from dirac_enhance.bench.results import LeftOut, Results, ResultsFolder, read_results
from dirac_enhance_jpeg import JpegCodec


class Bench:
    """One results folder, run again and again."""

    def __init__(self, originals: OriginalSet, results: Path) -> None:
        self.originals = originals
        self.results = results
        self.states: list[State] = []
        self.told: list[LeftOut] = []

    def run(self, *, metrics: str = "psnr", meter: Meter | None = None, **settings: Any) -> int:
        """Run with a plan's settings; with a meter of one's own, or one of these metrics."""
        given: dict[str, Any] = {"codec": JpegCodec(), "rates": (20.0,), **settings}
        if meter is None:
            meter, unmeasured = load_meter(find_measures(metrics.split(",")), sides=self.originals.sides)
            assert not unmeasured
        harness = Harness(
            BenchPlan(**given),
            self.originals,
            meter,
            ResultsFolder(self.results, self.empty()),
            progress=self.states.append,
            tell=self.told.append,
        )
        return harness.run()

    def empty(self) -> Results:
        """Results of a run that has not begun."""
        names = tuple(original.name for original in self.originals.originals)
        return Results(self.originals.name, names, self.originals.pixel_hash)

    @property
    def cells(self) -> dict[str, Cell]:
        return {f"{name_of_key(cell.key)} at {cell.key.rate:g}": cell for cell in self.read().cells}

    def read(self) -> Results:
        return read_results(self.results / "results.json")


def name_of_key(key: CellKey) -> str:
    """What tests call a cell, but for its rate."""
    if key.method != "steps":
        return key.peer or key.codec
    simulated = "simulated " if key.codec == SIMULATED_JPEG else ""
    return f"{simulated}steps {key.steps}" + (f", mean of {key.samples}" if key.samples > 1 else "")
