"""Results files: read, and kept on disk whole after each step of a run, as JSON and CSV; see benchmarks/README.md."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from dirac_enhance import BenchmarkError
from dirac_enhance.atomic import write_atomically
from dirac_enhance.bench.cells import Cell, CellKey, parse_cell, updated
from dirac_enhance.bench.environment import rounded
from dirac_enhance.bench.folder_lock import locked
from dirac_enhance.bench.measures import MEASURES
from dirac_enhance.bench.runs import Run, parse_run

FORMAT = "dirac-enhance bench"
VERSION = 2
"""Of what is written; version 1, with one header for all runs, is read, too."""
JSON_NAME, CSV_NAME = "results.json", "results.csv"
_CSV_KEYS = tuple(each.name for each in fields(CellKey) if each.name != "codec_options")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was asked for and is not among the cells: a metric, a peer, a picture; and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Results:
    """The contents of a results file.

    Args:
        set_name: of the originals.
        images: their names, in the order of every cell's values.
        pixel_hash: of the originals.
        runs: that measured its cells, which name them by their place here.
        cells: what was measured, in the order of tables.
        left_out: by the last run.
    """

    set_name: str
    images: tuple[str, ...]
    pixel_hash: str
    runs: tuple[Run, ...] = ()
    cells: tuple[Cell, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def find(self, key: CellKey) -> Cell | None:
        """Return the finished cell of this key, if there is one."""
        return next((cell for cell in self.cells if cell.key == key), None)

    def run_of(self, cell: Cell, measure_id: str | None = None) -> Run | None:
        """Return the run that measured a cell, or a metric of it; None for a published one."""
        number = cell.run if measure_id is None else cell.run_of(measure_id)
        return None if number is None else self.runs[number]

    def network_of(self, cell: Cell, measure_id: str) -> str | None:
        """Return the sha256 of what a metric of a cell was measured with; None if it takes no network, or unknown."""
        run = self.run_of(cell, measure_id)
        return None if run is None else run.networks.get(measure_id)

    def with_cells(self, cells: Iterable[Cell]) -> Results:
        """Add finished cells; those of equal keys are brought up to date, and none is dropped."""
        merged = {cell.key: cell for cell in self.cells}
        for cell in cells:
            merged[cell.key] = updated(merged[cell.key], cell) if cell.key in merged else cell
        return replace(self, cells=tuple(sorted(merged.values(), key=_place)))

    def to_json(self) -> str:
        """As the text of a file, a line for each cell."""
        header = {
            "format": FORMAT,
            "version": VERSION,
            "set": {"name": self.set_name, "images": len(self.images), "pixel_hash": self.pixel_hash},
            "images": list(self.images),
            "runs": [run.to_json() for run in self.runs],
            "left_out": [{"what": each.what, "reason": each.reason} for each in self.left_out],
        }
        cells = ",\n".join(
            json.dumps(rounded(cell.to_json()), allow_nan=False, ensure_ascii=False) for cell in self.cells
        )
        text = json.dumps(header, indent=1, allow_nan=False, ensure_ascii=False).removesuffix("\n}")
        return f'{text},\n "cells": [\n{cells}\n]}}\n'

    def to_csv(self) -> str:
        """A row for each cell, without the single pictures' values; published ones say how surely they are known."""
        metrics = [name for name in MEASURES if any(name in cell.metrics for cell in self.cells)]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        cost = ("seconds_per_megapixel", "peak_memory_mib", "run")
        provenance = ("verified", "marks", "source")
        writer.writerow(["set", "images", "pixel_hash", *_CSV_KEYS, "bpp", *metrics, *cost, *provenance])
        for cell in self.cells:
            means = [cell.metrics[name].mean if name in cell.metrics else None for name in metrics]
            numbers = [cell.bpp.mean, *means, *(getattr(cell, name) for name in cost)]
            row = [self.set_name, len(self.images), self.pixel_hash, *(getattr(cell.key, name) for name in _CSV_KEYS)]
            values = [*row, *rounded(numbers), *_provenance(cell)]
            writer.writerow(["" if value is None else value for value in values])
        return text.getvalue()


def _provenance(cell: Cell) -> tuple[str, str, str]:
    """Whether a published cell is verified, which of its metrics are not, such as "psnr†", and its source."""
    if cell.published is None:
        return ("", "", "")
    marks = (f"{name}{mark}" for name, mark in cell.published.marks.items())
    return ("yes" if cell.published.verified else "no", " ".join(marks), cell.published.source)


_METHODS = ("base", "steps", "peer", "published")


def _place(cell: Cell) -> tuple[Any, ...]:
    key = cell.key
    rate = (key.rate is None, key.rate or 0.0, cell.bpp.mean or 0.0 if key.rate is None else 0.0)
    return (key.protocol, key.codec, *rate, _METHODS.index(key.method), key.samples, key.steps or 0, key.peer or "")


