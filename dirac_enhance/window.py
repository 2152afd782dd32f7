"""Window: a rectangle of the picture plane, the unit in which noise, tiles and constraints are addressed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle in pixels; `top` and `left` may be anywhere, `height` and `width` are at least 1.

    Raises:
        ValueError: if `height` or `width` is less than 1.
    """

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"window of {self.height}×{self.width} pixels; each side must be at least 1")

    @property
    def bottom(self) -> int:
        """First row below the window."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """First column right of the window."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for indexing the last two axes of a tensor as `plane[..., rows, columns]`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)
