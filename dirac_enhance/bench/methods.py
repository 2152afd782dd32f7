"""Methods: the ways of getting a picture from coded bits that one benchmark compares."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from dirac_enhance import BaseReconstruction, DiracError, RestorerError
from dirac_enhance.bench.cells import CellKey
from dirac_enhance.bench.coded_pictures import Coded
from dirac_enhance.bench.concurrency import in_order
from dirac_enhance.bench.restorers.restorer import Restoration, Restorer, SimulatingRestorer
from dirac_enhance.sampling import SamplingSettings

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

    from dirac_enhance import Enhancer

_SIMULATED_BATCH = 32
"""Pictures that a program which codes originals itself gets in one run."""


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A picture, (3, H, W) around [0, 1], the key of its cell, and the seconds and MiB it took, None where unknown."""

    key: CellKey
    pixels: Tensor
    seconds: float | None
    peak_memory_mib: float | None = None


Row = tuple[Coded, list[Restored]]
"""A coded picture, and what one method made of it: one picture for each key."""


class Method(Protocol):
    """One way of getting pictures, at one rate."""

    @property
    def keys(self) -> tuple[CellKey, ...]:
        """What it measures, together."""
        ...

    @property
    def kind(self) -> str:
        """What takes equally long at any rate, for the time left: "base", "steps", a peer's id."""
        ...

    def only(self, keys: Sequence[CellKey]) -> Method:
        """Return a method for some of the keys."""
        ...

    def restore(self, pictures: Iterator[Coded]) -> Iterator[Row]:
        """Yield the rows of pictures, in their order.

        Raises:
            DiracError: at a picture that the method fails on.
        """
        ...


class _SingleKey:
    """What methods that measure one key share."""

    __slots__ = ()
    key: CellKey

    @property
    def keys(self) -> tuple[CellKey, ...]:
        """Its only key."""
        return (self.key,)

    def only(self, keys: Sequence[CellKey]) -> Self:
        """As `Method.only`."""
        return self


@dataclass(frozen=True, slots=True)
class PlainCodec(_SingleKey):
    """The base reconstruction itself."""

    key: CellKey
    kind: str = "base"

    def restore(self, pictures: Iterator[Coded]) -> Iterator[Row]:
        """As `Method.restore`."""
        return ((coded, [Restored(self.key, coded.base.pixels, coded.seconds)]) for coded in pictures)


@dataclass(frozen=True, slots=True, eq=False)
class Enhanced:
    """Our enhancer to several steps, with several numbers of samples: one walk for each sample serves all of them."""

    enhancer: Enhancer
    keys: tuple[CellKey, ...]
    sampling: SamplingSettings
    kind: str = "steps"

    def only(self, keys: Sequence[CellKey]) -> Enhanced:
        """As `Method.only`."""
        return replace(self, keys=tuple(keys))

    def restore(self, pictures: Iterator[Coded]) -> Iterator[Row]:
        """As `Method.restore`."""
        return ((coded, list(self._restore(coded.base))) for coded in pictures)

    def _restore(self, base: BaseReconstruction) -> Iterator[Restored]:
        sums: dict[int, Tensor] = {}
        seconds: dict[int, float] = {}
        for sample in range(max(key.samples for key in self.keys)):
            steps = sorted({key.steps or 1 for key in self.keys if key.samples > sample})
            for step, pixels, taken in self._walk(base, steps, sample=sample):
                sums[step] = sums[step] + pixels if step in sums else pixels
                seconds[step] = seconds.get(step, 0.0) + taken
            for key in self.keys:
                if key.samples == sample + 1 and key.steps is not None:
                    yield Restored(key, sums[key.steps] / key.samples, seconds[key.steps])

    def _walk(
        self, base: BaseReconstruction, steps: Sequence[int], *, sample: int
    ) -> Iterator[tuple[int, Tensor, float]]:
        """Yield step, picture and seconds until it: one walk passes all beyond the late start, one serves the rest."""
        late_start = late_start_of(self.enhancer, self.sampling)
        for part in ([step for step in steps if step <= late_start], [step for step in steps if step > late_start]):
            if not part:
                continue
            counts = {step: evaluations_of(self.enhancer, self.sampling, step) for step in part}
            points = self.enhancer.trajectory(
                base,
                **replace(self.sampling, steps=part[-1]).trajectory_keywords(),
                seed=self.sampling.seed,
                sample=sample,
                eta=self.sampling.eta,
            )
            seconds = 0.0
            for count in range(1, counts[part[-1]] + 1):
                start = time.perf_counter()
                point = next(points)
                seconds += time.perf_counter() - start  # measuring in between is not counted
                yield from ((step, point.pixels, seconds) for step in part if counts[step] == count)