def read_results(path: Path) -> Results:
    """Read a results file.

    Raises:
        BenchmarkError: if there is none, it is damaged, or of another version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "no text"
        raise BenchmarkError(f"cannot read '{path}': {reason}; give a results file of `dirac-enhance bench`") from cause
    try:
        return _parse(json.loads(text), path)
    except BenchmarkError as cause:
        raise BenchmarkError(f"'{path}': {cause}") from cause
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise BenchmarkError(
            f"'{path}' is no results file of `dirac-enhance bench`, or damaged ({type(cause).__name__}: {cause})"
        ) from cause


def _parse(contents: Mapping[str, Any], path: Path) -> Results:
    if contents["format"] != FORMAT:
        raise BenchmarkError(f"format {contents['format']!r:.40} given; expected '{FORMAT}'")
    if contents["version"] not in (1, VERSION):
        raise BenchmarkError(f"version {contents['version']!r:.40} given; this program reads versions 1 and {VERSION}")
    images = tuple(contents["images"])
    if contents["set"]["images"] != len(images):
        raise BenchmarkError(f"{contents['set']['images']} images stated, {len(images)} named in '{path.name}'")
    runs = tuple(parse_run(run) for run in ([contents] if contents["version"] == 1 else contents["runs"]))
    cells = tuple(parse_cell(cell, images=len(images)) for cell in contents["cells"])
    for run in (run for cell in cells for run in (cell.run, *cell.metric_runs.values())):
        if run is not None and run not in range(len(runs)):
            raise BenchmarkError(f"a cell is of run {run!r:.40}; the file has {len(runs)}, counted from 0")
    return Results(
        set_name=contents["set"]["name"],
        images=images,
        pixel_hash=contents["set"]["pixel_hash"],
        runs=runs,
        cells=cells,
        left_out=tuple(LeftOut(each["what"], each["reason"]) for each in contents.get("left_out", ())),
    )


class ResultsFolder:
    """The folder of one benchmark's results; what is finished is on disk at once, whole, and survives anything.

    Several runs may write into one folder at the same time: each adds its own cells to what is there.

    Args:
        folder: created if it is not there.
        results: of this run, without cells; those that are there already are taken in. Its last run is this one.

    Raises:
        BenchmarkError: if what is there cannot be read, or was measured on other originals, or one of the run's metrics
            with other weights.
    """

    def __init__(self, folder: Path, results: Results) -> None:
        self._folder = folder
        self._run = results.runs[-1] if results.runs else Run()
        self._left_out = results.left_out
        self._superseded: Results | None = None
        self.results = replace(results, runs=())
        if self.json_file.exists():
            # What earlier runs left out is of no interest any more, and each run puts published cells there anew.
            self._superseded = _of_same_set(self.json_file, results)
            _check_networks(self.json_file, self._superseded, self._run)
            self.results = replace(self._without_superseded(self._superseded), left_out=self._left_out)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise BenchmarkError(f"cannot create the folder '{folder}': {cause.strerror}") from cause

    @property
    def json_file(self) -> Path:
        """The results file."""
        return self._folder / JSON_NAME

    @property
    def csv_file(self) -> Path:
        """The same as a table of means."""
        return self._folder / CSV_NAME

    def missing(self, keys: Sequence[CellKey], measures: Iterable[str]) -> tuple[CellKey, ...]:
        """Return those keys whose cells are not finished, or lack one of the measures."""
        wanted = set(measures)
        found = {key: self.results.find(key) for key in keys}
        return tuple(key for key, cell in found.items() if cell is None or not wanted <= set(cell.metrics))

    def add(self, cells: Iterable[Cell], *, left_out: Iterable[LeftOut] = ()) -> None:
        """Take in finished cells, and what other runs have put there meanwhile, and write both files.

        Raises:
            BenchmarkError: if they cannot be written, or what is there cannot be read any more; it is left.
        """
        self._left_out = (*self._left_out, *left_out)
        try:
            with locked(self._folder):
                self.results = self._merged(tuple(cells))
                write_atomically(self.json_file, self.results.to_json().encode(), overwrite=True)
                write_atomically(self.csv_file, self.results.to_csv().encode(), overwrite=True)
        except OSError as cause:
            raise BenchmarkError(f"cannot write results into '{self._folder}': {cause.strerror}") from cause
        self._superseded = None

    def _merged(self, cells: Sequence[Cell]) -> Results:
        """What is on disk now with these cells, of this run; a run that measured nothing is not listed."""
        present = self.results
        if self.json_file.exists():
            present = self._without_superseded(_of_same_set(self.json_file, self.results))
        runs = present.runs
        measured = any(cell.key.method != "published" for cell in cells)
        if self._run not in runs and (measured or not runs):
            runs = (*runs, self._run)
        ours = (cell if cell.key.method == "published" else replace(cell, run=runs.index(self._run)) for cell in cells)
        left_out = tuple(dict.fromkeys((*present.left_out, *self._left_out)))
        return replace(present, runs=runs, left_out=left_out).with_cells(ours)

    def _without_superseded(self, present: Results) -> Results:
        """Leave out what was there when this run began and is of earlier runs alone; once written, it is gone."""
        old = self._superseded
        if old is None:
            return present
        return replace(
            present,
            cells=tuple(cell for cell in present.cells if cell.key.method != "published" or cell not in old.cells),
            left_out=tuple(each for each in present.left_out if each not in old.left_out),
        )


def _of_same_set(file: Path, results: Results) -> Results:
    """Read a results file.

    Raises:
        BenchmarkError: if it cannot be read, or was measured on other originals.
    """
    earlier = read_results(file)
    if (earlier.pixel_hash, earlier.images) != (results.pixel_hash, results.images):
        raise BenchmarkError(
            f"'{file}' has results of '{earlier.set_name}', {len(earlier.images)} images, pixel hash"
            f" {earlier.pixel_hash[:8]}; these are '{results.set_name}', {len(results.images)} images,"
            f" {results.pixel_hash[:8]}: pass another folder with -o"
        )
    return earlier


def _check_networks(file: Path, earlier: Results, run: Run) -> None:
    for name, sha256 in run.networks.items():
        known = (earlier.network_of(cell, name) for cell in earlier.cells if name in cell.metrics)
        other = next((each for each in known if each not in (None, sha256)), None)
        if other is not None:
            raise BenchmarkError(
                f"'{file}' has {name} measured with the network of sha256 {other[:8]}…; this one's is {sha256[:8]}…:"
                f" give the same file, leave {name} out of --metrics, or pass another folder with -o"
            )
