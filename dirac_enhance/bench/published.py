"""Published figures of other methods, as package data: each with source, protocol, and how surely it is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.protocols import Protocol, find_protocol

SCHEMA_VERSION = 1
_FILE = "published.json"

Evidence = Literal["read", "measured", "plotted", "remembered"]
"""Read in the source named; measured for this project; read off a plot; or remembered, and not checked."""

RateUnit = Literal["quality", "bpp", "lowest"]
"""Of `Figure.rate`: libjpeg quality, bits per pixel, or unsaid: the lowest rate of the paper."""

_LPIPS, _OUR_BACKBONE = "lpips", "alexnet"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one method.

    Args:
        method: as its authors name it.
        set_id: of the pictures; a preset's id where there is one.
        rate: libjpeg quality or bits per pixel (see `Table.rate_unit`); None where it does not apply.
        metric: for example "psnr", "ssim", "psnr_b", "lpips".
        printed: the number with the digits of its source.
        evidence: how surely it is known.
        source: repository, path and commit, or paper.
        protocol: id of how it was measured.
        setting: what else was special: steps, training, a knob's value; often empty.
        backbone: of LPIPS, "alexnet" for example; None where it is not known, and for other metrics.
    """

    method: str
    set_id: str
    rate: float | None
    metric: str
    printed: str
    evidence: Evidence
    source: str
    protocol: str
    setting: str = ""
    backbone: str | None = None

    @property
    def value(self) -> float:
        """The number."""
        return float(self.printed)

    @property
    def verified(self) -> bool:
        """Whether the number itself was read in its source or measured, neither estimated nor remembered."""
        return self.evidence in ("read", "measured")


def comparable(figure: Figure) -> bool:
    """Whether it may stand beside ours of its metric in its protocol: LPIPS of another backbone is another metric."""
    return figure.metric != _LPIPS or figure.backbone == _OUR_BACKBONE


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of one protocol that were published, or measured, together.

    Args:
        id: short name.
        title: what it shows.
        protocol: id of how all of it was measured.
        rate_unit: of the figures' rates.
        metrics: in the order of its columns.
        figures: all its numbers, row by row.
        note: what to know before using them; often empty.
    """

    id: str
    title: str
    protocol: str
    rate_unit: RateUnit
    metrics: tuple[str, ...]
    figures: tuple[Figure, ...]
    note: str = ""

    def select(
        self,
        *,
        method: str | None = None,
        set_id: str | None = None,
        metric: str | None = None,
        rate: float | None = None,
    ) -> Table:
        """Return the part of this table that fits all that is given; it may have no figures."""
        wanted = {"method": method, "set_id": set_id, "metric": metric, "rate": rate}
        figures = tuple(
            figure
            for figure in self.figures
            if all(value is None or getattr(figure, name) == value for name, value in wanted.items())
        )
        left = {figure.metric for figure in figures}
        return replace(self, figures=figures, metrics=tuple(name for name in self.metrics if name in left))

    def figure(self, *, method: str, set_id: str, metric: str, rate: float | None = None) -> Figure:
        """Return the one figure of a method, set, metric and rate.

        Raises:
            BenchmarkError: if there is none, or more than one setting of it.
        """
        found = self.select(method=method, set_id=set_id, metric=metric, rate=rate).figures
        if len(found) != 1:
            asked = f"{method} on {set_id} at {rate}, {metric}"
            raise BenchmarkError(f"table '{self.id}' has {len(found)} figures for {asked}; expected one")
        return found[0]


@dataclass(frozen=True, slots=True)
class MissingFigures:
    """A method whose figures in a protocol are printed somewhere, but are not here.

    Args:
        method: as its authors name it.
        set_id: of the pictures.
        protocol: id of how they were measured.
        source: where to find them.
    """

    method: str
    set_id: str
    protocol: str
    source: str


@dataclass(frozen=True, slots=True)
class Published:
    """All published figures at hand.

    Args:
        tables: by their order in the data.
        missing: what is known to exist and is not among them.
    """

    tables: tuple[Table, ...]
    missing: tuple[MissingFigures, ...]

    def table(self, table_id: str) -> Table:
        """Return the table of that id.

        Raises:
            BenchmarkError: if there is none.
        """
        found = next((table for table in self.tables if table.id == table_id), None)
        if found is None:
            names = ", ".join(table.id for table in self.tables)
            raise BenchmarkError(f"unknown published table '{table_id}'; expected one of {names}")
        return found

    def beside(self, protocol: Protocol, *, set_id: str) -> tuple[Table, ...]:
        """Return what may stand beside results of this protocol on this set: figures of the same protocol only."""
        parts = (table.select(set_id=set_id) for table in self.tables if table.protocol == protocol.id)
        return tuple(part for part in parts if part.figures)


def load_published() -> Published:
    """Read the figures that come with this package.

    Raises:
        BenchmarkError: if the data are damaged.
    """
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return parse_published(text)


def parse_published(text: str) -> Published:
    """Read figures from JSON text.

    Raises:
        BenchmarkError: if it is not of this schema, names an unknown protocol, or has a number that is none.
    """
    try:
        contents = json.loads(text)
        if contents["schema_version"] != SCHEMA_VERSION:
            raise BenchmarkError(
                f"published figures of schema {contents['schema_version']} given; expected {SCHEMA_VERSION}"
            )
        tables = tuple(_parse_table(table) for table in contents["tables"])
        missing = tuple(
            MissingFigures(entry["method"], entry["set"], find_protocol(entry["protocol"]).id, entry["source"])
            for entry in contents["missing"]
        )
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise BenchmarkError(f"the published figures are damaged ({type(cause).__name__}: {cause})") from cause
    return Published(tables, missing)


def _parse_table(table: Mapping[str, Any]) -> Table:
    return Table(
        id=table["id"],
        title=table["title"],
        protocol=find_protocol(table["protocol"]).id,
        rate_unit=table["rate_unit"],
        metrics=tuple(table["metrics"]),
        figures=tuple(figure for row in table["rows"] for figure in _parse_row(row, table)),
        note=table.get("note", ""),
    )


def _parse_row(row: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[Figure]:
    """A row has one printed number, or null, for each metric; source and evidence are the table's unless it says.

    A table with LPIPS says by which backbone, or null where that is not known.
    """
    for metric, printed in zip(table["metrics"], row["values"], strict=True):
        if printed is None:
            continue
        float(printed)  # a ValueError if it is no number
        yield Figure(
            method=row["method"],
            set_id=row["set"],
            rate=row["rate"],
            metric=metric,
            printed=printed,
            evidence=row.get("evidence", table["evidence"]),
            source=row.get("source", table["source"]),
            protocol=table["protocol"],
            setting=row.get("setting", ""),
            backbone=table["lpips_backbone"] if metric == _LPIPS else None,
        )