def late_start_of(enhancer: Enhancer, sampling: SamplingSettings) -> int:
    """Return the positions that are skipped."""
    return enhancer.metadata.late_start if sampling.late_start is None else sampling.late_start


def evaluations_of(enhancer: Enhancer, sampling: SamplingSettings, step: int) -> int:
    """Return how many network evaluations a sample takes to a step.

    Raises:
        SamplingError: as `Enhancer.enhance` does.
    """
    return enhancer.evaluations(**replace(sampling, steps=step).trajectory_keywords())


@dataclass(frozen=True, slots=True, eq=False)
class Peer(_SingleKey):
    """A peer that takes JPEG files; several pictures at once with more than one job."""

    restorer: Restorer
    key: CellKey
    jobs: int = 1

    @property
    def kind(self) -> str:
        """The peer's id."""
        return self.restorer.id

    def restore(self, pictures: Iterator[Coded]) -> Iterator[Row]:
        """As `Method.restore`."""
        return in_order(self._restore, pictures, jobs=self.jobs)

    def _restore(self, coded: Coded) -> Row:
        try:
            restored = self.restorer.restore(coded.content)
        except DiracError:
            raise
        except Exception as cause:  # other people's code runs in this process
            raise RestorerError(f"{self.restorer.id} failed: {type(cause).__name__}: {cause}") from cause
        if restored.pixels.shape != coded.original.shape:
            given, expected = tuple(restored.pixels.shape), tuple(coded.original.shape)
            raise RestorerError(f"{self.restorer.id} gave {given} for {expected}")
        return coded, [_restored(self.key, restored)]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedPeer(_SingleKey):
    """A peer that codes originals itself: many at a time, since its program loads its network anew in each run."""

    restorer: SimulatingRestorer
    key: CellKey
    quality: int

    @property
    def kind(self) -> str:
        """The peer's id."""
        return self.restorer.id

    def restore(self, pictures: Iterator[Coded]) -> Iterator[Row]:
        """As `Method.restore`."""
        while batch := list(islice(pictures, _SIMULATED_BATCH)):
            restored = self._restore([coded.original for coded in batch])
            yield from ((coded, [_restored(self.key, each)]) for coded, each in zip(batch, restored, strict=True))

    def _restore(self, originals: list[Tensor]) -> list[Restoration]:
        try:
            return self.restorer.restore_originals(originals, quality=self.quality)
        except DiracError:
            raise
        except Exception as cause:
            raise RestorerError(f"{self.restorer.id} failed: {type(cause).__name__}: {cause}") from cause


def _restored(key: CellKey, picture: Restoration) -> Restored:
    return Restored(key, picture.pixels, picture.seconds, picture.peak_memory_mib)


def simulated_pictures(originals: Iterable[Tensor], *, quality: int) -> Iterator[Coded]:
    """Code originals by DDRM's imitation of JPEG, which makes no file: clamped to [0, 1], not rounded to 8 bits.

    Raises:
        InvalidImageError: at a picture whose sides are no multiples of 16.
    """
    from dirac_enhance.bench.simulated_jpeg import decode, encode

    for original in originals:
        pixels = decode(encode(original, quality=quality)).clamp(0, 1)
        yield Coded(original, b"", BaseReconstruction(pixels, coded_bytes=0, rate_factor=quality), None, None)
