"""PairBatch and PairSource: what the training loop takes, and from whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from dirac_enhance.codec import Codec

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """N pairs.

    Args:
        original: (N, 3, S, S) uint8.
        base_reconstruction: (N, 3, S, S) uint8.
        rate_factor: (N,) float32, what the base was coded at; the worse of the two where it was recompressed.
        known_rate_factor: (N,) float32, what the network is told; NaN for nothing.
    """

    original: Tensor
    base_reconstruction: Tensor
    rate_factor: Tensor
    known_rate_factor: Tensor


class Pool(Protocol):
    """What pairs are drawn from."""

    def describe(self) -> dict[str, dict[str, float]]:
        """Figures for each source, for the model card."""
        ...


class PairSource(Protocol):
    """Where the loop gets its pairs from: `PairMaker` codes them, `PairReader` has them coded beforehand."""

    @property
    def pool(self) -> Pool:
        """What the pairs are drawn from."""
        ...

    @property
    def codec(self) -> Codec:
        """Whose base reconstructions they hold."""
        ...

    @property
    def recipe(self) -> DataclassInstance:
        """How a pair is drawn, for checkpoint and card."""
        ...

    def draw_batch(self, generator: np.random.Generator, count: int) -> PairBatch:
        """Draw `count` pairs; the same state of the generator draws the same ones."""
        ...


Batch = TypeVar("Batch")
Batch_co = TypeVar("Batch_co", covariant=True)


class BatchSource(Protocol[Batch_co]):
    """What draws batches of any kind."""

    def draw_batch(self, generator: np.random.Generator, count: int, /) -> Batch_co:
        """Draw one of `count` examples; the same state of the generator draws the same ones."""
        ...


class _EndlessBatches(IterableDataset[Batch]):
    def __init__(self, source: BatchSource[Batch], *, batch_size: int, seed: tuple[int, ...]) -> None:
        self.source, self.batch_size, self.seed = source, batch_size, seed

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        generator = np.random.default_rng((*self.seed, worker.id if worker else 0))
        while True:
            yield self.source.draw_batch(generator, self.batch_size)


def endless_batches(
    source: BatchSource[Batch], *, batch_size: int, workers: int, seed: tuple[int, ...]
) -> Iterator[Batch]:
    """Yield batches for ever, drawn by worker processes (in this process where `workers` is 0).

    The same `seed` and number of workers give the same batches.
    """
    dataset = _EndlessBatches(source, batch_size=batch_size, seed=seed)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    return iter(loader)
