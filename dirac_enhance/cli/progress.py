"""Progress of a run over files: a bar with the time left on a terminal, a line for each file elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dirac_enhance.cli.console import printable_line, remark

_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.4g}/{total} [{elapsed}<{remaining}]"


class Progress:
    """What a run shows of itself.

    Args:
        total: files of the run.
        settled: how many of them need nothing done, or are none.
        bar: a tqdm bar over them, or None.
        lines: whether to print a line for each of several files.
    """

    def __init__(self, total: int, *, settled: int = 0, bar: Any = None, lines: bool = False) -> None:
        self._total = total
        self._bar = bar
        self._lines = lines
        self._settled = settled
        self._without_network = settled
        self._line = threading.Lock()  # the terminal's last one: the bar's, unless something is printed

    def advance(self, pictures: float) -> None:
        """Show that so many pictures, parts of them included, went through the network; from any thread."""
        if self._bar is None:
            return
        with self._line:
            self._bar.update(max(0.0, min(pictures + self._without_network, self._total) - self._bar.n))

    def settle(self, source: Path, *, done: bool) -> None:
        """Show that it is known what became of a file: it went through the network, if the run has one, or not."""
        self._settled += 1
        self._without_network += not done
        if self._lines and self._total > 1:
            remark(f"{source} ({self._settled} of {self._total})")

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep the bar away from what is printed inside."""
        if self._bar is None:
            yield
            return
        with self._line:
            self._bar.clear()
            try:
                yield
            finally:
                self._bar.refresh()


@contextmanager
def follow(label: object, *, total: int, settled: int = 0, quiet: bool = False) -> Iterator[Progress]:
    """Follow a run over `total` files, some of them `settled` before it; the bar is gone when that is done."""
    if quiet or not sys.stderr.isatty():
        yield Progress(total, settled=settled, lines=not quiet)
        return
    from tqdm import tqdm

    settings = {"bar_format": _BAR, "leave": False, "dynamic_ncols": True}
    with tqdm(desc=printable_line(label), total=total, initial=settled, **settings) as bar:
        yield Progress(total, settled=settled, bar=bar)
