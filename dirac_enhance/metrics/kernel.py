"""A bounded sample of features that stream by, and the kernel distance (MMD²) between two samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dirac_enhance.errors import MetricError

CAPACITY = 32_768
"""Features that are kept of a set by default: 256 MiB for the 2048 float32 numbers of InceptionV3."""
SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
"""Of every draw here. Part of the protocol, as the numbers above: with torch-fidelity's, its figures come out."""


@dataclass(frozen=True, slots=True)
class KernelDistance:
    """A kernel distance, averaged over subsets.

    Args:
        mean: over the subsets; may be slightly below 0, because each is an unbiased estimate.
        std: between the subsets; 0 where the only subset is everything.
        subsets: how many were drawn.
        subset_size: features of either side in a subset; figures for other sizes have other `std`, the same mean.
    """

    mean: float
    std: float
    subsets: int
    subset_size: int


class FeatureReservoir:
    """At most `capacity` features of a stream of any length, all of it equally likely to be kept.

    Algorithm R (Vitter 1985). Memory is reserved on the first call of `add` and touched as it fills: `capacity` × D
    float32 numbers at most. Up to `capacity` features are kept in order, all of them; the same stream in whichever
    batches always leaves the same sample.

    Args:
        capacity: most features to keep, at least 1.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise MetricError(f"a reservoir of {capacity} features; it must hold at least 1")
        self.capacity = capacity
        self.seen = 0
        self._kept = torch.empty(0, 0)
        self._draws = np.random.RandomState(SEED)

    def add(self, features: Tensor) -> None:
        """Take in (N, D) features on the CPU, D the same in every call."""
        if self.seen == 0:
            self._kept = torch.empty(self.capacity, features.shape[1])
        for feature in features:
            place = self.seen if self.seen < self.capacity else self._draws.randint(self.seen + 1)
            if place < self.capacity:
                self._kept[place] = feature
            self.seen += 1

    @property
    def width(self) -> int:
        """D, or 0 while nothing has been seen."""
        return self._kept.shape[1]

    @property
    def features(self) -> Tensor:
        """(min(seen, capacity), D) float32: a view, not to be written to."""
        return self._kept[: self.seen]


def kernel_distance(
    features: Tensor, originals: Tensor, *, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
) -> KernelDistance:
    """Squared maximum mean discrepancy under the kernel (xᵀy / D + 1)³, averaged over random subsets of both.

    Bińkowski et al. 2018 (arXiv 1801.01401), section 4; draws and defaults are those of torch-fidelity. Where a side
    has fewer than `subset_size` features, subsets are of its size; where both have just as many, there is one subset.

    Args:
        features: (N, D), N at least 2.
        originals: (M, D), M at least 2.
        subsets: how many to draw.
        subset_size: of either side in a subset, at least 2; drawn without replacement.

    Raises:
        MetricError: if a side or a subset has fewer than 2 features.
    """
    size = min(subset_size, len(features), len(originals))
    if size < 2:
        raise MetricError(
            f"subsets of {size} of {len(features)} and {len(originals)} features; an unbiased estimate needs at least 2"
        )
    if size == len(features) == len(originals):
        return KernelDistance(squared_mmd(features, originals), 0.0, 1, size)
    draws = np.random.RandomState(SEED)
    distances = []
    for _ in range(subsets):
        of_originals = draws.choice(len(originals), size, replace=False)
        of_features = draws.choice(len(features), size, replace=False)
        distances.append(squared_mmd(features[of_features], originals[of_originals]))
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)), subsets, size)


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """Unbiased estimate of MMD² (Gretton et al. 2012, equation 3) under the kernel (xᵀy / D + 1)³.

    Args:
        first, second: (N, D) and (M, D), N and M at least 2; computed in float64, N², N M and M² numbers at a time.
    """
    first, second = first.double(), second.double()
    return _mean_off_diagonal(first) + _mean_off_diagonal(second) - 2 * _kernel(first, second).mean().item()


def _mean_off_diagonal(features: Tensor) -> float:
    kernel = _kernel(features, features)
    count = len(features)
    return (kernel.sum() - kernel.trace()).item() / (count * (count - 1))


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3
