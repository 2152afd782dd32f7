"""Results as tables, for the terminal and in Markdown: one for each set and protocol, ours beside published figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dirac_enhance import DiracWarning
from dirac_enhance.bench.cells import Cell, CellKey
from dirac_enhance.bench.measures import MEASURES, Measure
from dirac_enhance.bench.protocols import PROTOCOLS, Protocol, also_meets
from dirac_enhance.bench.published_markdown import LEGEND
from dirac_enhance.bench.published_notes import about_missing, about_other_backbones
from dirac_enhance.bench.results import Results
from dirac_enhance.bench.series import Series, series_of

_TEXTS = ("codec", "method")


@dataclass(frozen=True, slots=True)
class ResultsTable:
    """Cells of one set and one protocol: what may stand side by side.

    Args:
        set_name: of the originals.
        images: how many.
        pixel_hash: of them.
        protocol: how all of it was measured.
        cells: in the order of rows.
        files: the results that each cell is from.
    """

    set_name: str
    images: int
    pixel_hash: str
    protocol: Protocol
    cells: tuple[Cell, ...]
    files: Mapping[CellKey, Results] = field(default_factory=dict)

    @property
    def networks(self) -> Mapping[str, tuple[str, ...]]:
        """Measure's id → sha256 of each file of weights that it was measured with, as far as known."""
        found: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for name in cell.metrics:
                sha256 = self.files[cell.key].network_of(cell, name) if cell.key in self.files else None
                if sha256 is not None:
                    found.setdefault(name, {})[sha256] = None
        return {name: tuple(found[name]) for name in MEASURES if name in found}

    @property
    def devices(self) -> tuple[str, ...]:
        """What the seconds were measured on."""
        timed = (cell for cell in self.cells if cell.seconds_per_megapixel is not None and cell.key in self.files)
        runs = (self.files[cell.key].run_of(cell) for cell in timed)
        return tuple(dict.fromkeys(run.device_name for run in runs if run is not None))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those that any cell has, in the order of columns."""
        return tuple(each for name, each in MEASURES.items() if any(name in cell.metrics for cell in self.cells))

    @property
    def series(self) -> tuple[Series, ...]:
        """Its cells by method."""
        return series_of(self.cells)

    @property
    def codecs(self) -> tuple[str, ...]:
        """What coded the pictures, in the order of rows; a method published by bits per pixel is a codec of its own."""
        return tuple(dict.fromkeys(each.key.codec for each in self.series))

    def of_codec(self, codec: str) -> tuple[Series, ...]:
        """Return the series of one codec."""
        return tuple(each for each in self.series if each.key.codec == codec)

    def base(self, codec: str) -> Series | None:
        """Return what the codec itself puts out, if it was measured."""
        return next((each for each in self.of_codec(codec) if each.key.method == "base"), None)

    def bits_per_pixel(self, cell: Cell) -> float | None:
        """Return a cell's; of a published figure at a quality those of our own files at it, as both coded one set."""
        base, rate = self.base(cell.key.codec), cell.key.rate
        if cell.bpp.mean is not None or base is None or rate is None or rate not in base.cells:
            return cell.bpp.mean
        return base.cells[rate].bpp.mean

    @property
    def title(self) -> str:
        """Set and protocol."""
        return f"{self.set_name}, {self.images} images (pixels {self.pixel_hash[:8]}), protocol {self.protocol.id}"

    def rows(self) -> list[list[str]]:
        """The head, then a row for each cell; cells of one picture are one row."""
        measures = self.measures
        labels = {cell.key: each.label for each in self.series for cell in each.cells.values()}
        head = ["codec", "rate", "bpp", "method", "evals", *(measure.heading for measure in measures), "s/MP"]
        body = [
            [
                cell.key.codec if cell.key.rate is not None else "",
                "" if cell.key.rate is None else f"{cell.key.rate:g}",
                _number(cell.bpp.mean, 3),
                f"{labels[cell.key]} (published)" if cell.key.method == "published" else labels[cell.key],
                "" if cell.key.evaluations is None else str(cell.key.evaluations),
                *(format_figure(cell, measure) for measure in measures),
                "" if cell.seconds_per_megapixel is None else f"{cell.seconds_per_megapixel:.3g}",
            ]
            for cell in self.cells
            if cell.key in labels
        ]
        kept = [column for column in zip(head, *body, strict=True) if any(column[1:])]
        return [list(row) for row in zip(*kept, strict=True)]

    def footer(self) -> list[str]:
        """Protocol, weights, networks of metrics, machines, and all about published figures."""
        ours = (cell.key.weights_sha256 for cell in self.cells if cell.key.method == "steps")
        weights = dict.fromkeys(each for each in ours if each)
        return [
            f"Protocol {self.protocol.id}: {self.protocol.coding}; {self.protocol.measuring}.",
            *([f"Weights: {', '.join(each[:12] for each in weights)}."] if weights else []),
            *(
                f"{MEASURES[name].heading} measured with {', '.join(each[:12] for each in sha256)}."
                for name, sha256 in self.networks.items()
            ),
            *([f"Seconds are of several machines: {'; '.join(self.devices)}."] if len(self.devices) > 1 else []),
            *(f"{note}." for note in self.about_published()),
        ]

    def about_published(self) -> list[str]:
        """Sources of published figures, which ones are missing, and what the marks mean; without full stops."""
        published = [cell.published for cell in self.cells if cell.published is not None]
        sources = dict.fromkeys(source for each in published for source in each.source.split("; "))
        missing = about_missing(self.protocol, set_name=self.set_name)
        compared = bool(published) and any("lpips" in cell.metrics for cell in self.cells)
        others = about_other_backbones(self.protocol, set_name=self.set_name) if compared else ""
        return [
            *([f"Published figures: {'; '.join(sources)}"] if sources else []),
            *([f"Published, but not at hand: {missing}"] if missing else []),
            *([f"LPIPS left out, since it is not known to be of AlexNet: {others}"] if others else []),
            *(LEGEND.get(mark, mark) for mark in self.marks),
        ]

    @property
    def marks(self) -> tuple[str, ...]:
        """Those of the published figures that are not verified."""
        published = (cell.published for cell in self.cells if cell.published is not None)
        return tuple(dict.fromkeys(mark for each in published for mark in each.marks.values()))


