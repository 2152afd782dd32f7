"""Results files: read, and kept on disk whole after each step of a run, as JSON and CSV; see benchmarks/README.md."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dirac_enhance import BenchmarkError
from dirac_enhance.atomic import write_atomically
from dirac_enhance.bench.cells import Cell, CellKey, parse_cell, updated
from dirac_enhance.bench.environment import rounded
from dirac_enhance.bench.measures import MEASURES

FORMAT = "dirac-enhance bench"
VERSION = 1
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
        command: that wrote it last.
        device: what it ran on.
        versions: library → version.
        cells: what was measured, in the order of tables.
        left_out: by the last run.
    """

    set_name: str
    images: tuple[str, ...]
    pixel_hash: str
    command: tuple[str, ...] = ()
    device: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def find(self, key: CellKey) -> Cell | None:
        """Return the finished cell of this key, if there is one."""
        return next((cell for cell in self.cells if cell.key == key), None)

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
            "command": list(self.command),
            "set": {"name": self.set_name, "images": len(self.images), "pixel_hash": self.pixel_hash},
            "images": list(self.images),
            "device": dict(self.device),
            "versions": dict(self.versions),
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
        writer.writerow(
            [
                *("set", "images", "pixel_hash", *_CSV_KEYS, "bpp", *metrics),
                *("seconds_per_megapixel", "peak_memory_mib", "verified", "marks", "source"),
            ]
        )
        for cell in self.cells:
            means = [cell.metrics[name].mean if name in cell.metrics else None for name in metrics]
            numbers = [cell.bpp.mean, *means, cell.seconds_per_megapixel, cell.peak_memory_mib]
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
    if contents["version"] != VERSION:
        raise BenchmarkError(f"version {contents['version']!r:.40} given; this program reads version {VERSION}")
    images = tuple(contents["images"])
    if contents["set"]["images"] != len(images):
        raise BenchmarkError(f"{contents['set']['images']} images stated, {len(images)} named in '{path.name}'")
    return Results(
        set_name=contents["set"]["name"],
        images=images,
        pixel_hash=contents["set"]["pixel_hash"],
        command=tuple(map(str, contents["command"])),
        device=dict(contents["device"].items()),
        versions=dict(contents["versions"].items()),
        cells=tuple(parse_cell(cell, images=len(images)) for cell in contents["cells"]),
        left_out=tuple(LeftOut(each["what"], each["reason"]) for each in contents.get("left_out", ())),
    )


class ResultsFolder:
    """The folder of one benchmark's results; what is finished is on disk at once, whole, and survives anything.

    Args:
        folder: created if it is not there.
        results: of this run, without cells; those that are there already are taken in.

    Raises:
        BenchmarkError: if what is there cannot be read, or was measured on other originals.
    """

    def __init__(self, folder: Path, results: Results) -> None:
        self._folder = folder
        self.results = results
        if self.json_file.exists():
            self.results = replace(results, cells=_cells_of_same_set(self.json_file, results))
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
        """Take in finished cells and write both files.

        Raises:
            BenchmarkError: if they cannot be written; what was there before is left.
        """
        self.results = self.results.with_cells(cells)
        self.results = replace(self.results, left_out=(*self.results.left_out, *left_out))
        try:
            write_atomically(self.json_file, self.results.to_json().encode(), overwrite=True)
            write_atomically(self.csv_file, self.results.to_csv().encode(), overwrite=True)
        except OSError as cause:
            raise BenchmarkError(f"cannot write results into '{self._folder}': {cause.strerror}") from cause


def _cells_of_same_set(file: Path, results: Results) -> tuple[Cell, ...]:
    """Return the cells measured earlier, but for published ones, which each run puts there anew."""
    earlier = read_results(file)
    if (earlier.pixel_hash, earlier.images) != (results.pixel_hash, results.images):
        raise BenchmarkError(
            f"'{file}' has results of '{earlier.set_name}', {len(earlier.images)} images, pixel hash"
            f" {earlier.pixel_hash[:8]}; these are '{results.set_name}', {len(results.images)} images,"
            f" {results.pixel_hash[:8]}: pass another folder with -o"
        )
    return tuple(cell for cell in earlier.cells if cell.key.method != "published")
