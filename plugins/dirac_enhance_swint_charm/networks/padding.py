"""Replicate padding, so that sides fit the network (DIRAC section B.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from dirac_enhance_swint_charm.networks.config import STRIDE


def pad_to_stride(pixels: Tensor) -> Tensor:
    """Repeat the last row and column of (N, 3, H, W) until both sides are multiples of `STRIDE`."""
    height, width = pixels.shape[-2:]
    return F.pad(pixels, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
