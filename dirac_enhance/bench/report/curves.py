"""Curves drawn as inline SVG, whose colours the page's style sheet chooses for light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dirac_enhance.bench.report.markup import Markup, element, join

WIDTH, HEIGHT = 460, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 44
_WIDE_RANGE = 5
"""Ratio between the ends of an axis from which it is logarithmic."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a curve: where it lies, what a reader who points at it is told, and what stands beside it."""

    x: float
    y: float
    text: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points.

    Args:
        label: what it shows.
        style: the class that gives it its colour.
        mark: number of the form of its marks.
        points: in the order in which they are joined.
        key: ties it to its entry in the legend; None where there is nothing to tie.
    """

    label: str
    style: str
    mark: int
    points: tuple[Point, ...]
    key: int | None = None


@dataclass(frozen=True, slots=True)
class _Axis:
    """A range of values laid on pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def place(self, value: float) -> float:
        low, high, at = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)


def draw_curves(curves: Sequence[Curve], *, title: str, x_label: str, y_label: str) -> Markup:
    """Draw curves with axes and grid; points that are not finite are left out.

    Args:
        curves: in the order in which they are drawn, the last on top.
        title: for those who do not see it.
        x_label, y_label: of the axes, with their units.

    Returns:
        An `svg` element; empty markup if there is no finite point.
    """
    curves = [_finite(curve) for curve in curves]
    points = [point for curve in curves for point in curve.points]
    if not points:
        return Markup()
    x_values = [point.x for point in points]
    wide = min(x_values) > 0 and max(x_values) / min(x_values) >= _WIDE_RANGE
    x_axis = _make_axis(x_values, start=_LEFT, end=WIDTH - _RIGHT, logarithmic=wide)
    y_axis = _make_axis([point.y for point in points], start=HEIGHT - _BOTTOM, end=_TOP, logarithmic=False)
    return element(
        "svg",
        _grid(x_axis, y_axis),
        element("text", x_label, x=(_LEFT + WIDTH - _RIGHT) / 2, y=HEIGHT - 6, class_="axis", text_anchor="middle"),
        element(
            "text",
            y_label,
            class_="axis",
            text_anchor="middle",
            transform=f"translate(13 {(_TOP + HEIGHT - _BOTTOM) / 2}) rotate(-90)",
        ),
        *(_draw(curve, x_axis, y_axis) for curve in curves if curve.points),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title}: {'; '.join(curve.label for curve in curves if curve.points)}",
        class_="chart",
    )


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Return about `count` round numbers from `low` to `high`."""
    raw = (high - low) / count
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of two."""
    powers = range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)
    return [2.0**power for power in powers if low * 0.999 <= 2.0**power <= high * 1.001]


def _finite(curve: Curve) -> Curve:
    points = [point for point in curve.points if math.isfinite(point.x) and math.isfinite(point.y)]
    return replace(curve, points=tuple(points))


def _make_axis(values: Sequence[float], *, start: float, end: float, logarithmic: bool) -> _Axis:
    low, high = min(values), max(values)
    if logarithmic:
        margin = (high / low) ** 0.05
        return _Axis(low / margin, high * margin, start, end, logarithmic=True)
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 1.0
    floor = 0.0 if low >= 0 and low < 0.35 * high else low - margin
    return _Axis(floor, high + margin, start, end, logarithmic=False)


def _grid(x_axis: _Axis, y_axis: _Axis) -> Markup:
    def marks(axis: _Axis) -> list[float]:
        return _log_ticks(axis.low, axis.high) if axis.logarithmic else ticks(axis.low, axis.high)

    lines: list[Markup] = []
    for value in marks(x_axis):
        x = f"{x_axis.place(value):.1f}"
        lines.append(element("line", x1=x, x2=x, y1=_TOP, y2=HEIGHT - _BOTTOM, class_="grid"))
        lines.append(element("text", _minus(f"{value:g}"), x=x, y=HEIGHT - _BOTTOM + 17, text_anchor="middle"))
    for value in marks(y_axis):
        y = y_axis.place(value)
        lines.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"))
        lines.append(element("text", _minus(f"{value:.6g}"), x=_LEFT - 7, y=f"{y + 4:.1f}", text_anchor="end"))
    return join(*lines)


def _minus(number: str) -> str:
    return number.replace("-", "−")


def _draw(curve: Curve, x_axis: _Axis, y_axis: _Axis) -> Markup:
    places = [(x_axis.place(point.x), y_axis.place(point.y), point) for point in curve.points]
    path = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y, _) in enumerate(places))
    mark = _MARKS[curve.mark % len(_MARKS)]
    return element(
        "g",
        element("path", d=path, class_="line"),
        *(element("path", element("title", point.text), d=mark(x, y), class_="mark") for x, y, point in places),
        *(
            element("text", point.tag, x=f"{x + 7:.1f}", y=f"{y + 3:.1f}", class_="beside")
            for x, y, point in places
            if point.tag
        ),
        class_=f"curve {curve.style}",
        data_key=curve.key,
    )


def draw_swatch(style: str, mark: int) -> Markup:
    """Draw what stands before a legend's entry: line and mark of the curve with this style and mark."""
    line = element("path", d="M1 8H27", class_="line")
    form = element("path", d=_MARKS[mark % len(_MARKS)](14, 8), class_="mark")
    return element("svg", line, form, viewBox="0 0 28 16", class_=f"swatch curve {style}", aria_hidden="true")


def _circle(x: float, y: float) -> str:
    return f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"


def _square(x: float, y: float) -> str:
    return f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7Z"


def _diamond(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z"


def _triangle(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 5:.1f}l4.8 8.5h-9.6Z"


def _cross(x: float, y: float) -> str:
    return f"M{x - 4.5:.1f} {y - 1.5:.1f}h3v-3h3v3h3v3h-3v3h-3v-3h-3Z"


_MARKS: tuple[Callable[[float, float], str], ...] = (_circle, _square, _diamond, _triangle, _cross)
