"""Published figures as cells, to stand beside what was measured here in the same protocol on the same set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from dirac_enhance.bench.cells import Cell, CellKey, Printed, Values
from dirac_enhance.bench.measures import MEASURES
from dirac_enhance.bench.protocols import PROTOCOLS, also_meets, find_protocol
from dirac_enhance.bench.published import Figure, Table, comparable, load_published
from dirac_enhance.bench.published_markdown import MARKS
from dirac_enhance.bench.results import Results


def published_beside(results: Results) -> tuple[Cell, ...]:
    """Return what was published on the set of results, in protocols, of metrics and at rates that they have."""
    ours = [cell for cell in results.cells if cell.key.method != "published"]
    return published_cells(
        set_name=results.set_name,
        protocols=sorted({cell.key.protocol for cell in ours}),
        measures={name for cell in ours for name in cell.metrics},
        rates={cell.key.rate for cell in ours if cell.key.rate is not None},
    )


def with_published(results: Results) -> Results:
    """Add `published_beside` to results; published figures of an earlier run give way to those of today."""
    ours = tuple(cell for cell in results.cells if cell.key.method != "published")
    return replace(results, cells=ours).with_cells(published_beside(results))


def published_cells(
    *, set_name: str, protocols: Iterable[str], measures: Collection[str], rates: Collection[float]
) -> tuple[Cell, ...]:
    """Return what was published on a set in a protocol that ours meet, but for LPIPS of other backbones.

    Args:
        set_name: a preset's id, or as published figures name it.
        protocols: ids of how our cells are measured.
        measures: ids of the metrics wanted.
        rates: rate factors wanted; figures given by bits per pixel are taken at any.
    """
    met: dict[str, set[str]] = {}
    for protocol in protocols:
        met.setdefault(protocol, set()).update(measures)
        for other, shared in also_meets(protocol).items():
            met.setdefault(other, set()).update(set(shared) & set(measures))
    found: dict[CellKey, Cell] = {}
    published = load_published()
    for protocol_id in (each for each in PROTOCOLS if each in met):
        for table in published.beside(find_protocol(protocol_id), set_id=set_name):
            for cell in _cells(table, met[protocol_id], rates):
                found.setdefault(cell.key, cell)
    return tuple(found.values())


def _cells(table: Table, measures: Collection[str], rates: Collection[float]) -> Iterator[Cell]:
    names = {measure.published: measure.id for measure in MEASURES.values() if measure.id in measures}
    rows: dict[tuple[str, float | None], list[Figure]] = {}
    settings = _settings(table)
    for figure in table.figures:
        if figure.metric in names and comparable(figure) and (table.rate_unit != "quality" or figure.rate in rates):
            setting = figure.setting if settings[figure.method] else ""
            method = f"{figure.method} ({setting})" if setting else figure.method
            rows.setdefault((method, figure.rate), []).append(figure)
    for (method, rate), figures in rows.items():
        by_quality = table.rate_unit == "quality"
        key = CellKey(
            codec="jpeg" if by_quality else method,
            rate=rate if by_quality else None,
            method="published",
            protocol=table.protocol,
            # A method that several tables, or several rates in bits per pixel, have, is told apart by these.
            peer=method if by_quality or rate is None else f"{method} at {rate:g} bpp",
        )
        yield Cell(
            key,
            bpp=Values(None if by_quality else rate),
            metrics={names[figure.metric]: Values(figure.value) for figure in figures},
            published=Printed(
                source="; ".join(dict.fromkeys(figure.source for figure in figures)),
                verified=all(figure.verified for figure in figures),
                figures={names[figure.metric]: figure.printed for figure in figures},
                marks={names[figure.metric]: MARKS[figure.evidence] for figure in figures if not figure.verified},
            ),
        )


def _settings(table: Table) -> dict[str, bool]:
    """Method → whether its settings are variants of it; one of each rate, such as "QP 37", only names that rate."""
    rates: dict[str, dict[str, set[float | None]]] = {}
    for figure in table.figures:
        rates.setdefault(figure.method, {}).setdefault(figure.setting, set()).add(figure.rate)
    return {
        method: len(of_setting) == 1 or any(len(each) > 1 for each in of_setting.values())
        for method, of_setting in rates.items()
    }
