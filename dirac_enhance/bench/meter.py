"""Meter: compares pictures with their originals, one by one, and as sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance import DiracError
from dirac_enhance.bench.measures import MEASURES, Measure

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.metrics import LPIPS, FeatureExtractor, PatchStatistics

_INCEPTION = ("fid256", "kid256")
_ALEXNET = "fd-alexnet256"


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A metric that was asked for and cannot be measured here, and why."""

    measure: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """What compares pictures with originals.

    Args:
        measures: that can be measured here, in the order asked for.
        device: torch device to measure on.
        lpips: with AlexNet, on that device, if asked for.
        extractors: of the distances between sets, on that device: measure's id → extractor, shared where equal.
    """

    measures: tuple[Measure, ...]
    device: str = "cpu"
    lpips: LPIPS | None = None
    extractors: dict[str, FeatureExtractor] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of its measures."""
        return tuple(measure.id for measure in self.measures)

    def compare(self, original: Tensor, pictures: Sequence[Tensor]) -> list[dict[str, float | None]]:
        """Measure pictures of one original, whose features are computed once; may run in several threads.

        Args:
            original: (3, H, W) in [0, 1], or (1, H, W) in gray.
            pictures: of the same shape; not rounded here.

        Returns:
            For each picture, measure's id → value of all that are of single pictures; None where it is not finite.
        """
        reference = self.reference(original)
        return [reference.compare(picture) for picture in pictures]

    def reference(self, original: Tensor) -> Reference:
        """Prepare to compare pictures, as they come, with one original, (3, H, W) or (1, H, W) in [0, 1]."""
        import torch

        with torch.inference_mode():
            pixels = original[None].to(self.device)
            lpips = self.lpips if "lpips" in self.ids else None
            return Reference(pixels, frozenset(self.ids), lpips, lpips.features(_for_lpips(pixels)) if lpips else ())

    def statistics(self) -> SetStatistics:
        """Begin to gather what distances between sets need of one set."""
        from dirac_enhance.metrics import PatchStatistics

        gathered: dict[int, PatchStatistics] = {}
        return SetStatistics(
            {
                name: gathered.setdefault(id(extractor), PatchStatistics(extractor))
                for name, extractor in self.extractors.items()
            },
            self.device,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An original, (1, C, H, W), on the meter's device, with its LPIPS features; made by `Meter.reference`."""

    pixels: Tensor
    measures: frozenset[str]
    lpips: LPIPS | None
    features: tuple[Tensor, ...]

    def compare(self, picture: Tensor) -> dict[str, float | None]:
        """Measure one picture, of the shape of the original and not rounded here, as `Meter.compare` does several."""
        import torch

        with torch.inference_mode():
            pixels = picture[None].to(self.pixels.device)
            values = {name: float(measure(pixels, self.pixels)) for name, measure in _distortions(self.measures)}
            if self.lpips:
                values["lpips"] = float(self.lpips.distance(self.lpips.features(_for_lpips(pixels)), self.features))
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


@dataclass(frozen=True, slots=True, eq=False)
class SetStatistics:
    """Features of one set of pictures, by measure; made by `Meter.statistics`."""

    parts: dict[str, PatchStatistics]
    device: str

    def add(self, pixels: Tensor) -> None:
        """Take in one picture, (3, H, W) in [0, 1]; one with a side below 256 is left out."""
        if min(pixels.shape[1:]) >= MEASURES[_ALEXNET].smallest_side:
            for part in {id(part): part for part in self.parts.values()}.values():
                part.add(pixels[None].to(self.device))

    def distances(self, originals: SetStatistics) -> dict[str, float | None]:
        """Return measure's id → distance of this set to that of the originals."""
        from dirac_enhance.metrics import frechet_distance_256, kernel_distance_256

        found = {}
        for name, part in self.parts.items():
            other = originals.parts[name]
            value = kernel_distance_256(part, other).mean if name == "kid256" else frechet_distance_256(part, other)
            found[name] = value if math.isfinite(value) else None
        return found


def _for_lpips(pixels: Tensor) -> Tensor:
    """(N, 3, H, W) or (N, 1, H, W) in [0, 1] to (N, 3, H, W) in [−1, 1]; gray is repeated."""
    return (2 * pixels - 1).expand(-1, 3, -1, -1)


