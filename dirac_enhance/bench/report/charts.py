"""The charts of one group: each metric over the rate, and what enhancing trades for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from dirac_enhance.bench.report.curves import Curve, Point, draw_curves, draw_swatch
from dirac_enhance.bench.report.groups import Group, Series
from dirac_enhance.bench.report.markup import Markup, element
from dirac_enhance.bench.report.metric_names import describe_metric
from dirac_enhance.bench.report.results import Cell
from dirac_enhance.bench.report.tables import format_value

_SHADES = 6
"""Colours from fidelity to realism, and colours of peers, in the style sheet."""

_TITLES = {"distortion": "Rate–distortion", "perception": "Rate–perception", "other": "Over the rate"}


_AS_GAIN = "as-gain"
_VIEWS = element(
    "div",
    element("button", "values", type="button", aria_pressed="true", data_view="as-value"),
    element("button", "difference to the decoded picture", type="button", aria_pressed="false", data_view=_AS_GAIN),
    class_="views",
    role="group",
    aria_label="What the curves show",
)


def render_charts(group: Group) -> Markup:
    """Render the charts with their legends; empty where no figure has a rate in bits per pixel."""
    styles = _styles(group.series)
    charts = [chart for metric in group.metrics if (chart := _over_rate(group, metric, styles))]
    trades = [chart for codec in group.codecs if (chart := _trade(group, codec))]
    if not charts and not trades:
        return Markup()
    legend = [
        element(
            "li",
            element(
                "button",
                draw_swatch(style, key),
                _full_label(group, series),
                type="button",
                aria_pressed="false",
                data_key=key,
            ),
        )
        for key, (series, style) in enumerate(zip(group.series, styles, strict=True))
        if _has_rate(group, series)
    ]
    return element(
        "div",
        element("ul", *legend, class_="legend"),
        _VIEWS if any(_AS_GAIN in chart for chart in charts) else "",
        element("div", *charts, *trades, class_="charts"),
        class_="plots",
    )


def _styles(series: Sequence[Series]) -> list[str]:
    """The class of each series: steps go through the shades from fidelity to realism, others take one each."""
    steps = sorted({cell.steps or 0 for each in series if each.method == "steps" for cell in each.cells.values()})
    others = count()
    return [_style(each, steps, others=others) for each in series]


def _style(series: Series, steps: Sequence[int], *, others: count[int]) -> str:
    if series.method == "base":
        return "base"
    if series.method != "steps":
        return f"other-{next(others) % _SHADES} {series.method}"
    cell = next(iter(series.cells.values()))
    shade = _shade(steps.index(cell.steps or 0), of=len(steps))
    return f"shade-{shade}{' averaged' if cell.samples > 1 else ''}"


def _shade(place: int, *, of: int) -> int:
    return _SHADES - 1 if of == 1 else round(place * (_SHADES - 1) / (of - 1))


def _full_label(group: Group, series: Series) -> str:
    return series.label if len(group.codecs) == 1 or series.method == "base" else f"{series.codec}: {series.label}"


def _bits_per_pixel(group: Group, series: Series, cell: Cell) -> float | None:
    """Of a figure; a method that codes nothing has those of its base."""
    base = group.base(series.codec)
    if cell.bpp is not None or base is None or cell.rate not in base.cells:
        return cell.bpp
    return base.cells[cell.rate].bpp


def _has_rate(group: Group, series: Series) -> bool:
    return any(_bits_per_pixel(group, series, cell) is not None for cell in series.cells.values())


def _over_rate(group: Group, metric: str, styles: Sequence[str]) -> Markup:
    """Draw a metric over the rate twice: as it is, and as its difference to the base's, where curves lie close."""
    name = describe_metric(metric)
    values, gains = [], []
    for key, series in enumerate(group.series):
        base = group.base(series.codec)
        points = _points(group, series, metric)
        curve = Curve(_full_label(group, series), styles[key], key, tuple(points.values()), key)
        values.append(curve)
        gains.append(replace(curve, points=() if base is None else _differences(points, _points(group, base, metric))))
    title = f"{_TITLES[name.axis]}: {name.heading}"
    labels = ("bits per pixel", name.heading)
    lines = sum(bool(curve.points) for curve in gains)
    difference = (gains, f"difference in {name.heading}") if lines > 1 else None
    return _figure(title, values, labels=labels, difference=difference)


def _points(group: Group, series: Series, metric: str) -> dict[float | None, Point]:
    """Rate factor → the point of a series there, by rising bits per pixel."""
    name, label = describe_metric(metric), _full_label(group, series)
    points = {
        rate: Point(bpp, value, f"{label}: {format_value(value, name.digits)} at {bpp:.3f} bpp")
        for rate, cell in series.cells.items()
        if (value := cell.metrics.get(metric)) is not None and (bpp := _bits_per_pixel(group, series, cell)) is not None
    }
    return dict(sorted(points.items(), key=lambda each: each[1].x))


def _differences(points: Mapping[float | None, Point], base: Mapping[float | None, Point]) -> tuple[Point, ...]:
    """Points moved down by the base's at the same rate factor."""
    return tuple(
        Point(point.x, point.y - base[rate].y, f"{point.text}; {base[rate].text}")
        for rate, point in points.items()
        if rate in base
    )


def _trade(group: Group, codec: str) -> Markup:
    """Draw the way from fidelity to realism at each rate: gain in the first distortion over that in perception."""
    axes = {describe_metric(metric).axis: metric for metric in reversed(group.metrics)}
    base = group.base(codec)
    ours = [
        series
        for series in group.of_codec(codec)
        if series.method == "steps" and next(iter(series.cells.values())).samples == 1
    ]
    if base is None or len(ours) < 2 or not {"distortion", "perception"} <= set(axes):
        return Markup()
    down, across = axes["distortion"], axes["perception"]
    rates = [rate for rate in base.cells if any(rate in series.cells for series in ours)]
    curves = []
    for place, rate in enumerate(rates):
        label = "rate unknown" if rate is None else f"rate {rate:g}"
        points = [_gain(series, base, rate, (across, down)) for series in ours if rate in series.cells]
        style = f"shade-{_shade(place, of=len(rates))}"
        curves.append(Curve(label, style, place, _tag_ends([point for point in points if point is not None])))
    names = describe_metric(across).heading, describe_metric(down).heading
    return _figure(
        f"Distortion–perception: what each step changes of {codec}",
        curves,
        labels=(f"change of {names[0]}, %", f"gain in {names[1]}"),
        legend=[element("li", draw_swatch(curve.style, curve.mark), curve.label) for curve in curves],
    )


def _gain(series: Series, base: Series, rate: float | None, metrics: tuple[str, str]) -> Point | None:
    """Where a step lies from its base: relatively in the first metric, absolutely in the second."""
    start, end = base.cells[rate].metrics, series.cells[rate].metrics
    if not all(metric in start and metric in end for metric in metrics) or not start[metrics[0]]:
        return None
    change = 100 * (end[metrics[0]] / start[metrics[0]] - 1)
    gain = end[metrics[1]] - start[metrics[1]]
    steps = series.cells[rate].steps
    return Point(change, gain, f"{series.label}: {format_value(change, 1)} %, {format_value(gain, 2)}", f"{steps}")


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
