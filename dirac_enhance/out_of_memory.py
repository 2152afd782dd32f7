"""Memory that runs out: which errors say so, and the one that is told instead."""

from __future__ import annotations

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
