"""Plots: which figures they draw where, what their curves are called, and what is written beside the points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench_results import NOT_CODED, make_cell, usual_cells, write_results
from dirac_enhance import BenchmarkError
from dirac_enhance.bench.results import read_results
from dirac_enhance.bench.results_table import ResultsTable, tables_of

pytest.importorskip("matplotlib", reason="plots need matplotlib")

from matplotlib.text import Annotation

from dirac_enhance.bench.plots import plot_rate_distortion, plot_rate_perception, plot_tables, plot_traversal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[str, list[float], list[float]]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., ResultsTable]:
    """The one table of a results file with these cells; by default JPEG, two steps, a peer and a published figure."""

    def read(*cells: dict[str, Any]) -> ResultsTable:
        file = write_results(tmp_path / "results.json", cells=list(cells) or usual_cells())
        (found,) = tables_of([read_results(file)])
        return found

    return read


def curves(axes: Axes) -> list[Curve]:
    """Label, x and y of every line, in the order they are drawn."""
    return [
        (str(line.get_label()), list(map(float, line.get_xdata())), list(map(float, line.get_ydata())))  # type: ignore[arg-type] # all are arrays
        for line in axes.lines
    ]


def labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def beside_points(axes: Axes) -> list[tuple[str, float, float]]:
    """Each text beside a point, and the point."""
    return [
        (text.get_text(), *map(float, text.xy))  # type: ignore[misc] # a point has two coordinates
        for text in axes.texts
        if isinstance(text, Annotation)
    ]


def panels(figure: Figure | None) -> list[Axes]:
    assert figure is not None
    return figure.axes


def approximately(expected: list[Curve]) -> list[tuple[str, Any, Any]]:
    return [(label, pytest.approx(x), pytest.approx(y)) for label, x, y in expected]


def test_rate_distortion_has_a_curve_a_method_over_bits_per_pixel(table: Callable[..., ResultsTable]) -> None:
    (axes,) = panels(plot_rate_distortion(table()))

    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("bits per pixel", "PSNR, dB", "log")
    bpp = [0.3, 0.6]
    expected = [
        ("jpeg, not enhanced", bpp, [26.5, 29.0]),
        ("jpeg, steps 1", bpp, [27.5, 30.0]),
        ("jpeg, steps 100", bpp, [27.0, 29.5]),
        ("jpeg, jpeg2png", bpp, [26.75, 29.25]),
        ("jpeg, Somebody (published)", bpp, [27.25, 29.75]),
    ]
    assert curves(axes) == approximately(expected)
    assert labels(axes) == [label for label, _, _ in expected]


def test_rate_perception_has_a_panel_a_distance_and_only_curves_that_have_it(
    table: Callable[..., ResultsTable],
) -> None:
    cells = usual_cells()
    cells[0]["metrics"]["fid256"] = {"mean": 40.0, "values": []}
    lpips, fid = panels(plot_rate_perception(table(*cells)))

    assert [axes.get_ylabel() for axes in (lpips, fid)] == ["LPIPS", "FID/256"]
    assert curves(lpips) == approximately(
        [
            ("jpeg, not enhanced", [0.3, 0.6], [0.32, 0.32]),
            ("jpeg, steps 1", [0.3, 0.6], [0.28, 0.28]),
            ("jpeg, steps 100", [0.3, 0.6], [0.2, 0.2]),
            ("jpeg, jpeg2png", [0.3, 0.6], [0.33, 0.33]),
        ]
    )
    assert curves(fid) == approximately([("jpeg, not enhanced", [0.3], [40.0])])


def test_curves_follow_the_rate_whatever_the_order_of_the_cells(table: Callable[..., ResultsTable]) -> None:
    (axes,) = panels(plot_rate_distortion(table(*reversed(usual_cells()))))

    assert {tuple(x) for _, x, _ in curves(axes)} == {(0.3, 0.6)}


def test_plain_codec_is_dashed_and_square_and_published_curves_are_dotted(table: Callable[..., ResultsTable]) -> None:
    (axes,) = panels(plot_rate_distortion(table()))
    styles = [(str(line.get_linestyle()), str(line.get_marker())) for line in axes.lines]

    assert styles == [("--", "s"), ("-", "o"), ("-", "o"), ("-", "o"), (":", "d")]
    assert axes.lines[0].get_color() == "black"


def test_traversal_goes_through_the_steps_of_each_rate_from_the_first_to_the_last(
    table: Callable[..., ResultsTable],
) -> None:
    cells = usual_cells() + [
        make_cell("steps", rate, {"psnr": decibels, "lpips": 0.24}, steps=90, evaluations=2)
        for rate, decibels in ((10, 27.3), (20, 29.8))
    ]
    (axes,) = panels(plot_traversal(table(*cells)))

    assert (axes.get_xlabel(), axes.get_ylabel()) == ("PSNR, dB", "LPIPS")
    walks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [(str(line.get_label()), str(line.get_color())) for line in walks] == [("rate 10", "C0"), ("rate 20", "C1")]
    assert [curve for curve in curves(axes) if curve[0].startswith("rate")] == approximately(
        [("rate 10", [27.5, 27.3, 27.0], [0.28, 0.24, 0.2]), ("rate 20", [30.0, 29.8, 29.5], [0.28, 0.24, 0.2])]
    )
    assert labels(axes) == ["rate 10", "rate 20"]
    assert [each for each in beside_points(axes) if each[0] != "jpeg2png"] == [
        ("1", 27.5, 0.28),
        ("100", 27.0, 0.2),
        ("1", 30.0, 0.28),
        ("100", 29.5, 0.2),
    ]


def test_traversal_has_the_plain_codec_as_a_square_and_others_as_crosses(table: Callable[..., ResultsTable]) -> None:
    (axes,) = panels(plot_traversal(table()))
    points = {
        marker: [
            (x[0], y[0])
            for line, (_, x, y) in zip(axes.lines, curves(axes), strict=True)
            if line.get_marker() == marker
        ]
        for marker in ("s", "x")
    }

    assert points == {"s": [(26.5, 0.32), (29.0, 0.32)], "x": [(26.75, 0.33), (29.25, 0.33)]}
    assert all(line.get_markerfacecolor() == "white" for line in axes.lines if line.get_marker() == "s")
    assert [each for each in beside_points(axes) if each[0] == "jpeg2png"] == [
        ("jpeg2png", 26.75, 0.33),
        ("jpeg2png", 29.25, 0.33),
    ]


def test_walks_of_several_samples_and_a_single_step_are_named(table: Callable[..., ResultsTable]) -> None:
    cells = [
        make_cell("steps", 10, {"psnr": 27.0, "lpips": 0.2}),
        make_cell("steps", 10, {"psnr": 27.6, "lpips": 0.22}, samples=8, evaluations=24),
    ]
    (axes,) = panels(plot_traversal(table(*cells)))

    assert labels(axes) == ["rate 10", "rate 10, mean of 8"]
    assert [text for text, *_ in beside_points(axes)] == ["100", "100"]


def published(mark: str) -> dict[str, Any]:
    printed = {"source": "a paper", "verified": False, "figures": {"psnr": "27.7"}, "marks": {"psnr": mark}}
    metrics = {"psnr": 27.7, "lpips": 0.25}
    return make_cell("published", 10, metrics, peer="Elsewhere", bpp=NOT_CODED, published=printed)


@pytest.mark.parametrize(
    ("mark", "meaning"), [("†", "† remembered, not verified: check before quoting"), ("≈", "≈ read off a plot")]
)
def test_unverified_figures_are_marked_in_the_legend_and_explained(
    table: Callable[..., ResultsTable], mark: str, meaning: str
) -> None:
    both = table(*usual_cells(), published(mark))
    distortion, perception, traversal = plot_rate_distortion(both), plot_rate_perception(both), plot_traversal(both)

    assert f"jpeg, Elsewhere (published){mark}" in labels(*panels(distortion))
    assert "jpeg, Somebody (published)" in labels(*panels(distortion))
    assert "jpeg, Elsewhere (published)" in labels(*panels(perception)), "its LPIPS is verified"
    assert (f"Elsewhere{mark}", 27.7, 0.25) in beside_points(*panels(traversal))
    for figure in (distortion, perception, traversal):
        assert figure is not None
        assert figure.get_supxlabel() == meaning


def test_nothing_is_explained_where_all_is_verified(table: Callable[..., ResultsTable]) -> None:
    figure = plot_rate_distortion(table())

    assert figure is not None
    assert figure.get_supxlabel() == ""


def test_there_is_no_picture_of_what_was_not_measured(table: Callable[..., ResultsTable], tmp_path: Path) -> None:
    plain = table(make_cell("base", 10, {"psnr": 26.5}))

    assert plot_rate_perception(plain) is plot_traversal(plain) is None
    assert [path.name for path in plot_tables([plain], tmp_path)] == ["rate-distortion.png"]
    with pytest.raises(BenchmarkError, match="nothing to draw"):
        plot_tables([table(make_cell("base", 10, {}))], tmp_path)
