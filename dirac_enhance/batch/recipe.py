"""Recipe and outcomes: what a run does to every file, and what it tells of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirac_enhance.batch.plan import Job
from dirac_enhance.errors import CodecOptionError, DeviceError, InvalidImageError, SamplingError
from dirac_enhance.image import AS_NEW_FILE, OutputSettings
from dirac_enhance.out_of_memory import is_out_of_memory, not_enough_memory
from dirac_enhance.pipeline import DETECTED, CodecChoice
from dirac_enhance.sampling import DEFAULTS, SamplingSettings
from dirac_enhance.streams import name_source

if TYPE_CHECKING:
    from dirac_enhance.enhancer import Enhancer
    from dirac_enhance.host import CodecHost, RegisteredCodec

OF_ALL_FILES = (CodecOptionError, DeviceError, SamplingError)
"""Errors after which no other file is worth a try."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What happens to every file of a run.

    Args:
        host: the codecs to choose from.
        load_enhancer_of: called with the codec of each file, from one thread at a time; may keep enhancers.
        choice: of the codec.
        sampling: how to sample.
        output: how to write results.
        of_all_files: errors that end the run, raised instead of told as an outcome.
    """

    host: CodecHost
    load_enhancer_of: Callable[[RegisteredCodec], Enhancer]
    choice: CodecChoice = DETECTED
    sampling: SamplingSettings = DEFAULTS
    output: OutputSettings = AS_NEW_FILE
    of_all_files: tuple[type[Exception], ...] = OF_ALL_FILES


@dataclass(frozen=True, slots=True)
class Enhanced:
    """A file whose result was written.

    Args:
        job: the file and its result.
        codec_id: of the codec that decoded it.
        rate_factor: of the file, or None where it is not known.
        height: in coded orientation.
        width: in coded orientation.
        enhancer: that was used.
        evaluations: of the network.
        seconds: spent on decoding and writing it, and its share of the time that the network took.
    """

    job: Job
    codec_id: str
    rate_factor: float | None
    height: int
    width: int
    enhancer: Enhancer
    evaluations: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """A file whose base reconstruction was written."""

    job: Job


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file whose result came into being after the run was planned."""

    job: Job


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that was not enhanced or decoded, and why; nothing was written for it."""

    job: Job
    error: Exception


def failed(job: Job, error: Exception, *, purpose: str, tiled: bool = False) -> Failed:
    """Tell that a file failed; of memory that ran out in one line, as it is the file's size that is at fault.

    Args:
        job: the file.
        error: what was raised.
        purpose: of the memory, as in "to enhance it".
        tiled: whether that works on tiles, which may be smaller.
    """
    if not is_out_of_memory(error):
        return Failed(job, error)
    named = InvalidImageError(f"{name_source(job.source)}: {not_enough_memory(purpose, tiled=tiled)}")
    named.__cause__ = error
    return Failed(job, named)


Outcome = Enhanced | DecodedFile | Skipped | Failed


def raise_if_of_all(outcome: Outcome, recipe: Recipe) -> Outcome:
    """Return an outcome, or raise its error if that ends the run."""
    if isinstance(outcome, Failed) and isinstance(outcome.error, recipe.of_all_files):
        raise outcome.error
    return outcome
