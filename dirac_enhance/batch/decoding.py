"""Decoding ahead: files are decoded, in their order, in a thread of their own."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from dirac_enhance.batch.handover import PixelQueue
from dirac_enhance.batch.plan import Job, Plan, is_done
from dirac_enhance.batch.recipe import Failed, Recipe, Skipped, failed
from dirac_enhance.errors import InvalidImageError
from dirac_enhance.image import check_output
from dirac_enhance.pipeline import Decoded, decode_file

if TYPE_CHECKING:
    from dirac_enhance.enhancer import Enhancer

QUEUED_PIXELS = 16_000_000
"""Decoded pixels that may wait for the network; a pixel takes 12 bytes."""

SMALLEST_WEIGHT = 4096
"""What the smallest picture counts for, in pixels, so that a limit on pixels is one on pictures, too."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """A decoded file on its way to the network: which enhancer, the size there, and the seconds it took so far."""

    job: Job
    decoded: Decoded
    enhancer: Enhancer
    padded_size: tuple[int, int]
    seconds: float

    @property
    def weight(self) -> int:
        """Pixels that it counts for."""
        return max(SMALLEST_WEIGHT, math.prod(self.padded_size))


@contextmanager
def decode_ahead(plan: Plan, recipe: Recipe) -> Iterator[Iterator[DecodedPicture | Skipped | Failed]]:
    """Decode in a thread of its own, as far ahead as the queue's limit allows."""
    queue: PixelQueue[DecodedPicture | Skipped | Failed] = PixelQueue(QUEUED_PIXELS)

    def decode_all() -> None:
        for job in plan.jobs:
            item = _decode(job, recipe, plan)
            wanted = queue.put(item, pixels=item.weight if isinstance(item, DecodedPicture) else SMALLEST_WEIGHT)
            del item  # not kept while the next is decoded
            if not wanted:
                break
        queue.finish()

    thread = Thread(target=decode_all, name="decode")
    thread.start()
    try:
        yield iter(queue)
    finally:
        queue.close()
        thread.join()


def _decode(job: Job, recipe: Recipe, plan: Plan) -> DecodedPicture | Skipped | Failed:
    started = time.perf_counter()
    try:
        if plan.alone and (job.target.parent.is_dir() or not plan.creates_folder):
            check_output(job.target, output=recipe.output)
        elif (
            not plan.alone and not recipe.output.overwrite and is_done(job)
        ):  # another process may work on the same folder
            return Skipped(job)
        else:
            _check_folder_to_be(job.target.parent)
        decoded = decode_file(job.source, recipe.host, choice=recipe.choice)
        enhancer = recipe.load_enhancer_of(decoded.codec)
        padded_size = enhancer.padded_size(decoded.base)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one file, the others go on
        told = failed(job, error, purpose="to decode it")
        if not plan.alone:
            _forget_frames(told.error)
        return told
    return DecodedPicture(job, decoded, enhancer, padded_size, time.perf_counter() - started)


def _forget_frames(error: BaseException) -> None:
    """Let go of what the frames hold that an error went through: a queue of them would hold whole files."""
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__


def _check_folder_to_be(folder: Path) -> None:
    """Check that a folder can be written to, or be created where it is missing.

    Raises:
        InvalidImageError: if it cannot.
    """
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each) or each == each.parent)
    if not there.is_dir():
        raise InvalidImageError(f"cannot write to the folder '{folder}': '{there}' is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidImageError(f"cannot write to the folder '{folder}': '{there}' is not writable")
