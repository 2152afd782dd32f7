"""Lanes: groups of pictures go through the network several at a time, and results are fetched late.

On a CPU a lane has a core, or a few, to itself: many cores on one small evaluation wait for each other after every
layer, and all of them wait when one has something else to do, such as writing a result. On CUDA a lane has a stream of
its own, so that copies to and from the device, and what the CPU does before and after them, overlap with evaluations.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dirac_enhance.batch.decoding import DecodedPicture
from dirac_enhance.batch.recipe import Enhanced, Failed, Recipe, failed
from dirac_enhance.batch.writing import EnhancedPicture
from dirac_enhance.device import reproducible_convolutions
from dirac_enhance.enhancer import BATCH_PIXELS

if TYPE_CHECKING:
    from torch import Tensor

CPU_BATCH_PIXELS = 512 * 512
"""Pixels of a batch on a CPU lane: larger ones are no quicker there, and lanes end further apart from each other."""

MOST_CPU_LANES = 16
"""Each takes the memory of a batch's evaluation; further cores are shared out among the lanes."""

CUDA_LANES = 3
"""One batch on its way to the device, one at work there, one on its way back."""

CUDA_SHARED_PIXELS = 32_000_000
"""Pixels of the largest picture that others are in flight beside: each holds some 60 bytes a pixel of host memory."""

Progress = Callable[[float], None]
"""Called after each evaluation, from one thread at a time, with the number of pictures enhanced so far, parts of them
included."""

Group = Sequence[DecodedPicture]
"""Pictures of one padded size and one enhancer, that go through the network together."""


def batch_pixels(device: torch.device) -> int:
    """Pixels of a full batch of small pictures."""
    return CPU_BATCH_PIXELS if device.type == "cpu" else BATCH_PIXELS


@dataclass(frozen=True, slots=True)
class LanePlan:
    """How a device is shared out.

    Args:
        lanes: evaluations at the same time.
        threads: of the CPU for one of them.
        all_threads: of the CPU for one that runs alone.
        shared_pixels: of the largest group that others run beside.
    """

    lanes: int
    threads: int
    all_threads: int
    shared_pixels: int


