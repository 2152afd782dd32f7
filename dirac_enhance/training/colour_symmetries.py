"""Colour symmetries: linear maps of colours that a codec in luma and chroma treats nearly alike, to vary few pairs."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

_K_RED, _K_BLUE = 0.2126, 0.0722
"""Of BT.709 (ITU-R BT.709-6, item 3.2)."""

MID_GRAY = 127.5


def _symmetries() -> Tensor:
    """Return (16, 3, 3), maps of (R, G, B) − mid-gray: luma negated or not, each chroma so, the two swapped or not."""
    luma = torch.tensor([_K_RED, 1 - _K_RED - _K_BLUE, _K_BLUE], dtype=torch.float64)
    red, blue = (torch.eye(3, dtype=torch.float64)[axis] - luma for axis in (0, 2))
    to_planes = torch.stack((luma, blue / (2 * (1 - _K_BLUE)), red / (2 * (1 - _K_RED))))
    maps = []
    for swapped, *signs in product((False, True), (1.0, -1.0), (1.0, -1.0), (1.0, -1.0)):
        signed = torch.tensor(signs, dtype=torch.float64).diag()
        maps.append(to_planes.inverse() @ (signed[[0, 2, 1]] if swapped else signed) @ to_planes)
    return torch.stack(maps).float()


SYMMETRIES = _symmetries()
"""The identity first."""


def apply_symmetry(pixels: Tensor, index: int) -> Tensor:
    """Map colours by one of `SYMMETRIES`, rounding, and clipping those that leave RGB.

    Args:
        pixels: (3, H, W) uint8.
        index: 0 … 15; 0 leaves all as it is.
    """
    if index == 0:
        return pixels
    mapped = torch.einsum("ij,jhw->ihw", SYMMETRIES[index], pixels.float() - MID_GRAY) + MID_GRAY
    return mapped.round_().clamp_(0, 255).byte()
