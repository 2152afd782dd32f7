"""Cells: what a benchmark measures of one method at one rate, as a results file has it; see benchmarks/README.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.protocols import find_protocol

Method = Literal["base", "steps", "peer", "published"]
"""The plain codec; our enhancer; another restorer, run here; a figure that another paper printed."""


@dataclass(frozen=True, slots=True)
class CellKey:
    """What was measured; two cells of equal keys are one measurement, whatever their metrics.

    Args:
        codec: id of what coded the pictures; "simulated-jpeg" for DDRM's imitation.
        rate: its rate factor; None for a published figure given by bits per pixel.
        method: how the picture came about.
        protocol: id of how it was measured.
        codec_options: name → text of those set, sorted.
        streams_sha256: of streams made beforehand, at this rate; None where they were coded on the spot.
        peer: id of the restorer, or name of the published method.
        weights_sha256: of our enhancer, or of a peer that is a file of weights.
        steps: where on its trajectory it stopped.
        samples: how many were averaged.
        seed: of the noise.
        evaluations: of the network for one picture, those of all samples together.
        spacing: of the evaluations.
        trajectory_evaluations: that a sample takes to steps 100, on the way of which the others lie.
        late_start: positions skipped.
        eta: of the noise added on the way.
        precision: of the network's arithmetic.
    """

    codec: str
    rate: float | None
    method: Method
    protocol: str
    codec_options: tuple[tuple[str, str], ...] = ()
    streams_sha256: str | None = None
    peer: str | None = None
    weights_sha256: str | None = None
    steps: int | None = None
    samples: int = 1
    seed: int = 0
    evaluations: int | None = None
    spacing: str | None = None
    trajectory_evaluations: int | None = None
    late_start: int | None = None
    eta: float = 0.0
    precision: str | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """A mean over pictures, each counting once, and what it is the mean of.

    Args:
        mean: None if any value is infinite, as the PSNR of equal pictures is, or missing.
        values: in the order of the set's pictures; empty for a distance between sets and for a published figure.
    """

    mean: float | None
    values: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Values:
        """Average; values that are not finite count as missing."""
        kept = tuple(value if value is not None and math.isfinite(value) else None for value in values)
        known = [value for value in kept if value is not None]
        return cls(sum(known) / len(known) if known and len(known) == len(kept) else None, kept)


@dataclass(frozen=True, slots=True)
class Printed:
    """Where a published cell comes from.

    Args:
        source: repository, path and commit, or paper.
        verified: whether every figure was read in its source or measured.
        figures: measure's id → the digits that were printed.
        marks: measure's id → what follows an unverified figure: "†" remembered, "≈" read off a plot.
    """

    source: str
    verified: bool
    figures: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one key.

    Args:
        key: what it stands for.
        bpp: bits per pixel of the coded files.
        metrics: measure's id → values.
        seconds_per_megapixel: of decoding, restoring, or sampling up to there; None where it was not timed.
        peak_memory_mib: of this process, of the GPU, or of a peer's program while it was made; None where unknown.
        published: of published cells only.
        run: which of its results file's runs measured it; None for a published cell, and until it is in a file.
        metric_runs: measure's id → run, of those metrics that are left from another one.
    """

    key: CellKey
    bpp: Values
    metrics: Mapping[str, Values]
    seconds_per_megapixel: float | None = None
    peak_memory_mib: float | None = None
    published: Printed | None = None
    run: int | None = None
    metric_runs: Mapping[str, int] = field(default_factory=dict)

    def run_of(self, measure_id: str) -> int | None:
        """Return which run measured a metric; None as for `run`."""
        return self.metric_runs.get(measure_id, self.run)

    def mean(self, measure_id: str) -> float | None:
        """Return a metric's mean; None where it was not measured, or is infinite."""
        return self.metrics[measure_id].mean if measure_id in self.metrics else None

    def to_json(self) -> dict[str, Any]:
        """As an object of a results file."""
        cell = asdict(self)
        key: dict[str, Any] = cell.pop("key")
        if cell["published"] is None:
            del cell["published"]
        if not cell["metric_runs"]:
            del cell["metric_runs"]
        return key | {"codec_options": dict(self.key.codec_options)} | cell


def updated(old: Cell, new: Cell) -> Cell:
    """Return the new measurement with what only the old one has."""
    left = {name: old.run_of(name) for name in old.metrics if name not in new.metrics}
    elsewhere = {name: run for name, run in left.items() if run is not None and run != new.run}
    return replace(new, metrics={**old.metrics, **new.metrics}, metric_runs={**elsewhere, **new.metric_runs})


def parse_cell(contents: Mapping[str, Any], *, images: int) -> Cell:
    """Read a cell from an object of a results file; one of version 1 names no run and is of the first.

    Raises:
        BenchmarkError: if it is none, or has not one value for each image.
    """
    try:
        known = {each.name: contents[each.name] for each in fields(CellKey) if each.name in contents}
        known["codec_options"] = tuple(sorted(known.get("codec_options", {}).items()))
        key = CellKey(**known)
        _check_key(key)
        printed = contents.get("published")
        cell = Cell(
            key,
            _parse_values(contents["bpp"]),
            {name: _parse_values(values) for name, values in contents["metrics"].items()},
            contents["seconds_per_megapixel"],
            contents["peak_memory_mib"],
            None if printed is None else Printed(**printed),
            run=contents.get("run", None if key.method == "published" else 0),
            metric_runs=dict(contents.get("metric_runs", {}).items()),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as cause:
        raise BenchmarkError(f"a cell is damaged ({type(cause).__name__}: {cause})") from cause
    for name, each in {"bpp": cell.bpp, **cell.metrics}.items():
        if len(each.values) not in (0, images):
            raise BenchmarkError(f"{name} of '{key.method}' has {len(each.values)} values for {images} images")
    return cell


def _check_key(key: CellKey) -> None:
    find_protocol(key.protocol)
    if key.method not in get_args(Method):
        raise ValueError(f"method {key.method!r:.40}")
    whole: tuple[object, ...] = (key.steps, key.samples, key.seed, key.evaluations, key.trajectory_evaluations)
    if not all(each is None or (isinstance(each, int) and not isinstance(each, bool)) for each in whole):
        raise TypeError(f"one of {whole!r:.80} is no whole number")
    numbers: tuple[object, ...] = (key.rate, key.late_start, key.eta)
    if not all(each is None or isinstance(each, int | float) for each in numbers):
        raise TypeError(f"one of {numbers!r:.80} is no number")
    texts: tuple[object, ...] = (key.codec, key.streams_sha256, key.peer, key.weights_sha256, key.spacing)
    if not all(each is None or isinstance(each, str) for each in texts):
        raise TypeError(f"one of {texts!r:.80} is no text")


def _parse_values(contents: Mapping[str, Any]) -> Values:
    mean, values = contents["mean"], tuple(contents["values"])
    if not all(value is None or isinstance(value, (int, float)) for value in (mean, *values)):
        raise ValueError("a value is no number")
    return Values(mean, values)
