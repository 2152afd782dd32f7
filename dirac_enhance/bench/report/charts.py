"""The charts of one table: each metric over the rate, and what enhancing trades for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from dirac_enhance.bench.cells import Cell
from dirac_enhance.bench.measures import Measure
from dirac_enhance.bench.report.curves import Curve, Point, draw_curves, draw_swatch
from dirac_enhance.bench.report.markup import Markup, element
from dirac_enhance.bench.report.tables import format_value
from dirac_enhance.bench.results_table import ResultsTable, format_figure
from dirac_enhance.bench.series import Series

_SHADES = 6
"""Colours from fidelity to realism, and colours of peers, in the style sheet."""

_AS_GAIN = "as-gain"
_VIEWS = element(
    "div",
    element("button", "values", type="button", aria_pressed="true", data_view="as-value"),
    element("button", "difference to the decoded picture", type="button", aria_pressed="false", data_view=_AS_GAIN),
    class_="views",
    role="group",
    aria_label="What the curves show",
)


def render_charts(table: ResultsTable) -> Markup:
    """Render the charts with their legends; empty where no figure has a rate in bits per pixel."""
    series = table.series
    styles = _styles(series)
    charts = [chart for measure in table.measures if (chart := _over_rate(table, measure, styles))]
    trades = [chart for codec in table.codecs if (chart := _trade(table, codec))]
    if not charts and not trades:
        return Markup()
    legend = [
        element(
            "li",
            element(
                "button",
                draw_swatch(style, key),
                f"{_name(table, each)}{each.marks()}",
                type="button",
                aria_pressed="false",
                data_key=key,
            ),
        )
        for key, (each, style) in enumerate(zip(series, styles, strict=True))
        if any(table.bits_per_pixel(cell) is not None for cell in each.cells.values())
    ]
    return element(
        "div",
        element("ul", *legend, class_="legend"),
        _VIEWS if any(_AS_GAIN in chart for chart in charts) else "",
        element("div", *charts, *trades, class_="charts"),
        class_="plots",
    )


def _name(table: ResultsTable, series: Series) -> str:
    """Name a series, with its codec where there are several."""
    return series.label if len(table.codecs) == 1 and series.key.method != "base" else series.name


def _styles(series: Sequence[Series]) -> list[str]:
    """The class of each series: steps go through the shades from fidelity to realism, others take one each."""
    steps = sorted({each.key.steps or 0 for each in series if each.key.method == "steps"})
    others = count()
    return [_style(each, steps, others=others) for each in series]


def _style(series: Series, steps: Sequence[int], *, others: count[int]) -> str:
    key = series.key
    if key.method == "base":
        return "base"
    if key.method != "steps":
        return f"other-{next(others) % _SHADES} {key.method}"
    shade = _shade(steps.index(key.steps or 0), of=len(steps))
    return f"shade-{shade}{' averaged' if key.samples > 1 else ''}"


def _shade(place: int, *, of: int) -> int:
    return _SHADES - 1 if of == 1 else round(place * (_SHADES - 1) / (of - 1))


def _over_rate(table: ResultsTable, measure: Measure, styles: Sequence[str]) -> Markup:
    """Draw a metric over the rate twice: as it is, and as its difference to the base's, where curves lie close."""
    values, gains = [], []
    for key, series in enumerate(table.series):
        base = table.base(series.key.codec)
        points = _points(table, series, measure)
        label = f"{_name(table, series)}{series.marks(measure.id)}"
        curve = Curve(label, styles[key], key, tuple(points.values()), key)
        values.append(curve)
        gains.append(replace(curve, points=() if base is None else _differences(points, _points(table, base, measure))))
    title = f"Rate–{'distortion' if measure.higher_is_better else 'perception'}: {measure.heading}"
    lines = sum(bool(curve.points) for curve in gains)
    difference = (gains, f"difference in {measure.heading}") if lines > 1 else None
    return _figure(title, values, labels=("bits per pixel", measure.heading), difference=difference)


