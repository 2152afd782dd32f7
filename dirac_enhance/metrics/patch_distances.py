"""FID/256 and KID/256, distances between sets of pictures, on the features of their 256×256 patches.

picture ─two grids─► patches ─FeatureExtractor─► features ─┬─► RunningGaussian ──► frechet_distance_256
                                                           └─► FeatureReservoir ─► kernel_distance_256
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dirac_enhance.errors import InvalidImageError, MetricError
from dirac_enhance.metrics.extractors import FeatureExtractor, InceptionFeatures
from dirac_enhance.metrics.gaussian import RunningGaussian, frechet_distance
from dirac_enhance.metrics.kernel import CAPACITY, FeatureReservoir, KernelDistance, kernel_distance

PATCH_SIDE = 256


def patches_256(pictures: Tensor, *, places: int = 16) -> Iterator[Tensor]:
    """Cut pictures into whole patches on a grid at offset 0, and on a second one shifted by 128 down and right.

    HiFiC (Mentzer et al. 2020, arXiv 2006.09965) as NeuralCompression does it: a 768×512 picture has 6 + 2 patches.
    What the grids leave over at the right and at the bottom is not looked at.

    Args:
        pictures: (N, 3, H, W) in [0, 1], each side at least 256; rounded to 8 bits here.
        places: how many places in the picture to cut out at a time.

    Yields:
        (n, 3, 256, 256) uint8, n at most N × `places`.

    Raises:
        InvalidImageError: if the shape is not as above or a value is not finite.
    """
    if pictures.dim() != 4 or pictures.shape[1] != 3 or min(pictures.shape[2:]) < PATCH_SIDE:
        raise InvalidImageError(
            f"pictures of shape {tuple(pictures.shape)}; patches are cut from (N, 3, H, W) with H and W at least "
            f"{PATCH_SIDE}: leave smaller pictures out"
        )
    if not pictures.isfinite().all():
        raise InvalidImageError("pictures hold values that are not finite; expected [0, 1]")
    levels = (pictures.clamp(0, 1) * 255).round().byte()
    height, width = levels.shape[2:]
    corners = [
        (top, left)
        for offset in (0, PATCH_SIDE // 2)
        for top in range(offset, height - PATCH_SIDE + 1, PATCH_SIDE)
        for left in range(offset, width - PATCH_SIDE + 1, PATCH_SIDE)
    ]
    for start in range(0, len(corners), places):
        yield torch.cat(
            [
                levels[:, :, top : top + PATCH_SIDE, left : left + PATCH_SIDE]
                for top, left in corners[start : start + places]
            ]
        )


class PatchStatistics:
    """What the distances need to know of one set of pictures, gathered picture by picture.

    Memory does not grow with the set: D² float64 numbers for the covariance (32 MiB for InceptionV3's D = 2048), and
    at most `capacity` × D float32 numbers for the kernel (256 MiB); larger sets are represented by a random sample.

    Args:
        extractor: what makes features of patches.
        capacity: most features to keep for the kernel distance.
    """

    def __init__(self, extractor: FeatureExtractor, *, capacity: int = CAPACITY) -> None:
        self.extractor = extractor
        self.running = RunningGaussian()
        self.reservoir = FeatureReservoir(capacity)

    @property
    def patches(self) -> int:
        """How many patches there were so far; state it beside a distance."""
        return self.running.count

    @property
    def frechet_name(self) -> str:
        """What `frechet_distance_256` is called: "FID/256" for the FID paper's network alone, else "FD-<name>/256"."""
        return "FID/256" if isinstance(self.extractor, InceptionFeatures) else f"FD-{self.extractor.name}/256"

    @property
    def kernel_name(self) -> str:
        """What `kernel_distance_256` is called: "KID/256" for the FID paper's network alone, else "KD-<name>/256"."""
        return "KID/256" if isinstance(self.extractor, InceptionFeatures) else f"KD-{self.extractor.name}/256"

    @torch.no_grad()
    def add(self, pictures: Tensor, *, places: int = 16) -> None:
        """Take in pictures, in whichever batches; sizes may differ from call to call. Left unchanged on error.

        Args:
            pictures: (N, 3, H, W) in [0, 1], each side at least 256, on the extractor's device.
            places: how many places in the picture to look at at a time; fewer need less memory.

        Raises:
            InvalidImageError: if the shape is not as above or a value is not finite.
            MetricError: if the extractor does not return one finite vector of the same width for each patch.
        """
        features = torch.cat([self._features(patches) for patches in patches_256(pictures, places=places)])
        self.running.add(features)
        self.reservoir.add(features)

    def _features(self, patches: Tensor) -> Tensor:
        features = self.extractor(patches).cpu()
        width = self.reservoir.width or features.shape[-1]
        if features.shape != (len(patches), width):
            raise MetricError(
                f"extractor '{self.extractor.name}' returned {tuple(features.shape)} for {len(patches)} patches; "
                f"expected ({len(patches)}, {width})"
            )
        if not features.isfinite().all():
            raise MetricError(f"extractor '{self.extractor.name}' returned features that are not finite")
        return features


def frechet_distance_256(pictures: PatchStatistics, originals: PatchStatistics) -> float:
    """Fréchet distance of patches' features: FID/256 with InceptionV3, see `PatchStatistics.frechet_name`.

    Below a few thousand patches it says more about the number of patches than about the pictures: compare only what
    was measured on the same set.

    Raises:
        MetricError: if the features are of different kinds, or a side has fewer than 2 patches.
    """
    _check_comparable(pictures, originals)
    return frechet_distance(pictures.running.gaussian(), originals.running.gaussian())


def kernel_distance_256(pictures: PatchStatistics, originals: PatchStatistics) -> KernelDistance:
    """Kernel distance of patches' features: KID/256 with InceptionV3, see `PatchStatistics.kernel_name`.

    Over 100 subsets of 1000 patches, as torch-fidelity; of fewer where the sets are smaller.

    Raises:
        MetricError: if the features are of different kinds, or a side has fewer than 2 patches.
    """
    _check_comparable(pictures, originals)
    return kernel_distance(pictures.reservoir.features, originals.reservoir.features)


def _check_comparable(pictures: PatchStatistics, originals: PatchStatistics) -> None:
    kinds = [(each.frechet_name, each.reservoir.width) for each in (pictures, originals) if each.patches]
    if len(set(kinds)) > 1:
        first, second = (f"{name} on {width} features" for name, width in kinds)
        raise MetricError(f"{first} beside {second}; gather both sets with one extractor")
