"""Fixed-point arithmetic on tensors: whole numbers, in units of 2⁻¹⁶, that float64 holds without rounding.

A sum of whole numbers is exact in float64 as long as every partial sum stays below 2⁵³: then neither the order of
summation, nor the number of threads, nor fused multiply-adds change it. Whatever is summed here has such a bound.
Quotients and square roots are whole numbers, too, and put right after the division or root in float64: PyTorch's own
`sqrt` is off in the last place on some processors, and CUDA's division by a number is a product with its reciprocal.
"""

from __future__ import annotations

import torch
from torch import Tensor

FRACTION_BITS = 16
ONE = 2.0**FRACTION_BITS
"""The number 1 in fixed point."""

LARGEST = 2.0**26
"""What enters a product is limited to this: ±1024 in units of 1."""

LARGEST_SUM = 2.0**52
"""Bound of all partial sums; half of what float64 holds, so that half a unit can be added before rounding."""


def to_fixed(values: Tensor, *, bits: int = FRACTION_BITS) -> Tensor:
    """Return real numbers in units of 2^-bits, rounded to whole numbers of float64."""
    return torch.round(values.detach().to(torch.float64) * 2.0**bits)


def saturate(values: Tensor, *, limit: float = LARGEST) -> Tensor:
    """Limit values to ±`limit`."""
    return values.clamp(-limit, limit)


def shift_right(values: Tensor, bits: int) -> Tensor:
    """Divide by 2^bits and round to whole numbers, halves to even."""
    return torch.round(values * 2.0**-bits)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide whole numbers and round to whole numbers, halves upwards.

    Args:
        numerator: at most 2⁵¹ in magnitude.
        denominator: from 1 to 2⁵¹; any shape that broadcasts.
    """
    numerator, denominator = 2 * numerator + denominator, 2 * denominator
    quotient = torch.floor(numerator / denominator)
    rest = numerator - quotient * denominator
    return quotient + (rest >= denominator).to(torch.float64) - (rest < 0).to(torch.float64)


def square_root(values: Tensor) -> Tensor:
    """Return the whole part of the square roots of whole numbers from 0 to 2⁵²."""
    root = torch.floor(torch.sqrt(values))
    root = root - (root * root > values).to(torch.float64)
    return root + ((root + 1) * (root + 1) <= values).to(torch.float64)


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """Return the matrix product of whole numbers, (…, n, k) and (…, k, m) to (…, n, m).

    The callers see to it that the magnitudes of no row's products add up to more than `LARGEST_SUM`.
    """
    return left @ right
