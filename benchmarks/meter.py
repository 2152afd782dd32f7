"""Meter: compares restored pictures with their original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirac_enhance.bench.environment import finite
from dirac_enhance.metrics import psnr, round_to_8_bits, ssim

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.metrics import LPIPS

Values = dict[str, float | None]
"""Metric to value; None stands for infinity."""


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Compares pictures with one original, whose LPIPS features are kept.

    Args:
        original: (1, 3, H, W) float32 in [0, 1], on the device to measure on.
        lpips: with the AlexNet backbone, on the same device, or None to leave LPIPS out.
        features: of the original, from `lpips`.
    """

    original: Tensor
    lpips: LPIPS | None
    features: tuple[Tensor, ...]

    @classmethod
    def of(cls, original: Tensor, *, lpips: LPIPS | None, device: str) -> Meter:
        """Prepare to compare with `original`, (3, H, W) float32 in [0, 1]."""
        original = original[None].to(device)
        return cls(original, lpips, lpips.features(2 * original - 1) if lpips else ())

    def __call__(self, pixels: Tensor) -> Values:
        """Measure (3, H, W) pixels in [0, 1] after rounding them to 8 bits."""
        picture = round_to_8_bits(pixels[None].to(self.original.device))
        values = {"psnr": finite(psnr(picture, self.original).item()), "ssim": ssim(picture, self.original).item()}
        if self.lpips:
            values["lpips_alex"] = self.lpips.distance(self.lpips.features(2 * picture - 1), self.features).item()
        return values
