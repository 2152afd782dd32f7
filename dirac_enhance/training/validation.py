"""Validation during training: what the averaged network does to held-out pictures, at its default sampling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.codec import BaseReconstruction, EncodingCodec
from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.sampler import sample_residual
from dirac_enhance.diffusion.trajectory import plan_trajectory
from dirac_enhance.errors import TrainingError
from dirac_enhance.guard import reconstruct
from dirac_enhance.metrics.distortion import psnr
from dirac_enhance.metrics.perceptual import LPIPS
from dirac_enhance.networks.unet import UNet
from dirac_enhance.tiling import TiledPredictor
from dirac_enhance.training.images import image_files
from dirac_enhance.training.pair_files import PairFiles
from dirac_enhance.training.pair_index import PairRow
from dirac_enhance.training.settings import KeepBest

LARGEST_SIDE = 256
SIDE_UNIT = 32
"""Sides are multiples of this: of every network's stride, and no smaller than LPIPS takes."""
EVALUATIONS = 2
HELD_OUT_CROPS = 64
RATE_GROUPS = 4

Example = tuple[Tensor, BaseReconstruction]


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Held-out pictures at a few rate factors; call it with a network for one row of figures.

    Args:
        examples: for each rate factor pairs of an original, (3, H, W) float32 in [0, 1], and its base reconstruction.
        lpips: with the AlexNet backbone, which is not in the loss; None leaves LPIPS out.
    """

    examples: Mapping[float, Sequence[Example]]
    lpips: LPIPS | None

    def __call__(self, network: UNet) -> dict[str, Any]:
        """Mean PSNR gain of steps 1 and steps 100 over the base, and the mean LPIPS of base and steps 100."""
        row: dict[str, Any] = {}
        for rate, examples in self.examples.items():
            figures = torch.tensor([self._measure(network, *example) for example in examples])
            base, one, full, base_lpips, full_lpips = figures.mean(dim=0).tolist()
            row |= {f"gain1@{rate:g}": one - base, f"gain100@{rate:g}": full - base}
            if self.lpips is not None:
                row |= {f"lpips@{rate:g}": base_lpips, f"lpips100@{rate:g}": full_lpips}
        return row

    def _measure(self, network: UNet, original: Tensor, base: BaseReconstruction) -> tuple[float, ...]:
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
    schedule = network.schedule
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

    paths = image_files(folder)
    if not paths:
        raise TrainingError(f"no validation image in {folder}; pass --validation FOLDER")
    chosen = [paths[index * len(paths) // min(limit, len(paths))] for index in range(min(limit, len(paths)))]
    originals = [_middle(read_rgb(path)) for path in chosen]
    for path, original in zip(chosen, originals, strict=True):
        if 0 in original.shape:
            raise TrainingError(f"validation image {path} is smaller than {SIDE_UNIT} pixels a side; remove it")
    examples = {
        rate: [(original, reconstruct(codec, original, rate_factor=rate)) for original in originals]
        for rate in rate_factors
    }
    return Validation(examples, lpips)


def hold_out(
    rows: Sequence[PairRow], files: PairFiles, *, lpips: LPIPS | None, limit: int = HELD_OUT_CROPS
) -> Validation:
    """Read up to `limit` of the held-out pairs, spread evenly over their rate factors, for validation.

    They are measured in `RATE_GROUPS` equally filled groups by rate factor, each named after its mean; crops are cut to
    at most 256×256 at their upper left corner, where the codec's blocks begin.

    Raises:
        TrainingError: if there is none, one cannot be read, or one is too small.
    """
    ranked = sorted(rows, key=lambda row: (row.rate_factor, row.bitstream))
    if not ranked:
        raise TrainingError("no pair is held out for validation; pass a larger --held-out")
    count = min(limit, len(ranked))
    chosen = [ranked[index * len(ranked) // count] for index in range(count)]
    examples: dict[float, list[Example]] = {}
    for group in (chosen[count * k // RATE_GROUPS : count * (k + 1) // RATE_GROUPS] for k in range(RATE_GROUPS)):
        if group:
            mean = sum(row.rate_factor for row in group) / len(group)
            examples.setdefault(float(f"{mean:.3g}"), []).extend(_corners(group, files))
    return Validation(examples, lpips)


def _corners(rows: Sequence[PairRow], files: PairFiles) -> Iterator[Example]:
    for row, (original, base) in zip(rows, files.read_all(rows), strict=True):
        height, width = (min(side - side % SIDE_UNIT, LARGEST_SIDE) for side in (row.height, row.width))
        if 0 in (height, width):
            raise TrainingError(f"the held-out crop '{row.bitstream}' is smaller than {SIDE_UNIT} pixels a side")
        pixels = base.pixels[:, :height, :width].contiguous()
        yield original[:, :height, :width].float() / 255, replace(base, pixels=pixels, alpha=None, consistency=None)


def score(row: Mapping[str, Any], *, by: KeepBest) -> float:
    """Say how good a validation was, larger being better.

    Args:
        row: what a `Validation` returned.
        by: "gain" is the mean PSNR gain of steps 1 in dB; "lpips" the mean ratio of steps 100's LPIPS to the base's,
            negated.
    """
    if by == "lpips":
        ratios = [value / float(row[name.replace("lpips100@", "lpips@")]) for name, value in _of(row, "lpips100@")]
        return -sum(ratios) / len(ratios)
    gains = [value for _, value in _of(row, "gain1@")]
    return sum(gains) / len(gains)


def _of(row: Mapping[str, Any], prefix: str) -> list[tuple[str, float]]:
    return [(name, float(value)) for name, value in row.items() if name.startswith(prefix)]


def _middle(pixels: Tensor) -> Tensor:
    height, width = (side - side % SIDE_UNIT for side in pixels.shape[1:])
    side_y, side_x = min(height, LARGEST_SIDE), min(width, LARGEST_SIDE)
    top, left = (height - side_y) // 2, (width - side_x) // 2
    return pixels[:, top : top + side_y, left : left + side_x].contiguous()