def _distortions(wanted: Collection[str]) -> Iterator[tuple[str, Callable[[Tensor, Tensor], Tensor]]]:
    from dirac_enhance.metrics import ms_ssim, psnr, psnr_b, ssim, ssim_uniform_8x8

    known = {"psnr": psnr, "psnr-b": psnr_b, "ssim": ssim, "ssim-8x8": ssim_uniform_8x8, "ms-ssim": ms_ssim}
    return ((name, measure) for name, measure in known.items() if name in wanted)


def load_meter(
    measures: Sequence[Measure],
    *,
    sides: Iterable[tuple[str, int, int]],
    device: str = "cpu",
    lpips_backbone: Path | None = None,
    inception_weights: Path | None = None,
) -> tuple[Meter, tuple[Unmeasured, ...]]:
    """Load what the measures need, and say which ones cannot be had: nothing is raised for those.

    Args:
        measures: asked for.
        sides: name, height and width of each original.
        device: torch device to measure on.
        lpips_backbone: torchvision's AlexNet, for LPIPS and FD-alexnet/256; None for the one in torch's cache.
        inception_weights: for FID/256 and KID/256; None for those in torch's cache.
    """
    sides = tuple(sides)
    missing: list[Unmeasured] = []
    parts = _Parts(device, lpips_backbone, inception_weights)
    loaded: list[Measure] = []
    for measure in measures:
        reason = _too_small(measure, sides)
        try:
            if reason is None:
                parts.load(measure)
        except DiracError as error:
            reason = str(error)
        except ImportError as error:
            reason = f"it needs {error.name}; run `pip install 'dirac-enhance[metrics]'`"
        if reason is None:
            loaded.append(measure)
        else:
            missing.append(Unmeasured(measure.id, reason))
    return Meter(tuple(loaded), device, parts.lpips, parts.extractors), tuple(missing)


@dataclass(slots=True, eq=False)
class _Parts:
    """Networks loaded so far."""

    device: str
    lpips_backbone: Path | None
    inception_weights: Path | None
    lpips: LPIPS | None = None
    extractors: dict[str, FeatureExtractor] = field(default_factory=dict)

    def load(self, measure: Measure) -> None:
        """Load what one measure needs.

        Raises:
            DiracError: if that cannot be had.
        """
        import torch

        from dirac_enhance.metrics import load_alexnet_features, load_inception, load_lpips

        if measure.id == "lpips":
            self.lpips = load_lpips("alexnet", backbone_file=self.lpips_backbone).to(self.device)
        elif measure.id == _ALEXNET:
            self.extractors[measure.id] = load_alexnet_features(self.lpips_backbone).to(self.device)
        elif measure.id in _INCEPTION:
            present = next((self.extractors[name] for name in _INCEPTION if name in self.extractors), None)
            self.extractors[measure.id] = present or load_inception(self.inception_weights).to(self.device)
        else:
            side = measure.smallest_side
            for _, distortion in _distortions([measure.id]):  # whether its library is installed
                distortion(torch.zeros(1, 3, side, side), torch.ones(1, 3, side, side))


def _too_small(measure: Measure, sides: Sequence[tuple[str, int, int]]) -> str | None:
    """Say why pictures of these sizes are too small for a measure; distances between sets do with the larger ones."""
    least = measure.smallest_side
    small = [each for each in sides if min(each[1:]) < least]
    if measure.of_sets and len(small) < len(sides):
        return None if _patches(sides) > 1 else "it takes at least 2 patches of 256×256 pixels; there is 1"
    if not small:
        return None
    name, height, width = small[0]
    others = "" if len(small) == 1 else f", and {len(small) - 1} more are too small"
    return f"it takes pictures of at least {least} pixels a side; '{name}' has {width}×{height}{others}"


def _patches(sides: Iterable[tuple[str, int, int]]) -> int:
    """How many patches `dirac_enhance.metrics.patches_256` cuts pictures of these sizes into."""
    return sum(
        ((height - offset) // 256) * ((width - offset) // 256)
        for _, height, width in sides
        for offset in (0, 128)
        if min(height, width) >= 256
    )
