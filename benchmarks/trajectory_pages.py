"""What a record of `trajectories.py` says: the table of late starts, and DIRAC's figure 7."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from pages import codec_name, markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_METRICS = {"psnr": "PSNR (dB)", "lpips_alex": "LPIPS (AlexNet)"}
_PANEL_INCHES = (4.2, 3.4)
_DOTS_PER_INCH = 90
_PAPER = 80
"""The paper's late start."""


def latest_without_loss(record: Mapping[str, Any], quality: float) -> int:
    """Return the last late start up to which no measured one loses more than the tolerances against all positions."""
    whole = _position(record, quality, 100)
    latest = 0
    for row in _late_starts(record, quality):
        if whole["psnr"] - row["psnr"] > record["psnr_tolerance"]:
            break
        if row["lpips_alex"] - whole["lpips_alex"] > record["lpips_tolerance"]:
            break
        latest = row["late_start"]
    return latest


def late_start_text(record: Mapping[str, Any]) -> str:
    """Say for each quality from where late start loses nothing, with what it, the next and the paper's give."""
    lines = []
    for quality in _qualities(record):
        latest = latest_without_loss(record, quality)
        rows = {row["late_start"]: row for row in _late_starts(record, quality)}
        later = next((late for late in rows if late > latest), None)
        whole, first = _position(record, quality, 100), _position(record, quality, 1)
        lines.append(
            [
                f"{quality:g}",
                pair(_position(record, quality, 0)),
                pair(first),
                pair(whole),
                f"{latest} (t = {rows[latest]['timestep'] if latest in rows else first['timestep']})",
                difference(rows[latest], whole) if latest in rows else "",
                "" if later is None else f"{later}: {difference(rows[later], whole)}",
                difference(rows[_PAPER], whole) if _PAPER in rows else "",
            ]
        )
    head = ["quality", codec_name(record["codec"]), "position 1", "all 100", "loses nothing up to", "against all 100"]
    said = (
        f"Late start loses nothing up to the last before the first that is more than {record['psnr_tolerance']:g} dB or"
        f" {record['lpips_tolerance']:g} LPIPS worse than all hundred positions. In each cell PSNR in decibels and"
        " LPIPS, of differences with their standard error over pictures."
    )
    return f"{markdown_table([*head, 'the next measured', f'late start {_PAPER}'], lines)}\n\n{said}"


def draw_figure_7(record: Mapping[str, Any]) -> Figure:
    """Draw figure 7: curvature; PSNR and LPIPS against the position; both against the late start."""
    from matplotlib.figure import Figure

    size = (_PANEL_INCHES[0] * 3, _PANEL_INCHES[1] * 2)
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(2, 3)
    _draw_angles(grid[0][0], record, "angle", "angle between r̂₀ − rₜ (degrees)")
    _draw_angles(grid[1][0], record, "update_angle", "angle between updates of rₜ (degrees)")
    for row, (metric, label) in enumerate(_METRICS.items()):
        for column, kind in ((1, "position"), (2, "late start")):
            axes = grid[row][column]
            for index, quality in enumerate(_qualities(record)):
                points = _curve(record, quality, kind, metric)
                style = {"marker": "o", "markersize": 3} if kind == "late start" else {}
                axes.plot(*zip(*points, strict=True), color=f"C{index}", label=f"quality {quality:g}", **style)
            if kind == "late start":
                _mark_latest(axes, record)
            axes.set_ylabel(label)
            _finish(axes, kind)
    grid[0][0].legend(fontsize=7)
    return figure


def _draw_angles(axes: Axes, record: Mapping[str, Any], metric: str, label: str) -> None:
    for index, quality in enumerate(_qualities(record)):
        rows = [row for row in _rows(record, quality, "position") if row[metric] is not None]
        axes.plot(
            [row["position"] for row in rows],
            [row[metric] for row in rows],
            color=f"C{index}",
            label=f"quality {quality:g}",
        )
    axes.set_ylabel(label)
    _finish(axes, "position")


def _mark_latest(axes: Axes, record: Mapping[str, Any]) -> None:
    for index, quality in enumerate(_qualities(record)):
        axes.axvline(latest_without_loss(record, quality), color=f"C{index}", linestyle=":", linewidth=1)


def _finish(axes: Axes, kind: str) -> None:
    axes.set_xlabel("position" if kind == "position" else "late start; dotted: the last without loss")
    axes.grid(visible=True, alpha=0.3)


def _curve(record: Mapping[str, Any], quality: float, kind: str, metric: str) -> list[tuple[int, float]]:
    if kind == "position":
        return [(row["position"], row[metric]) for row in _rows(record, quality, kind)]
    whole = (0, _position(record, quality, 100)[metric])
    return [whole, *((row["late_start"], row[metric]) for row in _late_starts(record, quality))]


def _qualities(record: Mapping[str, Any]) -> Sequence[float]:
    return sorted({row["quality"] for row in record["rows"]})


def _rows(record: Mapping[str, Any], quality: float, kind: str) -> list[Mapping[str, Any]]:
    return [row for row in record["rows"] if row["quality"] == quality and row["kind"] == kind]


def _late_starts(record: Mapping[str, Any], quality: float) -> list[Mapping[str, Any]]:
    return sorted(_rows(record, quality, "late start"), key=lambda row: row["late_start"])


def _position(record: Mapping[str, Any], quality: float, position: int) -> Mapping[str, Any]:
    return next(row for row in _rows(record, quality, "position") if row["position"] == position)


def pair(row: Mapping[str, Any]) -> str:
    """Say the PSNR and the LPIPS of a row."""
    return f"{row['psnr']:.2f}, {row['lpips_alex']:.4f}"


def difference(row: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say how much a row is above another in PSNR and LPIPS, with the standard error over pictures."""
    texts = []
    for metric, form in (("psnr", ".3f"), ("lpips_alex", ".4f")):
        apart = [values[metric] - other["pictures"][picture][metric] for picture, values in row["pictures"].items()]
        error = f" ± {stdev(apart) / math.sqrt(len(apart)):{form}}" if len(apart) > 1 else ""
        texts.append(f"{mean(apart):+{form}}{error}")
    return ", ".join(texts)
