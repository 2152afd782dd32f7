"""The pictures of the analyses: which figures they draw where, and what their curves are called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from appendix_figures import draw_residuals, draw_schedules
from dirac_enhance.diffusion.schedule import build_schedule
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from few_evaluations_pages import draw_planes
from trajectory_pages import draw_figure_7

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = tuple[str, list[float], list[float]]


def curves(axes: Axes) -> list[Curve]:
    """Label, x and y of every line, in the order they are drawn."""
    return [
        (str(line.get_label()), list(map(float, line.get_xdata())), list(map(float, line.get_ydata())))  # type: ignore[arg-type] # all are arrays
        for line in axes.lines
    ]


def tried(
    kind: str, start: int, end: int, evaluations: int, psnr: float, lpips: float, **others: Any
) -> dict[str, Any]:
    """A row of `few_evaluations.py`."""
    usual = {"quality": 10.0, "kind": kind, "solver": "ddim", "start": start, "end": end, "evaluations": evaluations}
    return {**usual, "psnr": psnr, "lpips_alex": lpips, **others}


PAPER, DEFAULT = ("the paper's 20", [29.5], [0.18]), ("the default 2", [29.9], [0.19])
FEW = [
    {"quality": 10.0, "kind": "base", "psnr": 28.0, "lpips_alex": 0.3},
    tried("paper", 190, 0, 20, 29.5, 0.18),
    tried("default", 190, 4, 2, 29.9, 0.19),
    tried("log-snr", 190, 4, 3, 29.7, 0.16),
    tried("log-snr", 190, 190, 1, 30.1, 0.25),
    tried("log-snr", 190, 4, 2, 30.0, 0.20),
    tried("log-snr", 190, 10, 2, 30.05, 0.21),
    tried("log-snr", 100, 4, 2, 29.8, 0.22),
    tried("log-snr", 190, 4, 3, 29.6, 0.17, solver="dpm-solver++"),
]


def test_plane_has_a_curve_a_spacing_through_its_numbers_of_evaluations() -> None:
    ddim, dpm = draw_planes({"rows": FEW}).axes

    assert [axes.get_title() for axes in (ddim, dpm)] == ["ddim, quality 10", "dpm-solver++, quality 10"]
    assert {(axes.get_xlabel(), axes.get_ylabel()) for axes in (ddim, dpm)} == {("PSNR (dB)", "LPIPS (AlexNet)")}
    shared = [("190 to 10", [30.1, 30.05], [0.25, 0.21]), ("100 to 4", [29.8], [0.22])]
    assert sorted(curves(ddim)) == sorted(
        [("190 to 4", [30.1, 30.0, 29.7], [0.25, 0.20, 0.16]), *shared, PAPER, DEFAULT]
    )
    assert sorted(curves(dpm)) == sorted(
        [("190 to 4", [30.1, 30.0, 29.6], [0.25, 0.20, 0.17]), *shared, PAPER, DEFAULT]
    )


def test_plane_names_the_last_number_of_each_curve_and_marks_the_standards() -> None:
    ddim, _ = draw_planes({"rows": FEW}).axes

    assert {(text.get_text(), *text.xy) for text in ddim.texts} == {  # type: ignore[attr-defined] # annotations have a point
        ("3", 29.7, 0.16),
        ("2", 30.05, 0.21),
        ("2", 29.8, 0.22),
    }
    markers = {str(line.get_label()): line.get_marker() for line in ddim.lines}
    assert (markers["the paper's 20"], markers["the default 2"], markers["190 to 4"]) == ("*", "D", "o")
    legend = ddim.get_legend()
    assert legend is not None
    assert sorted(text.get_text() for text in legend.get_texts()) == sorted(markers)


def test_plane_has_a_panel_a_quality() -> None:
    other = [{**row, "quality": 40.0, "psnr": row["psnr"] + 5, "lpips_alex": row["lpips_alex"] / 2} for row in FEW]
    panels = draw_planes({"rows": [*other, *FEW]}).axes

    assert [axes.get_title() for axes in panels] == [
        *("ddim, quality 10", "ddim, quality 40", "dpm-solver++, quality 10", "dpm-solver++, quality 40"),
    ]
    assert ("the paper's 20", [34.5], [0.09]) in curves(panels[1])


def position(quality: float, number: int, *, angle: float | None = None) -> dict[str, Any]:
    """A row of `trajectories.py`: its figures tell position and quality."""
    values = {"psnr": quality + number / 100, "lpips_alex": 0.3 - number / 1000}
    turn = None if angle is None else angle / 2
    return {"quality": quality, "kind": "position", "position": number, "angle": angle, "update_angle": turn, **values}


def late(quality: float, start: int, psnr: float, lpips: float) -> dict[str, Any]:
    return {"quality": quality, "kind": "late start", "late_start": start, "psnr": psnr, "lpips_alex": lpips}


FIGURE_7 = {
    "psnr_tolerance": 0.02,
    "lpips_tolerance": 0.001,
    "rows": [
        position(10.0, 0),
        position(10.0, 1),
        position(10.0, 100, angle=8.0),
        late(10.0, 90, 10.0, 0.3),
        late(10.0, 80, 11.0, 0.2),
        position(40.0, 0),
        position(40.0, 1),
        position(40.0, 100, angle=4.0),
        late(40.0, 80, 41.0, 0.2),
    ],
}


def test_figure_7_draws_angles_positions_and_late_starts_of_each_quality() -> None:
    angles, psnr, late_psnr, updates, lpips, late_lpips = draw_figure_7(FIGURE_7).axes

    assert curves(angles) == [("quality 10", [100], [8.0]), ("quality 40", [100], [4.0])]
    assert curves(updates) == [("quality 10", [100], [4.0]), ("quality 40", [100], [2.0])]
    assert curves(psnr) == [("quality 10", [0, 1, 100], [10, 10.01, 11]), ("quality 40", [0, 1, 100], [40, 40.01, 41])]
    assert curves(lpips) == [
        (f"quality {quality}", [0, 1, 100], [0.3, pytest.approx(0.299), pytest.approx(0.2)]) for quality in (10, 40)
    ]
    assert curves(late_psnr)[:2] == [("quality 10", [0, 80, 90], [11, 11, 10]), ("quality 40", [0, 80], [41, 41])]
    assert curves(late_lpips)[:2] == [
        ("quality 10", [0, 80, 90], [pytest.approx(0.2), 0.2, 0.3]),
        ("quality 40", [0, 80], [pytest.approx(0.2), 0.2]),
    ]


def test_figure_7_marks_the_last_late_start_without_loss() -> None:
    *_, late_psnr, _, _, late_lpips = draw_figure_7(FIGURE_7).axes

    for axes in (late_psnr, late_lpips):
        marks = axes.lines[2:]
        assert [(list(map(float, line.get_xdata())), line.get_linestyle()) for line in marks] == [  # type: ignore[arg-type] # all are arrays
            ([80, 80], ":"),
            ([80, 80], ":"),
        ]
        assert [line.get_color() for line in marks] == [line.get_color() for line in axes.lines[:2]] == ["C0", "C1"]


def test_figure_7_says_what_its_axes_are() -> None:
    panels = draw_figure_7(FIGURE_7).axes

    late_start = "late start; dotted: the last without loss"
    assert [axes.get_xlabel() for axes in panels] == ["position", "position", late_start] * 2
    assert [axes.get_ylabel() for axes in panels] == [
        *("angle between r̂₀ − rₜ (degrees)", "PSNR (dB)", "PSNR (dB)"),
        *("angle between updates of rₜ (degrees)", "LPIPS (AlexNet)", "LPIPS (AlexNet)"),
    ]
    legend = panels[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["quality 10", "quality 40"]


def trained(schedule: str, method: str, psnr: float, lpips: float) -> dict[str, Any]:
    """A row of `schedule_ablation.py`."""
    return {"quality": 10.0, "schedule": schedule, "method": method, "psnr": psnr, "lpips_alex": lpips}


def test_schedules_are_drawn_over_time_and_their_networks_between_distortion_and_perception() -> None:
    constants = {name: SCHEDULES[name] for name in ("linear", "cosine")}
    rows = [
        trained("linear", "base", 26.0, 0.3),
        trained("linear", "steps 1", 27.0, 0.25),
        trained("cosine", "steps 1", 27.1, 0.24),
        trained("linear", "steps 100, paper", 26.5, 0.2),
    ]
    over_time, plane = draw_schedules({"codec": "jpeg", "schedules": constants, "rows": rows}).axes

    for (label, x, y), name in zip(curves(over_time), constants, strict=True):
        signal = build_schedule(constants[name]).alpha_bar
        assert label == name
        assert x == pytest.approx([t / len(signal) for t in range(len(signal))])
        assert y == pytest.approx(signal.tolist())
    points = {
        (line.get_marker(), line.get_color(), x[0], y[0])
        for line, (_, x, y) in zip(plane.lines, curves(plane), strict=True)
        if x
    }
    assert points == {
        ("x", "black", 26.0, 0.3),
        ("o", "C0", 27.0, 0.25),
        ("o", "C1", 27.1, 0.24),
        ("^", "C0", 26.5, 0.2),
    }
    assert (plane.get_title(), plane.get_xlabel(), plane.get_ylabel()) == ("quality 10", "PSNR, dB", "LPIPS")
    assert plane.yaxis_inverted()


def counted(of: str, quality: float | None, channel: str, lowest: int, *counts: int) -> dict[str, Any]:
    """A row of `residual_histograms.py`."""
    return {"of": of, "quality": quality, "channel": channel, "lowest": lowest, "counts": list(counts)}


def shares(axes: Axes) -> dict[str, dict[float, float]]:
    """Label → level → share, of what occurs."""
    return {
        label: {level: share for level, share in zip(x, y, strict=True) if not math.isnan(share)}
        for label, x, y in curves(axes)
    }


def test_histograms_are_shares_by_channel_and_by_quality() -> None:
    rows = [
        *(counted("pixels", None, channel, 100, 3, 1) for channel in "RGB"),
        *(counted("residual", 10.0, channel, -1, 1, 2, 1) for channel in "RGB"),
        *(counted("residual", 40.0, channel, 0, 4) for channel in "RGB"),
    ]
    pixels, residuals, rates = draw_residuals({"codec": "jpeg", "rows": rows}).axes

    assert shares(pixels) == {channel: {100: 0.75, 101: 0.25} for channel in "RGB"}
    assert shares(residuals) == {channel: {-1: 0.125, 0: 0.75, 1: 0.125} for channel in "RGB"}
    assert shares(rates) == {"quality 10": {-1: 0.25, 0: 0.5, 1: 0.25}, "quality 40": {0: 1.0}}
    assert [axes.get_xlabel() for axes in (pixels, residuals, rates)] == [
        *("value of a pixel, 8-bit levels", "residual, 8-bit levels", "residual, 8-bit levels"),
    ]
    assert [axes.get_yscale() for axes in (pixels, residuals, rates)] == ["linear", "log", "log"]
