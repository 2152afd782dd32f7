"""Meter: compares restored pictures with their original, in the measures that the records of benchmarks have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirac_enhance.bench import meter
from dirac_enhance.bench.measures import find_measures
from dirac_enhance.metrics import round_to_8_bits

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.metrics import LPIPS

Values = dict[str, float | None]
"""Metric to value; None stands for infinity."""

_NAMES = {"psnr": "psnr", "ssim": "ssim", "lpips": "lpips_alex"}
"""A measure's id → what the records call it."""


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Compares pictures with one original, whose LPIPS features are kept."""

    reference: meter.Reference

    @classmethod
    def of(cls, original: Tensor, *, lpips: LPIPS | None, device: str) -> Meter:
        """Prepare to compare with `original`, (3, H, W) float32 in [0, 1].

        Args:
            original: what pictures are compared with.
            lpips: with the AlexNet backbone, on `device`, or None to leave LPIPS out.
            device: to measure on.
        """
        measures = find_measures(name for name in _NAMES if lpips or name != "lpips")
        return cls(meter.Meter(measures, device, {"lpips": lpips} if lpips else {}).reference(original))

    def __call__(self, pixels: Tensor) -> Values:
        """Measure (3, H, W) pixels in [0, 1] after rounding them to 8 bits."""
        rounded = round_to_8_bits(pixels.to(self.reference.pixels.device))
        return {_NAMES[name]: value for name, value in self.reference.compare(rounded).items()}
