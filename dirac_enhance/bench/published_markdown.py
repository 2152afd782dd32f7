"""Published figures as Markdown, with a mark on each that is not verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from dirac_enhance.bench.protocols import find_protocol
from dirac_enhance.bench.published import Evidence, Figure, Table, comparable

HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "psnr": "PSNR, dB",
        "ssim": "SSIM",
        "ssim_uniform_8": "SSIM, uniform 8×8",
        "psnr_b": "PSNR-B, dB",
        "lpips": "LPIPS",
        "dists": "DISTS",
        "musiq": "MUSIQ",
        "maniqa": "MANIQA",
        "clipiqa": "CLIPIQA",
        "fid": "FID",
        "fid_256": "FID/256",
        "kid_256": "KID/256",
        "inception_score": "IS",
        "accuracy_percent": "accuracy, %",
        "perceptual_distance": "PD",
        "fid_256_improvement_percent": "FID/256 improvement, %",
    }
)
"""Metric → heading of its column."""

MARKS: Mapping[Evidence, str] = MappingProxyType({"read": "", "measured": "", "plotted": "≈", "remembered": "†"})
"""What follows a figure that is not verified."""

LEGEND: Mapping[str, str] = MappingProxyType(
    {"≈": "≈ read off a plot", "†": "† remembered, not verified: check before quoting"}
)
"""Mark → what it means."""


def format_figure(figure: Figure) -> str:
    """The number with its source's digits, and its mark if it is not verified."""
    return f"{figure.printed}{MARKS[figure.evidence]}"


def to_markdown(table: Table) -> str:
    """Render a table, a row for each set, rate, method and setting; below it protocol, sources and marks."""
    headings = ["set", table.rate_unit, "method", *(HEADINGS.get(metric, metric) for metric in table.metrics)]
    lines = [_row(headings), _row(["---"] * len(headings))]
    for key, cells in _rows(table.figures).items():
        set_id, rate, method = key
        lines.append(_row([set_id, rate, method, *(cells.get(metric, "–") for metric in table.metrics)]))
    return "\n".join([f"**{table.title}**", "", *lines, "", *_footer(table)])


def _rows(figures: Iterable[Figure]) -> dict[tuple[str, str, str], dict[str, str]]:
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for figure in figures:
        rate = "" if figure.rate is None else f"{figure.rate:g}"
        method = f"{figure.method} ({figure.setting})" if figure.setting else figure.method
        rows.setdefault((figure.set_id, rate, method), {})[figure.metric] = format_figure(figure)
    return rows


def _footer(table: Table) -> list[str]:
    protocol = find_protocol(table.protocol)
    marks = {MARKS[figure.evidence] for figure in table.figures}
    sources = dict.fromkeys(figure.source for figure in table.figures)
    parts = [
        f"Protocol {protocol.id}: {protocol.coding}; {protocol.measuring}.",
        f"Sources: {'; '.join(sources)}." if sources else "",
        f"Note: {table.note}." if table.note else "",
        ""
        if all(map(comparable, table.figures))
        else "LPIPS: not known to be of AlexNet, and not comparable with ours.",
        *(f"{text}." for mark, text in LEGEND.items() if mark in marks),
    ]
    return [part for part in parts if part]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
