"""Memory that runs out: which errors say so, and the one that is told instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dirac_enhance.errors import InvalidImageError

_SIGNS = ("DefaultCPUAllocator", "std::bad_alloc", "out of memory")
"""What a `RuntimeError` of PyTorch says where the allocator of the CPU, of C++ or of an accelerator has no more."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, by Python's own error or one of PyTorch's, which has none for the CPU."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
    )


def not_enough_memory(purpose: str, *, tiled: bool = False) -> InvalidImageError:
    """The error to raise where memory ran out: what for, and what to do.

    Args:
        purpose: as in "to decode it".
        tiled: whether that works on tiles, which may be smaller.
    """
    smaller = "pass a smaller --tile, " if tiled else ""
    return InvalidImageError(f"not enough memory {purpose}; end other programs, {smaller}or cut the picture into parts")


@contextmanager
def enough_memory(purpose: str, *, of: str) -> Iterator[None]:
    """Tell of memory that runs out meanwhile as `not_enough_memory` does, and what it was for.

    Args:
        purpose: as in "to decode it".
        of: what is told, as in "'photo.jpg'".

    Raises:
        InvalidImageError: if it runs out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as cause:
        if not is_out_of_memory(cause):
            raise
        raise InvalidImageError(f"{of}: {not_enough_memory(purpose)}") from cause