def _points(table: ResultsTable, series: Series, measure: Measure) -> dict[float, Point]:
    """Rate → the point of a series there, by rising bits per pixel."""
    points = {
        rate: Point(bpp, mean, f"{_name(table, series)}: {_figure_text(cell, measure, mean)} at {bpp:.3f} bpp")
        for rate, cell in series.cells.items()
        if (mean := cell.mean(measure.id)) is not None and (bpp := table.bits_per_pixel(cell)) is not None
    }
    return dict(sorted(points.items(), key=lambda each: each[1].x))


def _figure_text(cell: Cell, measure: Measure, mean: float) -> str:
    """Print a figure: as it was published, with its mark; or as it was measured, with a real minus."""
    return format_figure(cell, measure) if cell.published is not None else format_value(mean, measure.digits)


def _differences(points: Mapping[float, Point], base: Mapping[float, Point]) -> tuple[Point, ...]:
    """Points moved down by the base's at the same rate factor."""
    return tuple(
        Point(point.x, point.y - base[rate].y, f"{point.text}; {base[rate].text}")
        for rate, point in points.items()
        if rate in base
    )


def _trade(table: ResultsTable, codec: str) -> Markup:
    """Draw the way from fidelity to realism at each rate: gain in the first distortion over that in perception."""
    base = table.base(codec)
    ours = [each for each in table.of_codec(codec) if each.key.method == "steps" and each.key.samples == 1]
    down = next((measure for measure in table.measures if measure.higher_is_better), None)
    across = next((measure for measure in table.measures if not measure.higher_is_better), None)
    if base is None or len(ours) < 2 or down is None or across is None:
        return Markup()
    rates = [rate for rate in base.cells if any(rate in series.cells for series in ours)]
    curves = []
    for place, rate in enumerate(rates):
        points = [_gain(series, base, rate, (across, down)) for series in ours if rate in series.cells]
        style = f"shade-{_shade(place, of=len(rates))}"
        curves.append(
            Curve(f"rate {rate:g}", style, place, _tag_ends([point for point in points if point is not None]))
        )
    return _figure(
        f"Distortion–perception: what each step changes of {codec}",
        curves,
        labels=(f"change of {across.heading}, %", f"gain in {down.heading}"),
        legend=[element("li", draw_swatch(curve.style, curve.mark), curve.label) for curve in curves],
    )


def _gain(series: Series, base: Series, rate: float, measures: tuple[Measure, Measure]) -> Point | None:
    """Where a step lies from its base: relatively in the first metric, absolutely in the second."""
    start = [base.cells[rate].mean(measure.id) for measure in measures]
    end = [series.cells[rate].mean(measure.id) for measure in measures]
    if start[0] is None or start[1] is None or end[0] is None or end[1] is None or not start[0]:
        return None
    change, gain = 100 * (end[0] / start[0] - 1), end[1] - start[1]
    text = f"{series.label}: {format_value(change, 1)} %, {format_value(gain, measures[1].digits)}"
    return Point(change, gain, text, f"{series.cells[rate].key.steps}")


def _tag_ends(points: Sequence[Point]) -> tuple[Point, ...]:
    """Leave the steps standing beside the first and the last point only."""
    last = len(points) - 1
    return tuple(point if place in (0, last) else replace(point, tag="") for place, point in enumerate(points))


def _figure(
    title: str,
    curves: Sequence[Curve],
    *,
    labels: tuple[str, str],
    difference: tuple[Sequence[Curve], str] | None = None,
    legend: Sequence[Markup] = (),
) -> Markup:
    chart = draw_curves(curves, title=title, x_label=labels[0], y_label=labels[1])
    if not chart:
        return Markup()
    views = [element("div", chart, class_="as-value" if difference else None)]
    if difference is not None:
        other = draw_curves(difference[0], title=title, x_label=labels[0], y_label=difference[1])
        views.append(element("div", other, class_=_AS_GAIN))
    parts = [element("ul", *legend, class_="legend small")] if legend else []
    return element("figure", element("figcaption", title), *views, *parts)