def plan_lanes(device: torch.device, *, files: int, threads: int) -> LanePlan:
    """Share out a device among the evaluations of a run.

    Args:
        device: of the network.
        files: in the run; a lane more than that would be idle.
        threads: that PyTorch may use on the CPU.
    """
    on_cuda = device.type == "cuda"
    lanes = max(1, min(files, CUDA_LANES if on_cuda else min(threads, MOST_CPU_LANES)))
    return LanePlan(lanes, max(1, threads // lanes), threads, CUDA_SHARED_PIXELS if on_cuda else BATCH_PIXELS)


def counted_pixels(pixels: int, device: torch.device, *, files: int, threads: int) -> int:
    """Pixels that a picture counts for in a batch: as many as it has, or more, so that no lane goes without a batch.

    Args:
        pixels: that it has.
        device: of the network.
        files: in the run.
        threads: that PyTorch may use on the CPU.
    """
    if device.type != "cpu":
        return pixels
    lanes = plan_lanes(device, files=files, threads=threads).lanes
    return max(pixels, CPU_BATCH_PIXELS // -(-files // lanes))


class _Stopped(Exception):  # noqa: N818 - no error: the run was closed
    """Nobody waits for this group any more."""


class Lanes:
    """Evaluates groups in threads; a context manager that, however it is left, stops them within an evaluation.

    One group more than there are lanes is held, so that a lane that is done finds work. A group of more than
    `LanePlan.shared_pixels`, which is one picture, has the device, and on a CPU all threads, to itself: it is enhanced
    in the caller's thread, where Ctrl-C meets it at once. So is every group where there is one lane.

    Args:
        recipe: how to enhance.
        files: in the run.
        progress: told of every evaluation.
    """

    def __init__(self, recipe: Recipe, *, files: int, progress: Progress) -> None:
        self._recipe = recipe
        self._files = files
        self._progress = progress
        self._pending: deque[Future[list[EnhancedPicture | Failed]]] = deque()
        self._done = 0.0
        self._parts: dict[int, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._own = threading.local()
        self._plan: LanePlan | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Lanes:
        self._stack.enter_context(reproducible_convolutions())  # around all threads: it is the process's setting
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._plan is not None:
            torch.set_num_threads(self._plan.all_threads)
        self._stack.close()

    def submit(self, group: Group) -> Iterator[EnhancedPicture | Failed]:
        """Begin to enhance a group, once there is room for it; give what came of those before that it has to wait for.

        Raises:
            Exception: one of `recipe.of_all_files`.
        """
        plan, pool = self._open(group[0].enhancer.device)
        if plan.lanes == 1 or sum(picture.weight for picture in group) > plan.shared_pixels:
            yield from self.finish()
            yield from self._work(group, plan.all_threads)
            return
        while len(self._pending) > plan.lanes:
            yield from self._take()
        self._pending.append(pool.submit(self._work, group, plan.threads))

    def finish(self) -> Iterator[EnhancedPicture | Failed]:
        """Wait for all groups, and give what came of them.

        Raises:
            Exception: one of `recipe.of_all_files`.
        """
        while self._pending:
            yield from self._take()

    def _open(self, device: torch.device) -> tuple[LanePlan, ThreadPoolExecutor]:
        """Plan the lanes for the device of the first group."""
        if self._plan is None or self._pool is None:
            self._plan = plan_lanes(device, files=self._files, threads=torch.get_num_threads())
            self._pool = ThreadPoolExecutor(self._plan.lanes, thread_name_prefix="lane")
        return self._plan, self._pool

    def _take(self) -> Iterator[EnhancedPicture | Failed]:
        """Wait for the oldest group."""
        results = self._pending.popleft().result()
        while results:  # let go of one by one
            yield results.pop(0)

    def _work(self, group: Group, threads: int) -> list[EnhancedPicture | Failed]:
        """Enhance a group in this thread."""
        device = group[0].enhancer.device
        if device.type == "cpu":
            torch.set_num_threads(threads)  # counts for this thread, and those started later
        with self._own_stream(device):
            results = list(self._enhance(group))
        with self._lock:
            self._parts.pop(threading.get_ident(), None)
            self._done += len(group)
        return results

    @contextmanager
    def _own_stream(self, device: torch.device) -> Iterator[None]:
        """Queue this thread's CUDA work beside that of the others, after what the weights' loading has queued."""
        if device.type != "cuda":
            yield
            return
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream: torch.cuda.Stream = self._own.stream
        stream.wait_stream(torch.cuda.default_stream(device))
        with torch.cuda.stream(stream):
            yield

    def _enhance(self, group: Group, *, retried: bool = False) -> Iterator[EnhancedPicture | Failed]:
        """Enhance a group together, or, after an error, each of its pictures alone."""
        started = time.perf_counter()
        try:
            enhanced = group[0].enhancer.enhance_batch(
                [picture.decoded.base for picture in group],
                self._recipe.sampling,
                progress=lambda done, total: self._advance(0.0 if retried else len(group) * done / total),
            )
        except _Stopped:
            raise
        except Exception as error:
            if isinstance(error, self._recipe.of_all_files):
                raise
            if len(group) == 1:
                yield failed(group[0].job, error, purpose="to enhance it", tiled=True)
            else:
                for picture in group:
                    yield from self._enhance([picture], retried=True)
            return
        seconds = (time.perf_counter() - started) / len(group)
        for picture, pixels in zip(group, enhanced, strict=True):
            yield self._describe(picture, pixels, seconds=seconds)

    def _advance(self, part: float) -> None:
        """Tell of an evaluation, after which this thread has done `part` pictures of its group."""
        if self._stopped.is_set():
            raise _Stopped
        with self._lock:
            ident = threading.get_ident()
            self._parts[ident] = max(part, self._parts.get(ident, 0.0))
            self._progress(self._done + sum(self._parts.values()))

    def _describe(self, picture: DecodedPicture, pixels: Tensor, *, seconds: float) -> EnhancedPicture:
        """Put a result together with what is to be told of it; it took `seconds` of the network."""
        base, sampling = picture.decoded.base, self._recipe.sampling
        outcome = Enhanced(
            picture.job,
            picture.decoded.codec.codec.id,
            base.rate_factor,
            base.height,
            base.width,
            picture.enhancer,
            sampling.samples * picture.enhancer.evaluations(**sampling.trajectory_keywords()),
            picture.seconds + seconds,
        )
        return EnhancedPicture(pixels, base.alpha, base.metadata, picture.weight, outcome)
