"""Colour under fully transparent pixels: nobody sees it, so neither should a network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def fill_transparent(pixels: Tensor, alpha: Tensor | None) -> Tensor:
    """Replace the colours of fully transparent pixels by those of their visible surroundings.

    Files keep anything there, mostly black or white, and a network would carry it over the edge. The colours come
    from a pyramid of means over the visible pixels (pull-push; Gortler et al., The Lumigraph, 1996, section 3.4).

    Args:
        pixels: (3, H, W) float32.
        alpha: (H, W), 0 for fully transparent, or None.

    Returns:
        (3, H, W): `pixels` itself where all or nothing is transparent; visible pixels are unchanged in any case.
    """
    if alpha is None:
        return pixels
    visible = alpha > 0
    if bool(visible.all()) or not bool(visible.any()):
        return pixels
    return torch.where(visible, pixels, _pull_push(pixels[None], visible[None, None].to(pixels.dtype))[0])


def _pull_push(colour: Tensor, weight: Tensor) -> Tensor:
    """Return (1, 3, H, W) colours, those of weight 0 from ever coarser means; `weight` is (1, 1, H, W), 0 or 1."""
    if colour.shape[2:] == (1, 1):
        return colour
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    mean = F.avg_pool2d(colour * weight, 2, ceil_mode=True) / share.clamp_min(torch.finfo(share.dtype).tiny)
    coarse = _pull_push(mean, (share > 0).to(share.dtype))
    spread = F.interpolate(coarse, size=colour.shape[2:], mode="bilinear", align_corners=False)
    return torch.where(weight > 0, colour, spread)


def restore_transparent(pixels: Tensor, original: Tensor, alpha: Tensor | None) -> Tensor:
    """Return `pixels` with the colours of `original`, of the same shape, where `alpha` is 0."""
    return pixels if alpha is None else torch.where(alpha > 0, pixels, original)
