"""Results as tables, for the terminal and in Markdown: one for each set and protocol, ours beside published figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dirac_enhance.bench.cells import Cell
from dirac_enhance.bench.measures import MEASURES, Measure
from dirac_enhance.bench.protocols import PROTOCOLS, Protocol, also_meets
from dirac_enhance.bench.results import Results

_TEXTS = ("codec", "method")
_LEGEND = {"≈": "≈ read off a plot", "†": "† remembered, not verified: check before quoting"}


@dataclass(frozen=True, slots=True)
class ResultsTable:
    """Cells of one set and one protocol.

    Args:
        set_name: of the originals.
        images: how many.
        pixel_hash: of them.
        protocol: how all of it was measured.
        cells: in the order of rows.
    """

    set_name: str
    images: int
    pixel_hash: str
    protocol: Protocol
    cells: tuple[Cell, ...]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those that any cell has, in the order of columns."""
        return tuple(each for name, each in MEASURES.items() if any(name in cell.metrics for cell in self.cells))

    @property
    def title(self) -> str:
        """Set and protocol."""
        return f"{self.set_name}, {self.images} images (pixels {self.pixel_hash[:8]}), protocol {self.protocol.id}"

    def rows(self) -> list[list[str]]:
        """The head, then a row for each cell."""
        measures = self.measures
        several = len(self._weights()) > 1
        head = ["codec", "rate", "bpp", "method", "evals", *(measure.heading for measure in measures), "s/MP"]
        body = [
            [
                cell.key.codec if cell.key.rate is not None else "",
                "" if cell.key.rate is None else f"{cell.key.rate:g}",
                _number(cell.bpp.mean, 3),
                _method(cell, name_weights=several),
                "" if cell.key.evaluations is None else str(cell.key.evaluations),
                *(_figure(cell, measure) for measure in measures),
                "" if cell.seconds_per_megapixel is None else f"{cell.seconds_per_megapixel:.3g}",
            ]
            for cell in self.cells
        ]
        kept = [column for column in zip(head, *body, strict=True) if any(column[1:])]
        return [list(row) for row in zip(*kept, strict=True)]

    def footer(self) -> list[str]:
        """Protocol, weights, sources of published figures and what their marks mean."""
        weights = self._weights()
        published = [cell.published for cell in self.cells if cell.published is not None]
        sources = dict.fromkeys(source for each in published for source in each.source.split("; "))
        marks = dict.fromkeys(mark for each in published for mark in each.marks.values())
        return [
            f"Protocol {self.protocol.id}: {self.protocol.coding}; {self.protocol.measuring}.",
            *([f"Weights: {', '.join(each[:12] for each in weights)}."] if weights else []),
            *([f"Published figures: {'; '.join(sources)}."] if sources else []),
            *(f"{_LEGEND.get(mark, mark)}." for mark in marks),
        ]

    def _weights(self) -> tuple[str, ...]:
        """Digests of our weights."""
        ours = (cell.key.weights_sha256 for cell in self.cells if cell.key.method == "steps")
        return tuple(dict.fromkeys(each for each in ours if each))


def tables_of(results: Iterable[Results]) -> tuple[ResultsTable, ...]:
    """Sort cells into tables: those of two sets or two protocols never stand in one.

    What fulfils a second protocol, too, stands in its table, as well, if there are published figures to compare with.
    A cell that several files have is taken from the last one.
    """
    found: dict[tuple[str, str, int, str], dict[object, Cell]] = {}
    for each in results:
        published = {cell.key.protocol for cell in each.cells if cell.key.method == "published"}
        for cell in each.cells:
            for protocol, part in {cell.key.protocol: cell, **_elsewhere(cell, published)}.items():
                place = (each.pixel_hash, each.set_name, len(each.images), protocol)
                found.setdefault(place, {})[cell.key] = part
    sets, protocols = [place[:3] for place in found], list(PROTOCOLS)
    places = sorted(found, key=lambda place: (sets.index(place[:3]), protocols.index(place[3])))
    return tuple(
        ResultsTable(name, images, pixel_hash, PROTOCOLS[protocol], tuple(sorted(found[place].values(), key=_place)))
        for place in places
        for pixel_hash, name, images, protocol in [place]
        if any(cell.key.method != "published" for cell in found[place].values())
    )


def _elsewhere(cell: Cell, protocols: Iterable[str]) -> dict[str, Cell]:
    """The parts of one of our cells that may stand in tables of other protocols."""
    shared = {} if cell.key.method == "published" else also_meets(cell.key.protocol)
    parts = {
        protocol: replace(cell, metrics={name: cell.metrics[name] for name in shared[protocol] if name in cell.metrics})
        for protocol in protocols
        if protocol in shared
    }
    return {protocol: part for protocol, part in parts.items() if part.metrics}


def _place(cell: Cell) -> tuple[object, ...]:
    """By rate; what has none by bits per pixel; measured before published."""
    key = cell.key
    return (key.rate is None, key.codec if key.rate else "", key.rate or cell.bpp.mean or 0, key.method == "published")


def _method(cell: Cell, *, name_weights: bool) -> str:
    key = cell.key
    if key.method == "published":
        return f"{key.codec if key.rate is None else key.peer} (published)"
    weights = f" [{key.weights_sha256[:6]}]" if name_weights and key.method == "steps" and key.weights_sha256 else ""
    walk = f", {key.spacing}" if key.spacing == "paper" else ""
    return f"{key.name}{walk}{weights}"


def _figure(cell: Cell, measure: Measure) -> str:
    if cell.published is not None and measure.id in cell.published.figures:
        return f"{cell.published.figures[measure.id]}{cell.published.marks.get(measure.id, '')}"
    if measure.id not in cell.metrics:
        return ""
    mean = cell.metrics[measure.id].mean
    return "∞" if mean is None else f"{mean:.{measure.digits}f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def to_markdown(table: ResultsTable) -> str:
    """Render a table in Markdown; below it protocol, weights, sources and marks."""
    head, *body = table.rows()
    lines = [head, ["---"] * len(head), *body]
    return "\n".join([f"**{table.title}**", "", *(f"| {' | '.join(line)} |" for line in lines), "", *table.footer()])


def to_text(table: ResultsTable) -> str:
    """Render a table for a terminal; below it protocol, weights, sources and marks."""
    rows = table.rows()
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = [title in _TEXTS for title in rows[0]]
    columns = list(zip(widths, left, strict=True))
    lines = (
        "  ".join(
            text.ljust(width) if of_text else text.rjust(width)
            for text, (width, of_text) in zip(row, columns, strict=True)
        ).rstrip()
        for row in rows
    )
    return "\n".join([table.title, *lines, *table.footer()])


def about_tables(tables: Sequence[ResultsTable]) -> str | None:
    """Say why there are several tables; None if there is one."""
    if len(tables) < 2:
        return None
    protocols = ", ".join(dict.fromkeys(f"'{table.protocol.id}'" for table in tables))
    sets = len({table.pixel_hash for table in tables})
    of_sets = f" and {sets} sets" if sets > 1 else ""
    return f"figures of the protocols {protocols}{of_sets} cannot be compared: a table for each"
