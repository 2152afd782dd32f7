"""Figures put together as they may be compared: one group for each set and protocol, in it one series a method."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dirac_enhance import DiracWarning
from dirac_enhance.bench.cells import Method
from dirac_enhance.bench.protocols import Protocol, one_protocol
from dirac_enhance.bench.published import Evidence, Published, load_published
from dirac_enhance.bench.report.results import Cell, ResultsFile

_ORDER: Mapping[Method, int] = {"base": 0, "steps": 1, "peer": 2, "published": 3}
_FigureKey = tuple[str, float | None, str]


@dataclass(frozen=True, slots=True)
class Series:
    """One method of one codec over its rates.

    Args:
        label: short, and unlike those of all other series of its group.
        method: what kind of method it is.
        codec: id of the base codec.
        cells: rate → what was measured there, by rising rate.
    """

    label: str
    method: Method
    codec: str
    cells: Mapping[float | None, Cell]


@dataclass(frozen=True, slots=True)
class Group:
    """All that was measured on one set of pictures in one protocol, so that it may stand side by side.

    Args:
        set_name: of the pictures.
        pixel_hash: of the originals.
        pictures: how many.
        protocol: that all of it shares.
        series: base, own steps, peers, published figures, of one codec after the other.
        unverified: method, rate and metric of a published figure → how little it is known, for those that the
            package's own data call unverified.
    """

    set_name: str
    pixel_hash: str
    pictures: int
    protocol: Protocol
    series: tuple[Series, ...]
    unverified: Mapping[_FigureKey, Evidence]

    @property
    def codecs(self) -> tuple[str, ...]:
        """Codecs, in the order of the results."""
        return tuple(dict.fromkeys(series.codec for series in self.series))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics, in the order of the results."""
        cells = (cell for series in self.series for cell in series.cells.values())
        return tuple(dict.fromkeys(metric for cell in cells for metric in cell.metrics))

    def of_codec(self, codec: str) -> tuple[Series, ...]:
        """Return the series of one codec."""
        return tuple(series for series in self.series if series.codec == codec)

    def evidence(self, cell: Cell, metric: str) -> Evidence:
        """How surely a figure is known; one that no data call into question was read or measured."""
        if cell.method != "published":
            return "measured"
        return self.unverified.get((cell.peer or "", cell.rate, metric), "read")

    def base(self, codec: str) -> Series | None:
        """Return what the codec itself puts out, if it was measured."""
        return next((series for series in self.of_codec(codec) if series.method == "base"), None)


def group_results(files: Iterable[ResultsFile]) -> tuple[Group, ...]:
    """Group the cells of results files by set and protocol, in the order in which they come.

    Warns:
        DiracWarning: if a cell was measured twice; the last one counts.
    """
    found: dict[tuple[str, str, str], dict[tuple[object, ...], Cell]] = {}
    pictures: dict[tuple[str, str, str], int] = {}
    for file in files:
        for cell in file.cells:
            key = (file.set_name, file.pixel_hash, cell.protocol)
            pictures[key] = len(file.images)
            cells = found.setdefault(key, {})
            place = (*_identity(cell), cell.rate)
            if cells.get(place, cell) != cell:
                warnings.warn(
                    f"'{file.name}' measures {_label(cell)} at {cell.rate} again; its figures replace earlier ones",
                    DiracWarning,
                    stacklevel=2,
                )
            cells[place] = cell
    published = load_published()
    return tuple(
        Group(
            set_name=set_name,
            pixel_hash=pixel_hash,
            pictures=pictures[set_name, pixel_hash, protocol_id],
            protocol=one_protocol(cell.protocol for cell in cells.values()),
            series=_make_series(list(cells.values())),
            unverified=_find_evidence(cells.values(), published, set_name=set_name),
        )
        for (set_name, pixel_hash, protocol_id), cells in found.items()
    )


def _find_evidence(cells: Iterable[Cell], published: Published, *, set_name: str) -> dict[_FigureKey, Evidence]:
    """Look up how surely the published figures among these cells are known."""
    return {
        (figure.method, figure.rate, figure.metric): figure.evidence
        for protocol_id, method in {(cell.protocol, cell.peer) for cell in cells if cell.method == "published"}
        for table in published.tables
        if table.protocol == protocol_id
        for figure in table.select(method=method, set_id=set_name).figures
        if not figure.verified
    }


def _identity(cell: Cell) -> tuple[object, ...]:
    """All that makes two cells of one rate different methods."""
    if cell.method == "base":
        return (cell.method, cell.codec)
    return (
        *(cell.method, cell.codec, cell.peer, cell.weights_sha256, cell.steps, cell.samples, cell.seed),
        *(cell.evaluations, cell.spacing),
    )


def _make_series(cells: Sequence[Cell]) -> tuple[Series, ...]:
    by_method: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        by_method.setdefault(_identity(cell), []).append(cell)
    members = sorted(by_method.values(), key=lambda cells: _sort_key(cells[0]))
    labels = _distinct_labels([member[0] for member in members])
    codecs = list(dict.fromkeys(cell.codec for cell in cells))
    series = [
        Series(label, member[0].method, member[0].codec, _by_rate(member))
        for label, member in zip(labels, members, strict=True)
    ]
    return tuple(sorted(series, key=lambda each: codecs.index(each.codec)))


def _by_rate(cells: Iterable[Cell]) -> dict[float | None, Cell]:
    ordered = sorted(cells, key=lambda cell: (cell.rate is not None, cell.rate or 0.0))
    return {cell.rate: cell for cell in ordered}


def _sort_key(cell: Cell) -> tuple[object, ...]:
    return (_ORDER[cell.method], cell.samples, cell.steps or 0, cell.peer or "")


def _label(cell: Cell) -> str:
    if cell.method == "base":
        return f"{cell.codec}, not enhanced"
    if cell.method == "steps":
        return f"steps {cell.steps}" + (f", mean of {cell.samples}" if cell.samples > 1 else "")
    return cell.peer or cell.method


def _distinct_labels(cells: Sequence[Cell]) -> list[str]:
    """Label each method, with as much more than the usual as it takes to tell it from the others."""
    details: tuple[Callable[[Cell], str], ...] = (
        lambda cell: "" if cell.method == "base" else cell.codec,
        lambda cell: "published" if cell.method == "published" else "",
        lambda cell: f"weights {cell.weights_sha256[:8]}" if cell.weights_sha256 else "",
        lambda cell: f"{cell.spacing} spacing" if cell.spacing else "",
        lambda cell: f"{cell.evaluations} evaluation{'s' * (cell.evaluations > 1)}" if cell.evaluations else "",
        lambda cell: f"seed {cell.seed}" if cell.seed is not None else "",
    )
    labels = [_label(cell) for cell in cells]
    for detail in details:
        alike = {label: [i for i, other in enumerate(labels) if other == label] for label in labels}
        for label, places in alike.items():
            texts = [detail(cells[place]) for place in places]
            if len(set(texts)) > 1:
                for place, text in zip(places, texts, strict=True):
                    labels[place] = f"{label}, {text}" if text else label
    return labels
