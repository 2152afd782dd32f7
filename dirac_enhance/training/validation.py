"""Validation during training: what the averaged network does to held-out pictures, at its default sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.codec import BaseReconstruction, EncodingCodec
from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.sampler import sample_residual
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.diffusion.trajectory import plan_trajectory
from dirac_enhance.errors import TrainingError
from dirac_enhance.metrics.distortion import psnr
from dirac_enhance.metrics.perceptual import LPIPS
from dirac_enhance.networks.unet import UNet
from dirac_enhance.tiling import TiledPredictor
from dirac_enhance.training.images import SUFFIXES

LARGEST_SIDE = 256
SIDE_UNIT = 32
"""Sides are multiples of this: of every network's stride, and no smaller than LPIPS takes."""
EVALUATIONS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Held-out pictures at a few rate factors; call it with a network for one row of figures.

    Args:
        originals: each (3, H, W) float32 in [0, 1].
        codec: makes the base reconstructions.
        rate_factors: at which the figures are taken.
        lpips: with the AlexNet backbone, which is not in the loss; None leaves LPIPS out.
    """

    originals: Sequence[Tensor]
    codec: EncodingCodec
    rate_factors: Sequence[float]
    lpips: LPIPS | None

    def __call__(self, network: UNet) -> dict[str, Any]:
        """Mean PSNR gain of steps 1 and steps 100 over the base, and the mean LPIPS of base and steps 100."""
        row: dict[str, Any] = {}
        for rate in self.rate_factors:
            figures = torch.tensor([self._measure(network, original, rate) for original in self.originals])
            base, one, full, base_lpips, full_lpips = figures.mean(dim=0).tolist()
            row |= {f"gain1@{rate:g}": one - base, f"gain100@{rate:g}": full - base}
            if self.lpips is not None:
                row |= {f"lpips@{rate:g}": base_lpips, f"lpips100@{rate:g}": full_lpips}
        return row

    def _measure(self, network: UNet, original: Tensor, rate: float) -> tuple[float, ...]:
        base = self.codec.decode(self.codec.encode(original, rate_factor=rate))
        one, full = (_enhance(network, base, steps=steps) for steps in (1, 100))
        distances = [self._distance(original, picture) for picture in (base.pixels, full)]
        figures = psnr(torch.stack((base.pixels, one, full)), original.expand(3, -1, -1, -1)).tolist()
        return (*figures, *distances)

    def _distance(self, original: Tensor, picture: Tensor) -> float:
        if self.lpips is None:
            return float("nan")
        with torch.inference_mode():
            return float(self.lpips(picture[None] * 2 - 1, original[None] * 2 - 1))


def _enhance(network: UNet, base: BaseReconstruction, *, steps: int) -> Tensor:
    """Enhance a picture whose sides are multiples of the network's stride, at seed 0."""
    device = next(network.parameters()).device
    schedule = linear_schedule()
    sampling = sample_residual(
        TiledPredictor(network, device=device, precision=torch.bfloat16),
        base.pixels[None] * 2 - 1,
        schedule=schedule,
        evaluations=plan_trajectory(schedule, steps=steps, spacing="log-snr", evaluations=EVALUATIONS),
        noise=NoiseField(seed=0, sample=0),
        rate_factor=base.rate_factor,
    )
    residual = [predicted for _, predicted in sampling][-1][0]
    return (base.pixels + residual / 2).clamp(0, 1)


def load_validation(
    folder: Path, *, codec: EncodingCodec, rate_factors: Sequence[float], lpips: LPIPS | None, limit: int = 8
) -> Validation:
    """Read up to `limit` evenly spread pictures and keep the middle of each, at most 256×256.

    Raises:
        TrainingError: if there is none, or one is too small.
    """
    from dirac_enhance.image import read_rgb

    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise TrainingError(f"no validation image in {folder}; pass --validation FOLDER")
    chosen = [paths[index * len(paths) // min(limit, len(paths))] for index in range(min(limit, len(paths)))]
    originals = [_middle(read_rgb(path)) for path in chosen]
    for path, original in zip(chosen, originals, strict=True):
        if 0 in original.shape:
            raise TrainingError(f"validation image {path} is smaller than {SIDE_UNIT} pixels a side; remove it")
    return Validation(originals, codec, rate_factors, lpips)


def _middle(pixels: Tensor) -> Tensor:
    height, width = (side - side % SIDE_UNIT for side in pixels.shape[1:])
    side_y, side_x = min(height, LARGEST_SIDE), min(width, LARGEST_SIDE)
    top, left = (height - side_y) // 2, (width - side_x) // 2
    return pixels[:, top : top + side_y, left : left + side_x].contiguous()
