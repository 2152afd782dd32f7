"""Measurements of `restoration.py`: one for each picture, rate and method; averaged into rows and printed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from meter import Values

Key = tuple[float, str, str, int]
"""Rate factor, method, trajectory, evaluations: what a row stands for."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One picture restored from one rate by one method: metric to value."""

    key: Key
    picture: str
    values: Values


def average(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Average over pictures, each picture counting once; the rows keep every picture's values beside the mean."""
    groups: dict[Key, dict[str, Values]] = {}
    for measurement in measurements:
        groups.setdefault(measurement.key, {})[measurement.picture] = measurement.values
    rows = []
    # Stable: within a rate, methods stay in the order in which they were measured.
    for key, pictures in sorted(groups.items(), key=lambda group: group[0][0]):
        rate_factor, method, trajectory, evaluations = key
        head = {"quality": rate_factor, "method": method, "trajectory": trajectory, "evaluations": evaluations}
        metrics = dict.fromkeys(name for values in pictures.values() for name in values)
        rows.append(head | {name: _mean(pictures.values(), name) for name in metrics} | {"pictures": pictures})
    return rows


def _mean(pictures: Iterable[Values], metric: str) -> float | None:
    """The mean, or None if any picture's value is infinite."""
    values = [values[metric] for values in pictures]
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def format_table(rows: list[dict[str, Any]]) -> str:
    """Lay rows out for a terminal, with the gain in PSNR and the LPIPS ratio against the plain codec at that rate."""
    bases = {row["quality"]: row for row in rows if row["method"] == "base"}
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "quality": lambda row: f"{row['quality']:g}",
        "bpp": lambda row: _number(row.get("bits_per_pixel"), ".4f"),
        "pictures": lambda row: str(len(row["pictures"])),
        "method": lambda row: f"{row['method']} {row['trajectory']}".strip(),
        "evals": lambda row: str(row["evaluations"] or ""),
        "PSNR": lambda row: _number(row.get("psnr"), ".3f"),
        "gain": lambda row: _number(_against(row, bases, "psnr", lambda value, base: value - base), "+.3f"),
        "SSIM": lambda row: _number(row.get("ssim"), ".4f"),
        "LPIPS": lambda row: _number(row.get("lpips_alex"), ".4f"),
        "ratio": lambda row: _number(_against(row, bases, "lpips_alex", lambda value, base: value / base), ".3f"),
        "s/MP": lambda row: _number(row.get("seconds_per_megapixel"), ".3f"),
        "levels": lambda row: _number(row.get("levels"), ".3f"),
    }
    cells = [[title, *(cell(row) for row in rows)] for title, cell in columns.items()]
    filled = [column for column in cells if any(column[1:])]
    widths = [max(map(len, column)) for column in filled]
    lines = zip(*filled, strict=True)
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines)


def _against(
    row: Mapping[str, Any],
    bases: Mapping[float, Mapping[str, Any]],
    metric: str,
    compare: Callable[[float, float], float],
) -> float | None:
    value, base = row.get(metric), bases.get(row["quality"], {}).get(metric)
    return None if value is None or not base or row["method"] == "base" else compare(value, base)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
