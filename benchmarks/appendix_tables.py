"""The tables of the paper's appendix, made from records: noise schedules, thresholds, residuals, compute."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from pages import markdown_table, rate_name, weights_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Record = Mapping[str, Any]
    Row = Mapping[str, Any]

SHARES = (90.0, 95.0, 99.0, 99.9)
"""Percentages of residuals whose range the table of residuals tells."""


def schedule_text(record: Record) -> str:
    """Lay out a table for each rate factor, a line for each schedule."""
    tables = []
    for quality in dict.fromkeys(row["quality"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["quality"] == quality]
        base = next(row for row in rows if row["method"] == "base")
        lines = [
            _schedule_line(name, {row["method"]: row for row in of_schedule}, base)
            for name, of_schedule in _grouped(rows, "schedule")
        ]
        few = next(row["evaluations"] for row in rows if row["method"] == "steps 100, log-snr")
        head = ["schedule", "late start", "steps 1: dB (gain)", "LPIPS"]
        head += [
            f"steps 100 in {few}: dB (gain)",
            "LPIPS",
            "steps 100, paper's spacing: dB (gain)",
            "LPIPS",
            "evaluations",
        ]
        title = f"{record['codec']}, {rate_name(record['codec'])} {quality:g}: {_figures(base)} before."
        tables.append(f"{title}\n\n{markdown_table(head, lines)}")
    settings = record["settings"]
    origin = (
        f"Network `{record['network']}`, {settings['iterations']} iterations of {settings['batch_size']} crops of"
        f" {record['pairs']['crop_size']}² from seed {settings['seed']} for each schedule; middle {record['side']}² of"
        f" {record['pictures']} pictures; {_origin(record)}"
    )
    return "\n\n".join([*tables, origin])


def _schedule_line(name: str, rows: Mapping[str, Row], base: Row) -> list[str]:
    one, few, many = (rows[method] for method in ("steps 1", "steps 100, log-snr", "steps 100, paper"))
    cells = [f"{row['psnr']:.2f} ({row['psnr'] - base['psnr']:+.2f})" for row in (one, few, many)]
    lpips = [f"{row['lpips_alex']:.3f}" for row in (one, few, many)]
    pairs = [cell for pair in zip(cells, lpips, strict=True) for cell in pair]
    return [name, str(one["late_start"]), *pairs, str(many["evaluations"])]


def thresholding_text(record: Record) -> str:
    """Lay out a line for each rate factor and percentage, as differences from no thresholding."""
    lines = []
    for quality, rows in _grouped(record["rows"], "quality"):
        found = {row["method"]: row for row in rows}
        off = found["off"]
        for method, row in found.items():
            if method in ("base", "off"):
                limit, cells = "", [f"{row['psnr']:.3f}", f"{row['lpips_alex']:.4f}"]
            else:
                limit = f"{_limit_at(record['thresholds'][method.removesuffix(' %')], quality):.1f}"
                cells = [f"{row['psnr'] - off['psnr']:+.3f}", f"{row['lpips_alex'] - off['lpips_alex']:+.4f}"]
            name = {"base": f"{record['codec']} alone", "off": "steps 100, no thresholds"}.get(method, method)
            lines.append([f"{quality:g}", name, limit, *cells])
    head = [rate_name(record["codec"]), "range of residuals", "limit, 8-bit levels", "PSNR, dB", "LPIPS"]
    evaluations = next(row["evaluations"] for row in record["rows"] if row["method"] == "off")
    origin = (
        f"{_pictures(record)}, {record['codec']}; steps 100 in {evaluations} evaluation{'s' * (evaluations > 1)};"
        f" percentages: differences from no thresholds; residuals of {record['training_pairs']} training pairs;"
        f" {weights_text(record)}; {_origin(record)}"
    )
    return f"{markdown_table(head, lines)}\n\n{origin}"


def _pictures(record: Record) -> str:
    """How many pictures, and how many at rate factors that have fewer."""
    numbers: dict[float, int] = {}
    for row in record["rows"]:
        pictures = row.get("pictures", record["pictures"])  # older histograms do not say, and are of all
        numbers[row["quality"]] = pictures if isinstance(pictures, int) else len(pictures)
    fewer = [f"{number} at {rate:g}" for rate, number in numbers.items() if number != record["pictures"]]
    return f"{record['pictures']} pictures" + (f" ({', '.join(fewer)})" if fewer else "")


def _limit_at(thresholds: Sequence[Sequence[float]], quality: float) -> float:
    return 127.5 * min(thresholds, key=lambda row: abs(row[0] - quality))[1]


def residual_text(record: Record) -> str:
    """Lay out a line for each rate factor: spread and shape of its residuals."""
    lines = []
    for quality, rows in _grouped((row for row in record["rows"] if row["of"] == "residual"), "quality"):
        levels, counts = pooled(rows)
        share = counts / counts.sum()
        deviation = float(np.sqrt((share * levels**2).sum()))
        kurtosis = float((share * levels**4).sum()) / deviation**4 - 3 if deviation else 0.0
        ranges = [f"{_range_of(levels, share, percentage / 100):g}" for percentage in SHARES]
        zero = float(share[levels == 0].sum())
        cells = [f"{quality:g}", f"{deviation:.2f}", f"{kurtosis:.1f}", f"{100 * zero:.1f} %", *ranges]
        lines.append([*cells, f"{abs(levels[counts > 0]).max():g}"])
    head = [
        rate_name(record["codec"]),
        "RMS",
        "excess kurtosis",
        "zero",
        *(f"{each:g} %" for each in SHARES),
        "largest",
    ]
    origin = f"{_pictures(record)}, {record['codec']}; residuals in 8-bit levels; {_origin(record)}"
    return f"{markdown_table(head, lines)}\n\n{origin}"


def pooled(rows: Iterable[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up histograms: all levels that occur, −255 to 255, and how often each does."""
    counts = np.zeros(511)
    for row in rows:
        first = row["lowest"] + 255
        counts[first : first + len(row["counts"])] += row["counts"]
    return np.arange(-255.0, 256.0), counts


