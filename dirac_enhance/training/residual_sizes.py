"""ResidualSizes: how large a codec's residuals are at each rate factor, and the thresholds that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.batches import PairBatch
from dirac_enhance.training.rate_groups import group_by_rate

LARGEST_LEVEL = 255


@dataclass(frozen=True, slots=True)
class ResidualSizes:
    """How often a residual has each magnitude, at up to 20 rate factors.

    Args:
        counts: rate factor, rising → how many samples of the residual have magnitude 0, 1, … 255, in 8-bit levels.
    """

    counts: Mapping[float, tuple[int, ...]]

    def thresholds(self, percentile: float) -> tuple[tuple[float, float], ...]:
        """Return the range that holds a share of the residuals at each rate factor (DIRAC sections 3.3 and A.4).

        Whether the paper's range is symmetric is not said. Here it is, and it ends half a level above the smallest
        magnitude that enough residuals do not exceed, so that no prediction that rounds to one of those is changed.

        Args:
            percentile: in (0, 100].

        Returns:
            Rows (rate factor, limit in (0, 1]), in [−1, 1] units, as `WeightsMetadata.thresholds` takes them.

        Raises:
            TrainingError: if `percentile` is out of range, or no rate factor is known.
        """
        if not 0 < percentile <= 100:
            raise TrainingError(f"thresholds at {percentile:g} % given; expected a percentage above 0 and up to 100")
        if not self.counts:
            raise TrainingError(
                "no training pair's rate factor is known to the decoder, so nothing could be thresholded by it; "
                "leave out --thresholds"
            )
        return tuple((rate, _limit(counts, percentile / 100)) for rate, counts in self.counts.items())


def measure_residual_sizes(batch: PairBatch, *, log_spaced: bool = True) -> ResidualSizes:
    """Count the residuals of those pairs whose rate factor the network may be told.

    Args:
        batch: many pairs, at rate factors all over the range; of any codec.
        log_spaced: whether rate factors are averaged as logarithms.
    """
    known = (~batch.known_rate_factor.isnan()).nonzero()[:, 0]
    groups = group_by_rate(batch.known_rate_factor[known], log_spaced=log_spaced) if len(known) else {}
    return ResidualSizes({rate: _count_magnitudes(batch, known[indices]) for rate, indices in groups.items()})


def count_residuals(original: Tensor, base_reconstruction: Tensor) -> Tensor:
    """Count how often each channel's residual is −255, …, 255 in 8-bit levels.

    Args:
        original: (3, H, W) uint8.
        base_reconstruction: (3, H, W) uint8.

    Returns:
        (3, 511) int64.
    """
    levels = original.short() - base_reconstruction.short() + LARGEST_LEVEL
    return torch.stack([channel.flatten().bincount(minlength=2 * LARGEST_LEVEL + 1) for channel in levels])


def _count_magnitudes(batch: PairBatch, indices: Tensor) -> tuple[int, ...]:
    """Fold the residuals of some pairs, counted one by one, lest a batch fill memory."""
    counts = torch.zeros(2 * LARGEST_LEVEL + 1, dtype=torch.int64)
    for index in indices.tolist():
        counts += count_residuals(batch.original[index], batch.base_reconstruction[index]).sum(dim=0)
    negative, zero, positive = counts[:LARGEST_LEVEL].flip(0), counts[LARGEST_LEVEL], counts[LARGEST_LEVEL + 1 :]
    return (int(zero), *(negative + positive).tolist())


def _limit(counts: tuple[int, ...], share: float) -> float:
    """Return the edge of the last level within the range; a level is 1/127.5 in [−1, 1] units."""
    within = torch.tensor(counts, dtype=torch.float64).cumsum(dim=0)
    level = int((within < share * within[-1]).sum())
    return min((level + 0.5) / 127.5, 1.0)
