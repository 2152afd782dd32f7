"""Tables of the functions that a network needs, from decimal arithmetic: the same integers on every machine.

The C library's `exp` and `erf` differ in the last place from one machine to the next; Python's `decimal` rounds every
operation correctly.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import cache

import torch
from torch import Tensor

from dirac_enhance_swint_charm.exact.fixed_point import FRACTION_BITS, shift_right

STEP_BITS = 8
"""A table has an entry every 2⁻⁸; between them lines deviate by less than 2⁻¹⁹ from a function curved by 1 at most."""
_GUARD_BITS = 8
"""Entries are in units of 2⁻²⁴."""
_DIGITS = 40
_PI = Decimal("3.14159265358979323846264338327950288419716939937510")


def interpolate(table: Tensor, distance: Tensor) -> Tensor:
    """Look a function up at whole numbers ≥ 0, in units of 2⁻¹⁶; past its end the table goes on as it ends."""
    steps = FRACTION_BITS - STEP_BITS
    distance = distance.clamp(max=float((len(table) - 2) << steps))
    below = torch.floor(distance * 2.0**-steps)
    rest = distance - below * 2.0**steps
    place = below.to(torch.int64)
    weighted = table[place] * (2.0**steps - rest) + table[place + 1] * rest
    return shift_right(weighted, steps + _GUARD_BITS)


@cache
def exponential_table() -> Tensor:
    """Return the table of e⁻ᵘ for u from 0 to 16, where it is 0 in units of 2⁻¹⁶."""
    return _tabulate(lambda u: (-u).exp(), end=16)


@cache
def tanh_table() -> Tensor:
    """Return the table of tanh u for u from 0 to 8, where it is 1."""

    def tanh(u: Decimal) -> Decimal:
        decayed = (-2 * u).exp()
        return (1 - decayed) / (1 + decayed)

    return _tabulate(tanh, end=8)


@cache
def gelu_tail_table() -> Tensor:
    """Return the table of u·Φ(−u) for u from 0 to 8, where it is 0: what GELU at ±u lies below max(±u, 0)."""
    return _tabulate(lambda u: u * (Decimal("0.5") - _central_probability(u)), end=8)


def log_scale_thresholds(smallest: str, largest: str, count: int) -> Tensor:
    """Return the bounds between log-spaced standard deviations, half-way in the logarithm.

    Args:
        smallest: the first standard deviation, as a decimal number.
        largest: the last.
        count: how many there are.

    Returns:
        (count − 1,) float64 whole numbers: logarithms in units of 2⁻¹⁶.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        start, end = Decimal(smallest).ln(), Decimal(largest).ln()
        step = (end - start) / (count - 1)
        bounds = [start + step * (index + Decimal("0.5")) for index in range(count - 1)]
        return _whole(bounds, bits=FRACTION_BITS)


def _tabulate(function: Callable[[Decimal], Decimal], *, end: int) -> Tensor:
    """Return the entries from 0 to `end`, the last one twice."""
    with localcontext() as context:
        context.prec = _DIGITS
        entries = [function(Decimal(index) / 2**STEP_BITS) for index in range(end * 2**STEP_BITS + 1)]
        return _whole([*entries, entries[-1]], bits=FRACTION_BITS + _GUARD_BITS)


def _central_probability(u: Decimal) -> Decimal:
    """Return Φ(u) − ½ = φ(u)·(u + u³/3 + u⁵/(3·5) + …) for u ≥ 0; all terms are positive."""
    term = total = u
    odd = 1
    while term > total.scaleb(-_DIGITS):
        odd += 2
        term = term * u * u / odd
        total += term
    return total * (-u * u / 2).exp() / (2 * _PI).sqrt()


def _whole(values: list[Decimal], *, bits: int) -> Tensor:
    return torch.tensor([int((value * 2**bits).to_integral_value()) for value in values], dtype=torch.float64)
