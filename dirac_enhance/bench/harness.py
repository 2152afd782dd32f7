"""The harness: codec × rate × method over a set of originals; each finished part is on disk before the next begins.

rate ─► originals ─encode─► Coded ─Method.restore─► Restored, one for each key ─8 bits─► Meter ─► Cell ─► ResultsFolder
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dirac_enhance import BenchmarkError, DiracError, EncodingCodec
from dirac_enhance.bench.cells import Cell, CellKey, Values
from dirac_enhance.bench.coded_pictures import (
    Coded,
    CodedPictures,
    EncodedNow,
    Kept,
    StoredStreams,
    decode_corner,
    decode_picture,
)
from dirac_enhance.bench.concurrency import in_order
from dirac_enhance.bench.environment import file_sha256
from dirac_enhance.bench.memory import PeakMemory
from dirac_enhance.bench.methods import (
    Enhanced,
    Method,
    Peer,
    PlainCodec,
    Restored,
    Row,
    SimulatedPeer,
    evaluations_of,
    late_start_of,
    simulated_pictures,
)
from dirac_enhance.bench.protocols import SIMULATED_JPEG, protocol_of
from dirac_enhance.bench.remaining_time import RemainingTime
from dirac_enhance.bench.restorers.restorer import AnyRestorer, SimulatingRestorer, name_of
from dirac_enhance.bench.restorers.spandrel_network import SpandrelRestorer
from dirac_enhance.bench.results import LeftOut
from dirac_enhance.sampling import SamplingSettings

if TYPE_CHECKING:
    from dirac_enhance import Codec, Enhancer
    from dirac_enhance.bench.meter import Meter, SetStatistics
    from dirac_enhance.bench.originals import OriginalSet
    from dirac_enhance.bench.results import ResultsFolder

_FLOATING_POINT = ("ddrm-jpeg",)
"""Protocols whose pictures are measured without rounding to 8 bits."""

_WARM_UP_SIDE = 128


@dataclass(frozen=True, slots=True, eq=False)
class BenchPlan:
    """What to measure.

    Args:
        codec: its options set; it need not encode where there are streams.
        codec_options: name → text of those set, sorted.
        rates: rate factors.
        streams: made beforehand, of the originals alone and at every rate; None to encode.
        enhancer: None to leave our own out.
        steps: where on its trajectory to stop.
        samples: how many to average, each number for each of `steps`.
        sampling: everything else about it.
        peers: that can run.
        simulated_jpeg: measure on DDRM's imitation of JPEG, too; a peer that codes so itself is reason enough.
        gray: as in the gray tables of JPEG restorers: the codec is `gray_codec`'s, the originals are their luma, and
            what restorers make of them is taken back to one plane.
        jobs: pictures measured, or restored by a peer, at once.

    Raises:
        RateFactorError: if a rate factor is out of the codec's range.
        BenchmarkError: if the codec would have to encode and cannot, or JPEG is simulated beside another codec, beside
            streams, or in gray.
    """

    codec: Codec
    rates: tuple[float, ...]
    codec_options: tuple[tuple[str, str], ...] = ()
    streams: StoredStreams | None = None
    enhancer: Enhancer | None = None
    steps: tuple[int, ...] = ()
    samples: tuple[int, ...] = (1,)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    peers: tuple[AnyRestorer, ...] = ()
    simulated_jpeg: bool = False
    gray: bool = False
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.simulated_jpeg and self.gray:
            raise BenchmarkError("simulated JPEG codes colour; leave out --simulated-jpeg, or --gray")
        if self.simulated_jpeg and self.codec.id != "jpeg":
            raise BenchmarkError(f"simulated JPEG is measured beside codec 'jpeg', not '{self.codec.id}'")
        if self.streams is not None:
            if self.simulated_jpeg or self.gray:
                raise BenchmarkError("streams are measured as they are; leave out --simulated-jpeg and --gray")
            return
        if not isinstance(self.codec, EncodingCodec):
            raise BenchmarkError(f"codec '{self.codec.id}' only decodes; give its files with --streams DIR")
        for rate in self.rates:
            self.codec.rate_range.check(rate)

    @property
    def coded(self) -> CodedPictures:
        """The coded files."""
        if self.streams is not None:
            return self.streams
        assert isinstance(self.codec, EncodingCodec)  # as was checked
        return EncodedNow(self.codec, self.rates)

    @property
    def protocol(self) -> str:
        """Id of how the codec's own pictures are measured; of streams it is not known how they were coded."""
        as_usual = not self.codec_options and self.streams is None
        return protocol_of(self.codec.id, as_usual=as_usual, gray=self.gray).id

    def methods(self) -> Iterator[tuple[float, Method]]:
        """Everything to measure, rate by rate; what takes least comes first."""
        for rate in self.rates:
            streams_sha256 = None if self.streams is None else self.streams.sha256(rate)
            base = CellKey(self.codec.id, rate, "base", self.protocol, self.codec_options, streams_sha256)
            yield from ((rate, method) for method in self._own(base, prefix=""))
            for peer in self.peers:
                if not isinstance(peer, SimulatingRestorer):
                    key = replace(base, method="peer", peer=name_of(peer), weights_sha256=_weights_of(peer))
                    yield rate, Peer(peer, key, self.jobs)
            simulating = [peer for peer in self.peers if isinstance(peer, SimulatingRestorer)]
            if simulating or self.simulated_jpeg:
                base = CellKey(SIMULATED_JPEG, rate, "base", "ddrm-jpeg")
                yield from ((rate, method) for method in self._own(base, prefix="simulated "))
                for each in simulating:
                    yield rate, SimulatedPeer(each, replace(base, method="peer", peer=each.id), int(rate))

    def _own(self, base: CellKey, *, prefix: str) -> Iterator[Method]:
        """The base, and our own enhancer on it."""
        yield PlainCodec(base, kind=f"{prefix}base")
        if self.enhancer is not None and self.steps:
            keys = tuple(self._steps(self.enhancer, base))
            yield Enhanced(self.enhancer, keys, self.sampling, kind=f"{prefix}steps")

    def _steps(self, enhancer: Enhancer, base: CellKey) -> Iterator[CellKey]:
        metadata, sampling = enhancer.metadata, self.sampling
        for samples in sorted(set(self.samples)):
            for step in sorted(set(self.steps)):
                yield replace(
                    base,
                    method="steps",
                    weights_sha256=enhancer.weights_sha256,
                    steps=step,
                    samples=samples,
                    seed=sampling.seed,
                    evaluations=samples * evaluations_of(enhancer, sampling, step),
                    spacing=sampling.spacing or (metadata.spacing if sampling.evaluations is None else "log-snr"),
                    trajectory_evaluations=evaluations_of(enhancer, sampling, 100),
                    late_start=late_start_of(enhancer, sampling),
                    eta=sampling.eta,
                    precision=str(enhancer.precision).removeprefix("torch."),
                )


