"""Progress of a batch of files: a bar over network evaluations on a terminal, a line for each file elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dirac_enhance.cli.console import printable_line, remark

Advance = Callable[[int, int], None]
"""Called with the number of network evaluations done and their total."""


@contextmanager
def follow(source: Path, *, number: int, total: int) -> Iterator[Advance]:
    """Show that file `number` of `total` is being worked on; a bar is gone when that is done."""
    label = f"{source} ({number} of {total})" if total > 1 else str(source)
    if sys.stderr.isatty():
        with _bar(label) as advance:
            yield advance
    else:
        if total > 1:
            remark(label)
        yield follow_silently


def follow_silently(_done: int, _total: int) -> None:
    """Show nothing."""


@contextmanager
def _bar(label: str) -> Iterator[Advance]:
    from tqdm import tqdm

    with tqdm(desc=printable_line(label), total=1, unit="evaluation", leave=False, dynamic_ncols=True) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance
