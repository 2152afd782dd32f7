"""Writing: results are encoded and written in a few threads while the network goes on."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dirac_enhance.atomic import create_folder
from dirac_enhance.batch.plan import Plan
from dirac_enhance.batch.recipe import Enhanced, Failed, Outcome, Recipe, Skipped, failed, raise_if_of_all
from dirac_enhance.errors import OutputExistsError
from dirac_enhance.image import write_image

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.codec import ImageMetadata

WRITTEN_PIXELS = 64_000_000
"""Enhanced pixels that may wait to be written."""

WRITERS = min(8, 2 + (os.cpu_count() or 1))
"""Threads that write; most of their time they wait for the disk."""


@dataclass(frozen=True, slots=True, eq=False)
class EnhancedPicture:
    """Pixels on their way to a file, what goes into it beside them, and what is to be told once it is written."""

    pixels: Tensor
    alpha: Tensor | None
    metadata: ImageMetadata
    weight: int
    outcome: Enhanced


class Writing:
    """Threads that write results; a context manager that leaves none of them behind."""

    def __init__(self, plan: Plan, recipe: Recipe) -> None:
        self._plan = plan
        self._recipe = recipe
        self._pending: deque[tuple[Future[Outcome], int]] = deque()
        self._pixels = 0
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="write")

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def write(self, enhanced: EnhancedPicture) -> Iterator[Outcome]:
        """Begin to write a result, once there is room for it, and tell of those that are finished."""
        while self._pending and (self._pixels + enhanced.weight > WRITTEN_PIXELS or self._pending[0][0].done()):
            yield self._take()
        self._pending.append((self._pool.submit(self._write, enhanced), enhanced.weight))
        self._pixels += enhanced.weight

    def finish(self) -> Iterator[Outcome]:
        """Wait for all results, and tell of them."""
        while self._pending:
            yield self._take()

    def _take(self) -> Outcome:
        future, weight = self._pending.popleft()
        self._pixels -= weight
        return raise_if_of_all(future.result(), self._recipe)

    def _write(self, enhanced: EnhancedPicture) -> Outcome:
        started = time.perf_counter()
        outcome = enhanced.outcome
        target = outcome.job.target
        try:
            if self._plan.creates_folder:
                create_folder(target.parent)
            write_image(
                target,
                enhanced.pixels,
                metadata=enhanced.metadata,
                alpha=enhanced.alpha,
                output=self._recipe.output,
            )
        except OutputExistsError as error:
            return Failed(outcome.job, error) if self._plan.alone else Skipped(outcome.job)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one file, the others go on
            return failed(outcome.job, error, purpose="to write its result")
        return replace(outcome, seconds=outcome.seconds + time.perf_counter() - started)
