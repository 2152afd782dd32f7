"""A check that a device computes as fixed-point networks need it to, made once before they run."""

from __future__ import annotations

from functools import cache

import torch

from dirac_enhance import DeviceError
from dirac_enhance_swint_charm.exact.fixed_point import divide, multiply, square_root

_SIDE = 48


@cache
def check_arithmetic(device: torch.device) -> None:
    """Check products of matrices, quotients and roots of whole numbers in float64 against those of Python.

    Libraries have begun to emulate products in float64 by narrower types.

    Raises:
        DeviceError: if a result differs.
    """
    left, right = (_numbers(seed) for seed in (1, 2))
    first, second = (torch.tensor(numbers, dtype=torch.float64, device=device) for numbers in (left, right))
    product = multiply(first.view(_SIDE, _SIDE), second.view(_SIDE, _SIDE)).flatten().tolist()
    quotients = [(2 * a + abs(b)) // (2 * abs(b)) for a, b in zip(left, right, strict=True)]
    exact = (
        product == _product(left, right)
        and divide(first, second.abs()).tolist() == quotients
        and square_root(first * first - 1).tolist() == [abs(a) - 1 for a in left]
    )
    if not exact:
        raise DeviceError(
            f"float64 arithmetic of {device} is not exact here, so that it cannot decode; use --codec-option device=cpu"
        )


def _product(left: list[int], right: list[int]) -> list[int]:
    """Return the product of two square matrices, row by row."""
    rows = [left[start : start + _SIDE] for start in range(0, len(left), _SIDE)]
    columns = [right[start::_SIDE] for start in range(_SIDE)]
    return [sum(a * b for a, b in zip(row, column, strict=True)) for row in rows for column in columns]


def _numbers(seed: int) -> list[int]:
    """Return odd whole numbers up to ±2²³, the same each time (a linear congruential generator)."""
    state, numbers = seed, []
    for _ in range(_SIDE * _SIDE):
        state = (1103515245 * state + 12345) % 2**31
        numbers.append((state >> 7) - 2**23 | 1)
    return numbers