def tables_of(results: Iterable[Results]) -> tuple[ResultsTable, ...]:
    """Sort cells into tables: those of two sets or two protocols never stand in one.

    What fulfils a second protocol, too, stands in its table, as well, if there are published figures to compare with.
    A cell that several files have is taken from the last one.

    Warns:
        DiracWarning: if its figures differ, or a metric was measured with several networks in one table.
    """
    found: dict[tuple[str, str, int, str], dict[CellKey, Cell]] = {}
    files: dict[tuple[str, str, int, str], dict[CellKey, Results]] = {}
    again: list[str] = []
    for each in results:
        published = {cell.key.protocol for cell in each.cells if cell.key.method == "published"}
        for cell in each.cells:
            for protocol, part in {cell.key.protocol: cell, **_elsewhere(cell, published)}.items():
                place = (each.pixel_hash, each.set_name, len(each.images), protocol)
                cells = found.setdefault(place, {})
                files.setdefault(place, {})[cell.key] = each
                if cell.key in cells and cells[cell.key].metrics != part.metrics:
                    again.append(each.set_name)
                cells[cell.key] = part
    if again:
        warnings.warn(
            f"{len(again)} cells have other figures in a later file, the first of '{again[0]}'; the last file counts",
            DiracWarning,
            stacklevel=2,
        )
    sets, protocols = [place[:3] for place in found], list(PROTOCOLS)
    places = sorted(found, key=lambda place: (sets.index(place[:3]), protocols.index(place[3])))
    tables = tuple(
        ResultsTable(name, images, pixel_hash, PROTOCOLS[protocol], tuple(cells), files[place])
        for place in places
        for cells in [sorted(found[place].values(), key=_place)]
        for pixel_hash, name, images, protocol in [place]
        if any(cell.key.method != "published" for cell in cells)
    )
    _warn_of_networks(tables)
    return tables


def _warn_of_networks(tables: Iterable[ResultsTable]) -> None:
    several = {name: sha256 for table in tables for name, sha256 in table.networks.items() if len(sha256) > 1}
    for name, sha256 in several.items():
        digests = " and ".join(f"{each[:8]}…" for each in sha256)
        warnings.warn(
            f"{name} was measured with several networks, of sha256 {digests}: its figures cannot be compared",
            DiracWarning,
            stacklevel=3,
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


def format_figure(cell: Cell, measure: Measure) -> str:
    """Print one figure: as it was published, with its mark; "∞" where it is infinite, "" where there is none."""
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