def _range_of(levels: NDArray[np.float64], share: NDArray[np.float64], wanted: float) -> float:
    """Return the smallest magnitude that a share of the residuals does not exceed."""
    return next(size for size in range(256) if share[abs(levels) <= size].sum() >= wanted - 1e-12)


def compute_text(record: Record) -> str:
    """Lay out a line for each network and device: what an evaluation takes, beside the same network run naively."""
    sides = list(dict.fromkeys(row["side"] for row in record["rows"]))
    lines = []
    for (network, device), rows in _grouped(record["rows"], "network", "device"):
        first = rows[0]
        cells = [network, f"{first['parameters'] / 1e6:.2f} M", f"{first['mmac_per_pixel']:.3f}", device]
        for side in sides:
            cells += _compute_cells({row["arrangement"]: row for row in rows if row["side"] == side})
        lines.append(cells)
    head = ["network", "parameters", "MMAC/pixel", "device"]
    for side in sides:
        head += [f"{side}²: ms", "naive: ms", "ratio", "MiB", "naive: MiB"]
    skipped = [
        f"- {row['network']}, {row['device']}, {row['side']}², {row['arrangement']}: {row['skipped']}"
        for row in record["rows"]
        if row["skipped"]
    ]
    origin = (
        f"One evaluation of one picture, untiled, median of {record['repeats']}, or of as many as fit into"
        f" {record['seconds']:g} seconds; the enhancer's arithmetic is"
        f" {', '.join(f'{kind} on {device}' for device, kind in record['precision'].items())}, channels last; naive is"
        f" float32 without TF32, contiguous. MiB are what an evaluation takes beside weights and inputs."
        f" {record['threads']} threads; {record['gpu'] or 'no GPU'}; {_origin(record)}"
    )
    return "\n\n".join(filter(None, [markdown_table(head, lines), "\n".join(skipped), origin]))


def _compute_cells(rows: Mapping[str, Row]) -> list[str]:
    ours, naive = rows["enhancer"], rows["naive"]
    both = ours["milliseconds"] and naive["milliseconds"]
    return [
        _number(ours["milliseconds"], ".1f"),
        _number(naive["milliseconds"], ".1f"),
        f"{naive['milliseconds'] / ours['milliseconds']:.2f}×" if both else "–",
        _number(ours["working_mib"], ".0f"),
        _number(naive["working_mib"], ".0f"),
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _figures(row: Row) -> str:
    return f"{row['psnr']:.2f} dB, LPIPS {row['lpips_alex']:.3f}"


def _origin(record: Record) -> str:
    return f"{record['machine']['cpu']}; `{' '.join(record['command'])}`."


def _grouped(rows: Iterable[Row], *keys: str) -> list[tuple[Any, list[Row]]]:
    """Group rows, in their order, by one column or several."""

    def key(row: Row) -> Any:
        return row[keys[0]] if len(keys) == 1 else tuple(row[each] for each in keys)

    return [(value, list(group)) for value, group in groupby(rows, key=key)]
