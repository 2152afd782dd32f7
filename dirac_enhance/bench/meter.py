"""Meter: compares pictures with their originals, one by one, and as sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance import DiracError, WeightsError
from dirac_enhance.bench.environment import file_sha256
from dirac_enhance.bench.measures import MEASURES, Measure

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.metrics import LPIPS, Backbone, FeatureExtractor, PatchStatistics

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
        lpips: on that device: measure's id → network.
        extractors: of the distances between sets, on that device: measure's id → extractor, shared where equal.
        networks: measure's id → sha256 of the file of weights that it measures with.
    """

    measures: tuple[Measure, ...]
    device: str = "cpu"
    lpips: dict[str, LPIPS] = field(default_factory=dict)
    extractors: dict[str, FeatureExtractor] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)

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
            features = {name: lpips.features(_for_lpips(pixels)) for name, lpips in self.lpips.items()}
            return Reference(pixels, frozenset(self.ids), self.lpips, features)

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
    """An original, (1, C, H, W), on the meter's device, with the features of each LPIPS; made by `Meter.reference`."""

    pixels: Tensor
    measures: frozenset[str]
    lpips: Mapping[str, LPIPS]
    features: Mapping[str, tuple[Tensor, ...]]

    def compare(self, picture: Tensor) -> dict[str, float | None]:
        """Measure one picture, of the shape of the original and not rounded here, as `Meter.compare` does several."""
        import torch

        with torch.inference_mode():
            pixels = picture[None].to(self.pixels.device)
            values = {name: float(measure(pixels, self.pixels)) for name, measure in _distortions(self.measures)}
            for name, lpips in self.lpips.items():
                values[name] = float(lpips.distance(lpips.features(_for_lpips(pixels)), self.features[name]))
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
    lpips_backbones: Sequence[Path] = (),
    inception_weights: Path | None = None,
) -> tuple[Meter, tuple[Unmeasured, ...]]:
    """Load what the measures need, and say which ones cannot be had: nothing is raised for those.

    Args:
        measures: asked for.
        sides: name, height and width of each original.
        device: torch device to measure on.
        lpips_backbones: torchvision's networks, one file each, for LPIPS and FD-alexnet/256; which one a file holds is
            seen from its tensors. What is not among them is taken from torch's cache.
        inception_weights: for FID/256 and KID/256; None for those in torch's cache.
    """
    sides = tuple(sides)
    missing: list[Unmeasured] = []
    wanted = tuple(measure.backbone for measure in measures if measure.backbone is not None)
    parts = _Parts(device, _BackboneFiles(tuple(lpips_backbones), wanted), inception_weights)
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
    return Meter(tuple(loaded), device, parts.lpips, parts.extractors, parts.networks), tuple(missing)


@dataclass(slots=True, eq=False)
class _BackboneFiles:
    """Files of torchvision's networks that were given, and which of these networks the measures take."""

    given: tuple[Path, ...]
    wanted: tuple[Backbone, ...]
    _found: dict[Backbone, Path] | None = None

    def find(self, backbone: Backbone) -> Path:
        """Return the file given for a network, else the one in torch's cache.

        Raises:
            WeightsError: if there is none, or of the files given one holds none of the networks that measures take.
        """
        from dirac_enhance.metrics.backbones import find_backbone

        if self._found is None:
            self._found = self._identify()
        return self._found.get(backbone) or find_backbone(backbone)

    def _identify(self) -> dict[Backbone, Path]:
        from dirac_enhance.metrics.backbones import identify_backbone, read_tensors

        found: dict[Backbone, Path] = {}
        for file in self.given:
            backbone = identify_backbone(read_tensors(file))
            if backbone is None or backbone not in self.wanted:
                holds = backbone or "none of torchvision's alexnet, vgg16 and squeezenet1_1"
                expected = " and ".join(dict.fromkeys(self.wanted))
                raise WeightsError(
                    f"'{file}' given with --lpips-backbone holds {holds}; the metrics asked for take {expected}"
                )
            if backbone in found:
                raise WeightsError(f"'{found[backbone]}' and '{file}' both hold {backbone}; give one --lpips-backbone")
            found[backbone] = file
        return found


@dataclass(slots=True, eq=False)
class _Parts:
    """Networks loaded so far."""

    device: str
    backbones: _BackboneFiles
    inception_weights: Path | None
    lpips: dict[str, LPIPS] = field(default_factory=dict)
    extractors: dict[str, FeatureExtractor] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)

    def load(self, measure: Measure) -> None:
        """Load what one measure needs.

        Raises:
            DiracError: if that cannot be had.
        """
        if measure.backbone is not None:
            self._load_backbone(measure.id, measure.backbone)
        elif measure.id in _INCEPTION:
            self._load_inception(measure.id)
        else:
            import torch

            side = measure.smallest_side
            for _, distortion in _distortions([measure.id]):  # whether its library is installed
                distortion(torch.zeros(1, 3, side, side), torch.ones(1, 3, side, side))

    def _load_backbone(self, measure_id: str, backbone: Backbone) -> None:
        from dirac_enhance.metrics import load_alexnet_features, load_lpips

        file = self.backbones.find(backbone)
        if measure_id == _ALEXNET:
            self.extractors[measure_id] = load_alexnet_features(file).to(self.device)
        else:
            self.lpips[measure_id] = load_lpips(backbone, backbone_file=file).to(self.device)
        self.networks[measure_id] = file_sha256(file)

    def _load_inception(self, measure_id: str) -> None:
        from dirac_enhance.metrics import load_inception

        other = next((name for name in _INCEPTION if name in self.extractors), None)
        if other is None:
            inception = load_inception(self.inception_weights).to(self.device)
            self.extractors[measure_id], self.networks[measure_id] = inception, inception.sha256
        else:
            self.extractors[measure_id], self.networks[measure_id] = self.extractors[other], self.networks[other]


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
