"""Measures: what can be measured of pictures, by the name typed after `--metrics`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from dirac_enhance import BenchmarkError

if TYPE_CHECKING:
    from dirac_enhance.metrics import Backbone


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric, and how figures of it are printed.

    Args:
        id: as typed after `--metrics`, and as results name it.
        heading: of its column, with the unit.
        digits: printed after the point.
        smallest_side: of a picture it can be measured on, in pixels.
        higher_is_better: whether larger values are closer to the original.
        of_sets: a distance between sets: one value, none for each picture.
        published: as published figures name it; None where none are at hand.
        backbone: which of torchvision's networks it compares features of; None for other measures.
    """

    id: str
    heading: str
    digits: int
    smallest_side: int
    higher_is_better: bool
    of_sets: bool = False
    published: str | None = None
    backbone: Backbone | None = None


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.id: measure
        for measure in (
            Measure("psnr", "PSNR, dB", 2, 1, higher_is_better=True, published="psnr"),
            Measure("psnr-b", "PSNR-B, dB", 2, 9, higher_is_better=True, published="psnr_b"),
            Measure("ssim", "SSIM", 4, 11, higher_is_better=True, published="ssim"),
            Measure("ssim-8x8", "SSIM, uniform 8×8", 4, 8, higher_is_better=True, published="ssim_uniform_8"),
            Measure("ms-ssim", "MS-SSIM", 4, 161, higher_is_better=True),
            Measure("lpips", "LPIPS", 4, 32, higher_is_better=False, published="lpips", backbone="alexnet"),
            Measure("lpips-vgg", "LPIPS, VGG", 4, 32, higher_is_better=False, backbone="vgg16"),
            Measure("lpips-squeeze", "LPIPS, SqueezeNet", 4, 32, higher_is_better=False, backbone="squeezenet"),
            Measure("fid256", "FID/256", 2, 256, higher_is_better=False, of_sets=True, published="fid_256"),
            Measure("kid256", "KID/256", 5, 256, higher_is_better=False, of_sets=True, published="kid_256"),
            Measure(
                "fd-alexnet256", "FD-alexnet/256", 3, 256, higher_is_better=False, of_sets=True, backbone="alexnet"
            ),
        )
    }
)


def find_measures(ids: Iterable[str]) -> tuple[Measure, ...]:
    """Return the measures of these ids, each once, in their order.

    Raises:
        BenchmarkError: if one is unknown, or none is given.
    """
    wanted = tuple(dict.fromkeys(ids))
    for each in wanted:
        if each not in MEASURES:
            raise BenchmarkError(f"unknown metric '{each}'; expected some of {', '.join(MEASURES)}")
    if not wanted:
        raise BenchmarkError(f"no metric given; expected some of {', '.join(MEASURES)}")
    return tuple(MEASURES[each] for each in wanted)
