"""The Gaussian that features follow, gathered while they stream by, and the Fréchet distance between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dirac_enhance.errors import MetricError


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """A normal distribution over features.

    Args:
        mean: (D,) float64.
        covariance: (D, D) float64, symmetric; of a sample, the unbiased one (divided by N − 1).
    """

    mean: Tensor
    covariance: Tensor


class RunningGaussian:
    """Mean and covariance of features that arrive in batches, in D² numbers, however many there are.

    Batches are merged by the update of Chan, Golub and LeVeque (1979), in float64: no sum of raw squares, whose
    difference would cancel.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = torch.zeros(0, dtype=torch.float64)
        self._scatter = torch.zeros(0, 0, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Take in (N, D) features on the CPU, N at least 1 and D the same in every call."""
        features = features.double()
        added, width = features.shape
        if self.count == 0:
            self._mean, self._scatter = features.new_zeros(width), features.new_zeros(width, width)
        total = self.count + added
        mean = features.mean(dim=0)
        centred, shift = features - mean, mean - self._mean
        self._scatter.addmm_(centred.T, centred)
        self._scatter.addr_(shift, shift, alpha=self.count * added / total)
        self._mean += shift * (added / total)
        self.count = total

    def gaussian(self) -> Gaussian:
        """Estimate the distribution of all features so far.

        Raises:
            MetricError: if there were fewer than two, which have no covariance.
        """
        if self.count < 2:
            raise MetricError(f"a covariance needs at least 2 features, not {self.count}; give more or larger pictures")
        return Gaussian(self._mean.clone(), self._scatter / (self.count - 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Fréchet (2-Wasserstein) distance: ‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½).

    Heusel et al. 2017 (arXiv 1706.08500), equation 6. With Σ₁ = R Rᵀ the trace of the root is the sum of the roots of
    the eigenvalues of Rᵀ Σ₂ R, which is symmetric: real and exact also for fewer features than dimensions, where the
    usual root of Σ₁ Σ₂ needs a regulariser.

    Args:
        first, second: of the same width D.

    Returns:
        At least 0, in the square of the features' unit.
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    # What is below is rounding, and its root would be far above rounding.
    above_rounding = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    root = vectors[:, above_rounding] * values[above_rounding].sqrt()
    shared = torch.linalg.eigvalsh(root.T @ second.covariance @ root).clamp(min=0).sqrt().sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * shared
    shift = (first.mean - second.mean).square().sum()
    return max(0.0, float(shift + spread))
