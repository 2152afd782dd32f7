"""The libjpeg quality of a file, estimated from its luminance quantisation table."""

from __future__ import annotations

from functools import cache, lru_cache
from math import log

MINIMUM_QUALITY, MAXIMUM_QUALITY = 1, 100

# The luminance table of ITU-T T.81 (09/1992), table K.1, row by row.
_STANDARD_TABLE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip


def luminance_table(quality: int) -> tuple[int, ...]:
    """Return the 64 steps that libjpeg uses at a quality from 1 to 100, row by row, limited to 1…255 as in baseline."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((step * percent + 50) // 100, 1), 255) for step in _STANDARD_TABLE)


@lru_cache(maxsize=1024)
def estimate_quality(table: tuple[int, ...]) -> int:
    """Return the libjpeg quality from 1 to 100 whose luminance table is nearest to `table` in squared log distance.

    Exact for every table that libjpeg makes from a quality, with its steps limited to 255 or not; the nearest
    otherwise, for encoders with tables of their own.

    Args:
        table: the 64 quantisation steps, row by row.
    """
    logs = _log_steps(table)
    return min(_log_tables(), key=lambda quality: _squared_distance(logs, _log_tables()[quality]))


@cache
def _log_tables() -> dict[int, tuple[float, ...]]:
    return {q: _log_steps(luminance_table(q)) for q in range(MINIMUM_QUALITY, MAXIMUM_QUALITY + 1)}


def _log_steps(table: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(log(min(max(step, 1), 255)) for step in table)


def _squared_distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
