"""Between the rates that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from collections.abc import Iterable


def value_at_rate(bits_per_pixel: float, points: Iterable[tuple[float, float]]) -> float | None:
    """Interpolate linearly over the logarithm of the rate.

    Args:
        bits_per_pixel: where.
        points: bits per pixel and value of each measured rate, in any order.

    Returns:
        The value, exact at a measured rate, or None outside of the measured rates.
    """
    ordered = sorted(points)
    if not ordered or not ordered[0][0] <= bits_per_pixel <= ordered[-1][0]:
        return None
    rates, values = zip(*ordered, strict=True)
    return float(numpy.interp(numpy.log(bits_per_pixel), numpy.log(rates), values))
