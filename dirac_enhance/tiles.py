"""Tiles: how a plane is cut into cores with halos around them, and how overlapping halos are weighted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dirac_enhance.window import Window


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of the plane: the network reads `halo`, and answers for `core`, which lies inside it."""

    core: Window
    halo: Window

    @property
    def core_in_halo(self) -> tuple[slice, slice]:
        """Row and column slices of the core in a tensor that holds the halo."""
        top, left = self.core.top - self.halo.top, self.core.left - self.halo.left
        return Window(top, left, self.core.height, self.core.width).slices


def plan_tiles(height: int, width: int, *, tile: int, halo: int, stride: int) -> tuple[Tile, ...]:
    """Cut a plane into cores of nearly equal size, at most `tile` rounded up to the stride, row by row.

    Every origin and side, of cores and halos, is a multiple of `stride`, so that the network's grid lies the same in
    each tile; halos end at the plane.

    Args:
        height: of the plane.
        width: of the plane.
        tile: largest side of a core, at least 1.
        halo: pixels that the network reads around a core, rounded up to the stride.
        stride: of the network.

    Raises:
        ValueError: if the plane's sides are not multiples of `stride`.
    """
    if height % stride or width % stride:
        raise ValueError(f"plane of {height}×{width} pixels; expected multiples of {stride}")
    rows, columns = (_cut(side, tile=tile, halo=halo, stride=stride) for side in (height, width))
    return tuple(
        Tile(Window(top, left, rise, run), Window(halo_top, halo_left, halo_rise, halo_run))
        for (top, rise), (halo_top, halo_rise) in rows
        for (left, run), (halo_left, halo_run) in columns
    )


def _cut(side: int, *, tile: int, halo: int, stride: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Cut one axis into (core start, core length), (halo start, halo length)."""
    units, reach = side // stride, -(-halo // stride) * stride
    count = -(-units // max(1, -(-tile // stride)))
    edges = [units * index // count * stride for index in range(count + 1)]
    return [
        ((start, end - start), (max(0, start - reach), min(side, end + reach) - max(0, start - reach)))
        for start, end in pairwise(edges)
    ]


def taper_tile(tile: Tile, height: int, width: int) -> Tensor:
    """Return a tile's blending weights in a plane of `height` × `width`.

    Returns:
        (h, w) float32 in (0, 1], the size of the halo: 1 inside, falling towards edges that have a neighbour.
    """
    rows = _ramp(tile.halo.top, tile.halo.height, tile.core.top, tile.core.height, height)
    columns = _ramp(tile.halo.left, tile.halo.width, tile.core.left, tile.core.width, width)
    return rows[:, None] * columns[None, :]


def _ramp(start: int, length: int, core_start: int, core_length: int, side: int) -> Tensor:
    """Weights along one axis: linear over the overlap, twice the halo wide, at each interior edge."""
    place = torch.arange(length, dtype=torch.float32) + 0.5
    before, after = core_start - start, start + length - core_start - core_length
    weights = torch.ones(length)
    if start > 0:
        weights = torch.minimum(weights, place / (2 * before))
    if start + length < side:
        weights = torch.minimum(weights, (length - place) / (2 * after))
    return weights
