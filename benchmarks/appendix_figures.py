"""The pictures of the paper's appendix, made from records: noise schedules (C.3) and residual histograms (A.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from appendix_tables import pooled
from dirac_enhance.diffusion.schedule import build_schedule
from pages import rate_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Record = Mapping[str, Any]

_DOTS_PER_INCH = 100
_MARKERS = {"steps 1": "o", "steps 100, log-snr": "s", "steps 100, paper": "^"}
_CHANNELS = {"R": "tab:red", "G": "tab:green", "B": "tab:blue"}


def draw_schedules(record: Record) -> Figure:
    """Draw the schedules, and where each leaves the trained network between distortion and perception."""
    names = list(dict.fromkeys(row["schedule"] for row in record["rows"]))
    qualities = list(dict.fromkeys(row["quality"] for row in record["rows"]))
    figure, (curves, *planes) = _panels(1 + len(qualities))
    for index, name in enumerate(names):
        signal = build_schedule(record["schedules"][name]).alpha_bar
        curves.plot(np.arange(len(signal)) / len(signal), signal.numpy(), color=f"C{index}", label=name)
    curves.set_xlabel("t/T")
    curves.set_ylabel("signal power ᾱ")
    curves.legend()
    for axes, quality in zip(planes, qualities, strict=True):
        _draw_plane(axes, record, names, quality)
    planes[-1].legend()
    return figure


def _draw_plane(axes: Axes, record: Record, names: list[str], quality: float) -> None:
    rows = [row for row in record["rows"] if row["quality"] == quality]
    base = next(row for row in rows if row["method"] == "base")
    axes.plot(base["psnr"], base["lpips_alex"], "x", color="black", label=f"{record['codec']} alone")
    for method, marker in _MARKERS.items():
        axes.plot([], [], marker, color="grey", label=method)
        for row in (row for row in rows if row["method"] == method):
            axes.plot(row["psnr"], row["lpips_alex"], marker, color=f"C{names.index(row['schedule'])}")
    axes.set_title(f"{rate_name(record['codec'])} {quality:g}")
    axes.set_xlabel("PSNR, dB")
    axes.set_ylabel("LPIPS")
    axes.invert_yaxis()


def draw_residuals(record: Record) -> Figure:
    """Draw histograms of pixels and of residuals, by channel, and of residuals by rate factor."""
    figure, (pixels, residuals, rates) = _panels(3)
    for axes, kind, label in ((pixels, "pixels", "value of a pixel"), (residuals, "residual", "residual")):
        for channel, colour in _CHANNELS.items():
            rows = [row for row in record["rows"] if row["of"] == kind and row["channel"] == channel]
            _draw_density(axes, rows, color=colour, label=channel)
        axes.set_xlabel(f"{label}, 8-bit levels")
        axes.legend()
    pixels.set_xlim(0, 255)
    pixels.set_ylabel("share")
    qualities = list(dict.fromkeys(row["quality"] for row in record["rows"] if row["of"] == "residual"))
    for index, quality in enumerate(qualities):
        rows = [row for row in record["rows"] if row["quality"] == quality]
        label = f"{rate_name(record['codec'])} {quality:g}"
        _draw_density(rates, rows, color=str(0.75 * index / max(1, len(qualities) - 1)), label=label)
    rates.set_xlabel("residual, 8-bit levels")
    rates.legend()
    for axes in (residuals, rates):
        axes.set_yscale("log")
        axes.set_xlim(-100, 100)
        axes.set_ylim(bottom=1e-6)
    return figure


def _draw_density(axes: Axes, rows: list[Mapping[str, Any]], *, color: str, label: str) -> None:
    levels, counts = pooled(rows)
    share = counts / counts.sum()
    axes.plot(levels, np.where(share > 0, share, np.nan), color=color, label=label, linewidth=1)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * count, 3.8), dpi=_DOTS_PER_INCH, layout="constrained")
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    for axes in panels:
        axes.grid(alpha=0.3)
    return figure, panels