def _weights_of(peer: AnyRestorer) -> str | None:
    """Digest of the file of a peer that is one, so that another file of its name is another cell."""
    return file_sha256(peer.file) if isinstance(peer, SpandrelRestorer) else None


@dataclass(frozen=True, slots=True)
class State:
    """How far a run is.

    Args:
        title: what is being measured.
        done: pictures measured, once for each method at each rate; `total` of them in all.
        seconds_left: an estimate, None before there is one.
        part_done: whether a method at one rate has just been finished.
    """

    title: str
    done: int
    total: int
    seconds_left: float | None
    part_done: bool = False


def _ignore(_event: object) -> None:
    pass


@dataclass(slots=True, eq=False)
class Harness:
    """One run; `run` does it.

    Args:
        plan: what to measure.
        originals: on which pictures.
        meter: with what.
        folder: where results are, and those of earlier runs.
        progress: called after each picture.
        tell: called with what went wrong and stops nothing.
    """

    plan: BenchPlan
    originals: OriginalSet
    meter: Meter
    folder: ResultsFolder
    progress: Callable[[State], None] = _ignore
    tell: Callable[[LeftOut], None] = _ignore
    _coded: CodedPictures = field(init=False)
    _statistics: SetStatistics | None = None

    def __post_init__(self) -> None:
        self._coded = Kept(self.plan.coded)

    def run(self) -> int:
        """Measure everything that is not there yet.

        Returns:
            How many methods failed at a rate; they were told of, and nothing finished is lost.

        Raises:
            BenchmarkError: if results cannot be written.
        """
        work = list(self._unfinished())
        number = len(self.originals.originals)
        remaining = RemainingTime((method.kind, number) for _, method in work)
        failed = 0
        self._warm_up(method for _, method in work)
        for part, (rate, method) in enumerate(work):
            follower = _Follower(f"rate {rate:g}, {method.kind}", method.kind, part * number, number * len(work))
            try:
                cells = self._measure(rate, method, picture_done=lambda: self.progress(follower.picture(remaining)))  # noqa: B023 - called before the next one is there
            except Exception as error:  # noqa: BLE001 - a plugin's, a peer's, a full GPU's: the other parts go on
                failed += 1
                remaining.give_up(method.kind, number - follower.count)
                reason = str(error) if isinstance(error, DiracError) else f"{type(error).__name__}: {error}"
                self._leave_out(LeftOut(follower.title, reason))
                continue
            self.folder.add(cells)
            self.progress(replace(follower.state(remaining), part_done=True))
        return failed

    def _unfinished(self) -> Iterator[tuple[float, Method]]:
        for rate, method in self.plan.methods():
            missing = self.folder.missing(method.keys, self.meter.ids)
            if missing:
                yield rate, method.only(missing)

    def _warm_up(self, methods: Iterable[Method]) -> None:
        """Let the device allocate memory and choose its kernels before anything is timed."""
        picture, original = self.originals.originals[0].name, next(iter(self.originals))
        codec, coded = self.plan.codec, self.plan.coded
        try:
            for method in methods:
                if isinstance(method, (PlainCodec, Enhanced)):
                    base = decode_corner(codec, coded, picture, original, side=_WARM_UP_SIDE)
                    if isinstance(method, Enhanced):
                        method.enhancer.enhance(base, steps=1)
                        return
        except Exception:  # noqa: BLE001 - it will be told when it happens to a picture
            return

    def _leave_out(self, what: LeftOut) -> None:
        self.tell(what)
        self.folder.add((), left_out=[what])

    def _measure(self, rate: float, method: Method, *, picture_done: Callable[[], None]) -> list[Cell]:
        """Measure one method at one rate on all pictures, and make its cells."""
        memory = self._peak_memory(method)
        gathered = {key: _Gathered(self.meter.statistics()) for key in method.keys}
        rows = method.restore(self._pictures(rate, method))
        if self.plan.gray:
            rows = map(_in_gray, rows)
        for coded, restored, values in in_order(self._compare, rows, jobs=self.plan.jobs):
            for each, metrics in zip(restored, values, strict=True):
                gathered[each.key].add(coded, metrics, restored=each)
            picture_done()
        peak = None if memory is None else memory.mib()
        originals = self._of_originals()
        return [each.cell(key, originals, peak_memory_mib=peak) for key, each in gathered.items()]

    def _peak_memory(self, method: Method) -> PeakMemory | None:
        """Begin to measure what the codec or our network take; peers say what they took."""
        if isinstance(method, Enhanced):
            return PeakMemory(self.meter.device)
        return PeakMemory("cpu") if isinstance(method, PlainCodec) else None

    def _compare(self, row: Row) -> tuple[Coded, list[Restored], list[dict[str, float | None]]]:
        from dirac_enhance.metrics import round_to_8_bits

        coded, restored = row
        pictures = [
            each.pixels.clamp(0, 1) if each.key.protocol in _FLOATING_POINT else round_to_8_bits(each.pixels)
            for each in restored
        ]
        planes = slice(1 if self.plan.gray else None)
        return coded, restored, self.meter.compare(coded.original[planes], [each[planes] for each in pictures])

    def _pictures(self, rate: float, method: Method) -> Iterator[Coded]:
        if method.keys[0].codec == SIMULATED_JPEG:
            yield from simulated_pictures(self.originals, quality=int(rate))
            return
        for named, original in zip(self.originals.originals, self.originals, strict=True):
            yield decode_picture(self.plan.codec, self._coded, named.name, original, rate_factor=rate)

    def _of_originals(self) -> SetStatistics:
        """Features of the originals, computed once."""
        if self._statistics is None:
            statistics = self.meter.statistics()
            if statistics.parts:
                for original in self.originals:
                    statistics.add(original)
            self._statistics = statistics
        return self._statistics


