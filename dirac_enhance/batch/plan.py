"""Plan: the name of each file's result, and which are there already, decided before anything is decoded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from dirac_enhance.batch.inputs import RESULT_ENDING, Inputs, Source
from dirac_enhance.errors import InvalidImageError, OutputPathError
from dirac_enhance.streams import STANDARD_STREAM


@dataclass(frozen=True, slots=True)
class Job:
    """A file to enhance and where its result goes."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """A run over many files.

    Args:
        jobs: to be done.
        skipped: whose result an earlier run has left.
        refused: one error for each input that cannot be used.
        alone: the run is over a single file that was named by itself: a result that is there is an error, not skipped.
        creates_folder: whether a folder for results is created where it is missing.
    """

    jobs: tuple[Job, ...]
    skipped: tuple[Job, ...] = ()
    refused: tuple[InvalidImageError, ...] = ()
    alone: bool = False
    creates_folder: bool = True


def plan_files(files: Sequence[Path], output: str | None, *, ending: str) -> Plan:
    """Name the result of each of a few files that were named by themselves; none is skipped.

    Args:
        files: the sources.
        output: as for `plan_batch`.
        ending: what results beside their sources end in, as `.decoded.png`; its last suffix is that of results in a
            folder, too.

    Raises:
        OutputPathError: as `plan_batch` does.
    """
    sources = tuple(Source(file, PurePath(file.name)) for file in files)
    return plan_batch(Inputs(sources, alone=len(sources) == 1), output, overwrite=True, ending=ending)


def plan_batch(inputs: Inputs, output: str | None, *, overwrite: bool = False, ending: str = RESULT_ENDING) -> Plan:
    """Name the result of each source, and tell what is left to do.

    Args:
        inputs: the sources; where one of them is what an earlier run made of another, it is left out.
        output: None for `<stem>.enhanced.png` beside each source; a folder for its place there, as `<stem>.png`; or,
            for a source named by itself, a file. It counts as a folder if it is one, ends with a separator, or the
            source is not alone.
        overwrite: whether results that are there are made anew.
        ending: what results beside their sources end in; its last suffix is that of results in a folder, too.

    Raises:
        OutputPathError: if two results have one name, a result that of a source, or many sources one file.
    """
    if not inputs.alone and output is not None:
        _check_folder(output)
    jobs = [
        Job(source.path, _name_result(source, output, alone=inputs.alone, ending=ending)) for source in inputs.sources
    ]
    if output is None:
        results = {_identity(job.target) for job in jobs if job.target != STANDARD_STREAM}
        jobs = [job for job in jobs if _identity(job.source) not in results]
    _check_clashes(jobs)
    if inputs.alone or overwrite:
        creates = not inputs.alone or (output is not None and names_folder(output))
        return Plan(tuple(jobs), refused=inputs.refused, alone=inputs.alone, creates_folder=creates)
    done = {job for job in jobs if is_done(job)}
    return Plan(
        tuple(job for job in jobs if job not in done), tuple(job for job in jobs if job in done), inputs.refused
    )


def is_done(job: Job) -> bool:
    """Whether the result is there; it is whole then, as results never land half-written."""
    return os.path.lexists(job.target) and not job.target.is_dir()


def names_folder(output: str) -> bool:
    """Whether an output is a folder, or written as one."""
    return output.endswith((os.sep, os.altsep or os.sep)) or Path(output).is_dir()


def _check_folder(output: str) -> None:
    if names_folder(output) or not Path(output).suffix:
        return
    from dirac_enhance.image_formats import FORMATS

    if any(Path(output).suffix.lower() in image_format.suffixes for image_format in FORMATS):
        raise OutputPathError(
            f"-o '{output}' names a file, but several results need a folder; write '{output}{os.sep}' if it is one"
        )


def _name_result(source: Source, output: str | None, *, alone: bool, ending: str) -> Path:
    if (alone and output == str(STANDARD_STREAM)) or (output is None and source.path == STANDARD_STREAM):
        return STANDARD_STREAM
    if output is None:
        return source.path.parent / f"{source.path.stem}{ending}"
    if alone and not names_folder(output):
        return Path(output)
    name = "stdin" if source.path == STANDARD_STREAM else source.place.stem
    return Path(output, source.place.parent, f"{name}{Path(ending).suffix}")


def _check_clashes(jobs: list[Job]) -> None:
    sources = {_identity(job.source): job.source for job in jobs if job.source != STANDARD_STREAM}
    taken: dict[str, Path] = {}
    for job in jobs:
        identity = _identity(job.target)
        if identity in taken:
            raise OutputPathError(
                f"'{taken[identity]}' and '{job.source}' would both be written to '{job.target}'; name them separately"
            )
        if identity in sources:
            raise OutputPathError(
                f"the result of '{job.source}' would replace the input '{sources[identity]}'; choose another -o"
            )
        taken[identity] = job.source


def _identity(path: Path) -> str:
    """One text for all ways to write the path of one file."""
    return os.path.normcase(os.path.realpath(path))
