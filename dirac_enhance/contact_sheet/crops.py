"""Crops: the places where versions of a picture differ most."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dirac_enhance.window import Window

_PLACES = 16
"""Places tried along the shorter side of a crop."""


def choose_crops(versions: Sequence[Tensor], *, width: int, height: int, count: int) -> tuple[Window, ...]:
    """Choose the windows in which versions of a picture differ most, the most first, none overlapping another.

    What counts is the spread of each pixel's brightness over the versions, summed over the window.

    Args:
        versions: at least one of shape (3, H, W), any real type and unit, all of one size.
        width, height: of the windows; cut to the picture's.
        count: how many windows at most; fewer where no more have room.

    Returns:
        At least one window inside the picture.
    """
    spread = _spread(versions)
    rows, columns = spread.shape
    height, width = min(height, rows), min(width, columns)
    cell = max(1, min(height, width) // _PLACES)
    scores = _window_sums(spread, height=height, width=width, cell=cell)
    chosen: list[Window] = []
    while len(chosen) < count and bool((scores >= 0).any()):
        row, column = divmod(int(scores.argmax()), scores.shape[1])
        chosen.append(Window(row * cell, column * cell, height, width))
        down, across = -(-height // cell), -(-width // cell)  # cells to the next window that does not overlap
        scores[max(0, row - down + 1) : row + down, max(0, column - across + 1) : column + across] = -1
    return tuple(chosen)


def _spread(versions: Sequence[Tensor]) -> Tensor:
    """Return the difference between the brightest and the darkest version of each pixel: (H, W) float32."""
    darkest = brightest = versions[0].float().mean(dim=0)
    for version in versions[1:]:
        brightness = version.float().mean(dim=0)
        darkest, brightest = torch.minimum(darkest, brightness), torch.maximum(brightest, brightness)
    return brightest - darkest


def _window_sums(plane: Tensor, *, height: int, width: int, cell: int) -> Tensor:
    """Sum an (H, W) plane over windows whose corners lie on a grid of `cell` pixels, whole cells only."""
    cells = F.avg_pool2d(plane[None, None], cell)[0, 0].double()
    integral = F.pad(cells.cumsum(0).cumsum(1), (1, 0, 1, 0))
    down, across = height // cell, width // cell
    sums = integral[down:, across:] - integral[:-down, across:] - integral[down:, :-across] + integral[:-down, :-across]
    rows, columns = (plane.shape[0] - height) // cell + 1, (plane.shape[1] - width) // cell + 1
    return sums[:rows, :columns].clamp_(min=0)
