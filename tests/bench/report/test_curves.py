"""Curves: axes, grid and what is drawn on them."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from dirac_enhance.bench.report.curves import HEIGHT, WIDTH, Curve, Point, draw_curves, draw_swatch, ticks


def _draw(*points: tuple[float, float]) -> ElementTree.Element:
    curve = Curve("a curve", "base", 0, tuple(Point(x, y, f"{x:g}, {y:g}") for x, y in points), 0)
    return _parse(draw_curves([curve], title="t", x_label="x", y_label="y"))


def _parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (23.1, 38.2, [25, 30, 35]),
        (-25.0, 12.0, [-20, -10, 0, 10]),
        (0.0051, 0.0092, [0.006, 0.007, 0.008, 0.009]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_line_goes_through_its_points_inside_the_frame() -> None:
    svg = _draw((0.25, 24), (0.5, 28), (1.0, 31))

    path = svg.find("g/path")
    assert path is not None
    places = [tuple(map(float, part.split())) for part in path.attrib["d"].replace("M", "L").split("L")[1:]]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)
    assert [title.text for title in svg.iter("title")] == ["0.25, 24", "0.5, 28", "1, 31"]


def test_wide_rates_are_laid_out_by_their_logarithm() -> None:
    svg = _draw((0.25, 24), (0.5, 28), (4.0, 31))

    labels = [text.text for text in svg.iter("text")]
    assert labels[:5] == ["0.25", "0.5", "1", "2", "4"]


def test_points_that_are_not_finite_are_left_out() -> None:
    assert len(list(_draw((0.25, 24), (0.5, math.inf), (math.nan, 3), (1, 31)).iter("title"))) == 2
    infinite = Curve("c", "base", 0, (Point(1, math.inf, ""),))
    assert draw_curves([infinite], title="t", x_label="x", y_label="y") == ""


@pytest.mark.parametrize("y", [0.0, 31.5, -2.0])
def test_single_point_has_axes(y: float) -> None:
    assert len(list(_draw((0.5, y)).iter("title"))) == 1


def test_negative_ticks_have_a_real_minus() -> None:
    labels = {text.text for text in _draw((-25, 0), (12, 1)).iter("text")}

    assert {"−20", "−10", "0", "10"} <= labels


@pytest.mark.parametrize("mark", range(7))
def test_swatch_is_an_image_for_the_eye_only(mark: int) -> None:
    assert _parse(draw_swatch("base", mark)).attrib["aria-hidden"] == "true"
