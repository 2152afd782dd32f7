"""Plots of results, as in DIRAC's figures 3, 6 and 7: rate–distortion, rate–perception, and the way between the two."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dirac_enhance import BenchmarkError
from dirac_enhance.atomic import write_atomically
from dirac_enhance.bench.measures import Measure
from dirac_enhance.bench.published_markdown import LEGEND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dirac_enhance.bench.cells import Cell, Method
    from dirac_enhance.bench.results_table import ResultsTable
    from dirac_enhance.bench.series import Series

_INCHES = (6.0, 4.4)
_DOTS_PER_INCH = 150
_STYLES: Mapping[Method, Mapping[str, Any]] = MappingProxyType(
    {
        "base": {"color": "black", "linestyle": "--", "marker": "s"},
        "published": {"linestyle": ":", "marker": "d"},
    }
)


def plot_tables(tables: Sequence[ResultsTable], folder: Path) -> list[Path]:
    """Draw what each table has curves for; a picture that is already there is replaced.

    Args:
        tables: of one set and one protocol each.
        folder: created if it is not there.

    Returns:
        The PNG files written: `rate-distortion`, `rate-perception` and `distortion-perception`, with the set's name and
        the protocol where there are several tables.

    Raises:
        BenchmarkError: if matplotlib is not installed, there is nothing to draw, or a file cannot be written.
    """
    written = []
    for table in tables:
        suffix = "" if len(tables) == 1 else f"-{_file_name(table.set_name)}-{table.protocol.id}"
        for name, draw in _DRAWINGS.items():
            figure = draw(table)
            if figure is not None:
                path = folder / f"{name}{suffix}.png"
                _save(figure, path)
                written.append(path)
    if not written:
        raise BenchmarkError("nothing to draw: the results have no cell with both a rate and a metric")
    return written


def _file_name(text: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in text).strip("-").lower()


def plot_rate_distortion(table: ResultsTable) -> Figure | None:
    """Draw bits per pixel against each measure of distortion, a curve for each method; None if there is none."""
    return _plot_rates(table, [each for each in table.measures if each.higher_is_better])


def plot_rate_perception(table: ResultsTable) -> Figure | None:
    """Draw bits per pixel against each perceptual distance, a curve for each method; None if there is none."""
    return _plot_rates(table, [each for each in table.measures if not each.higher_is_better])


def plot_traversal(table: ResultsTable) -> Figure | None:
    """Draw the way from fidelity to realism: distortion against perception, a curve through the steps for each rate.

    The plain codec is a square, the first and the last step are named, other methods are crosses; realism grows
    downwards, fidelity to the right. None if there are not both kinds of measure.
    """
    distortion = next((each for each in table.measures if each.higher_is_better), None)
    perceptual = [each for each in table.measures if not each.higher_is_better]
    if distortion is None or not perceptual or not any(cell.key.method == "steps" for cell in table.cells):
        return None
    figure, panels = _panels(table, len(perceptual))
    for axes, measure in zip(panels, perceptual, strict=True):
        axes.set_xlabel(distortion.heading)
        axes.set_ylabel(measure.heading)
        for index, rate in enumerate(_rates(table.cells)):
            here = [cell for cell in table.cells if cell.key.rate == rate and _has(cell, distortion, measure)]
            _draw_rate(axes, here, (distortion, measure), label=f"rate {rate:g}", colour=f"C{index % 10}")
        _finish(axes)
    return figure


_DRAWINGS: dict[str, Callable[[ResultsTable], Figure | None]] = {
    "rate-distortion": plot_rate_distortion,
    "rate-perception": plot_rate_perception,
    "distortion-perception": plot_traversal,
}


def _draw_rate(
    axes: Axes, cells: Sequence[Cell], measures: tuple[Measure, Measure], *, label: str, colour: str
) -> None:
    walks: dict[object, list[Cell]] = {}
    for cell in cells:
        key = cell.key
        if key.method == "steps":
            walks.setdefault((key.weights_sha256, key.samples, key.spacing, key.late_start, key.seed), []).append(cell)
    for number, walk in enumerate(walks.values()):
        walk.sort(key=lambda cell: cell.key.steps or 0)
        samples = walk[0].key.samples
        note = f"{label}, mean of {samples}" if samples > 1 else label
        x, y = ([_mean(cell, measure) for cell in walk] for measure in measures)
        axes.plot(x, y, marker="o", markersize=4, color=colour, linestyle=("-", ":", "-.")[number % 3], label=note)
        for end in dict.fromkeys((0, len(walk) - 1)):
            steps = str(walk[end].key.steps)
            axes.annotate(steps, (x[end], y[end]), textcoords="offset points", xytext=(5, 3), fontsize=7)
    for cell in cells:
        if cell.key.method != "steps":
            x_value, y_value = (_mean(cell, measure) for measure in measures)
            if cell.key.method == "base":
                axes.plot([x_value], [y_value], marker="s", color=colour, markerfacecolor="white", linestyle="")
            else:
                axes.plot([x_value], [y_value], marker="x", color=colour, linestyle="")
                name = f"{cell.key.peer or ''}{_marks(cell, *measures)}"
                axes.annotate(name, (x_value, y_value), textcoords="offset points", xytext=(5, -8), fontsize=7)


def _plot_rates(table: ResultsTable, measures: Sequence[Measure]) -> Figure | None:
    drawable = [
        each for each in measures if any(_has(cell, each) and table.bits_per_pixel(cell) for cell in table.cells)
    ]
    if not drawable:
        return None
    figure, panels = _panels(table, len(drawable))
    for axes, measure in zip(panels, drawable, strict=True):
        axes.set_xlabel("bits per pixel")
        axes.set_ylabel(measure.heading)
        axes.set_xscale("log")
        for each in table.series:
            points = [
                (bpp, mean)
                for cell in each.cells.values()
                if (bpp := table.bits_per_pixel(cell)) and (mean := cell.mean(measure.id)) is not None
            ]
            if points:
                style = _STYLES.get(each.key.method, {"marker": "o"})
                x, y = zip(*sorted(points), strict=True)
                axes.plot(x, y, markersize=4, label=_label(each, measure), **style)
        _finish(axes)
        axes.xaxis.set_major_formatter("{x:g}")
        low, high = axes.get_xlim()
        axes.xaxis.set_minor_formatter("{x:g}" if high < 10 * low else "")  # over a decade they would overlap
        axes.tick_params(axis="x", which="both", labelsize=8)
    return figure


def _label(series: Series, measure: Measure) -> str:
    """Name a curve; a published one with the marks of its figures of this measure."""
    if series.key.method != "published":
        return series.name
    return f"{series.name} (published){series.marks(measure.id)}"


def _marks(cell: Cell, *measures: Measure) -> str:
    """The marks of a cell's figures of these measures that are not verified."""
    marks = {} if cell.published is None else cell.published.marks
    return "".join(dict.fromkeys(marks[each.id] for each in measures if each.id in marks))


def _rates(cells: Iterable[Cell]) -> list[float]:
    return sorted({cell.key.rate for cell in cells if cell.key.method == "steps" and cell.key.rate is not None})


def _has(cell: Cell, *measures: Measure) -> bool:
    return all(cell.mean(each.id) is not None for each in measures)


def _mean(cell: Cell, measure: Measure) -> float:
    mean = cell.mean(measure.id)
    assert mean is not None  # the caller asked `_has`
    return mean


def _panels(table: ResultsTable, number: int) -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as cause:
        raise BenchmarkError("plots need matplotlib; run `pip install 'dirac-enhance[plots]'`") from cause
    figure = Figure(figsize=(_INCHES[0] * number, _INCHES[1]), layout="constrained")
    figure.suptitle(table.title, fontsize=9)
    if table.marks:
        figure.supxlabel("; ".join(LEGEND.get(mark, mark) for mark in table.marks), fontsize=7)
    axes = figure.subplots(1, number, squeeze=False)
    return figure, list(axes[0])


def _finish(axes: Axes) -> None:
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=7)


def _save(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DOTS_PER_INCH)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue(), overwrite=True)
    except OSError as cause:
        raise BenchmarkError(f"cannot write '{path}': {cause.strerror}") from cause
