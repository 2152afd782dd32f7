"""Where results go: the name of each file's result, decided before anything is decoded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dirac_enhance.streams import STANDARD_STREAM


@dataclass(frozen=True, slots=True)
class Job:
    """A file to enhance and where its result goes."""

    source: Path
    target: Path


def plan_jobs(sources: Sequence[Path], output: str | None) -> tuple[Job, ...]:
    """Name the result of each source.

    Args:
        sources: the files as given.
        output: None for `<stem>.enhanced.png` beside each source; a folder for `<stem>.png` in it; or, for one
            source, a file. It counts as a folder if it is one, ends with a separator, or there are several sources.
            Standard input goes to standard output, or to `stdin.png` in a folder; "-" is standard output.

    Raises:
        click.UsageError: if two results have one name, or a result that of a source.
    """
    jobs = tuple(Job(source, _name_result(source, output, alone=len(sources) == 1)) for source in sources)
    taken: dict[str, Path] = {}
    places = {_place(source): source for source in sources if source != STANDARD_STREAM}
    for job in jobs:
        place = _place(job.target)
        if place in taken:
            raise click.UsageError(
                f"'{taken[place]}' and '{job.source}' would both be written to '{job.target}'; enhance them separately"
            )
        if place in places:
            raise click.UsageError(
                f"the result of '{job.source}' would replace the input '{places[place]}'; choose another -o"
            )
        taken[place] = job.source
    return jobs


def _name_result(source: Path, output: str | None, *, alone: bool) -> Path:
    if (alone and output == str(STANDARD_STREAM)) or (output is None and source == STANDARD_STREAM):
        return STANDARD_STREAM
    if output is None:
        return source.parent / f"{source.stem}.enhanced.png"
    if not alone or Path(output).is_dir() or output.endswith((os.sep, os.altsep or os.sep)):
        return Path(output) / ("stdin.png" if source == STANDARD_STREAM else f"{source.stem}.png")
    return Path(output)


def _place(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