def _in_gray(row: Row) -> Row:
    """Average the planes of what was restored, as results of gray sources are written, and repeat that."""
    coded, restored = row
    return coded, [replace(each, pixels=each.pixels.mean(dim=0).expand(3, -1, -1)) for each in restored]


@dataclass(slots=True)
class _Follower:
    """Counts the pictures of one part of a run."""

    title: str
    kind: str
    before: int
    total: int
    count: int = 0
    last: float = field(default_factory=time.perf_counter)

    def picture(self, remaining: RemainingTime) -> State:
        now = time.perf_counter()
        remaining.picture(self.kind, now - self.last)
        self.last, self.count = now, self.count + 1
        return self.state(remaining)

    def state(self, remaining: RemainingTime) -> State:
        return State(self.title, self.before + self.count, self.total, remaining.seconds())


class _Gathered:
    """What one cell is made of, picture by picture."""

    def __init__(self, statistics: SetStatistics) -> None:
        self._statistics = statistics
        self._bpp: list[float | None] = []
        self._metrics: dict[str, list[float | None]] = {}
        self._seconds: list[float | None] = []
        self._peaks: list[float] = []
        self._pixels = 0

    def add(self, coded: Coded, metrics: dict[str, float | None], *, restored: Restored) -> None:
        self._bpp.append(coded.bits_per_pixel)
        for name, value in metrics.items():
            self._metrics.setdefault(name, []).append(value)
        self._seconds.append(restored.seconds)
        if restored.peak_memory_mib is not None:
            self._peaks.append(restored.peak_memory_mib)
        self._pixels += coded.original[0].numel()
        self._statistics.add(restored.pixels)

    def cell(self, key: CellKey, originals: SetStatistics, *, peak_memory_mib: float | None) -> Cell:
        timed = [seconds for seconds in self._seconds if seconds is not None]
        metrics = {name: Values.of(values) for name, values in self._metrics.items()}
        metrics |= {name: Values(value) for name, value in self._statistics.distances(originals).items()}
        coded = any(bpp is not None for bpp in self._bpp)
        return Cell(
            key,
            bpp=Values.of(self._bpp) if coded else Values(None),
            metrics=metrics,
            seconds_per_megapixel=sum(timed) * 1e6 / self._pixels if timed else None,
            peak_memory_mib=max(self._peaks, default=peak_memory_mib),
        )
