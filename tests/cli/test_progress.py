"""Progress: a bar with the time left on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dirac_enhance.cli.progress import follow


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_gets_a_bar_with_the_time_left_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("tqdm.std.time", count(100).__next__)  # a second between any two looks at the clock

    with follow("9 files", total=9) as progress:
        for done in (0.5, 1.0, 4.5):
            progress.advance(done)
        shown = terminal.getvalue().rstrip("\r").rpartition("\r")[2]

    assert shown.startswith("9 files:  50%|")
    assert "| 4.5/9 [00:" in shown
    assert "<00:" in shown  # elapsed<left
    assert terminal.getvalue().endswith("\r")  # cleared


def test_bar_counts_files_that_never_reach_the_network_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    steps: list[float] = []

    def update(bar: Any, step: float) -> None:
        steps.append(step)
        bar.n += step

    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr(tqdm, "update", update)

    with follow("4 files", total=4) as progress:
        progress.advance(1.0)
        progress.settle(Path("bad.jpg"), done=False)
        progress.advance(2.0)
        progress.advance(1.5)
        progress.advance(3.5)

    assert steps == [1.0, 2.0, 0.0, 1.0]


def test_bar_makes_room_for_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with follow("2 files", total=2) as progress:
        progress.advance(1.0)
        with progress.aside():
            before = terminal.getvalue()
            terminal.write("photo.png\n")
        after = terminal.getvalue()[len(before) :]

    assert before.endswith(" \r")  # the line is blank
    assert after.startswith("photo.png\n")
    assert "2 files:" in after


@pytest.mark.parametrize(("total", "line"), [(1, ""), (2, "photo.jpg (1 of 2)\n")])
def test_pipe_gets_a_line_for_each_of_several_files(total: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with follow("files", total=total) as progress:
        progress.advance(0.5)
        progress.settle(Path("photo.jpg"), done=True)

    assert capsys.readouterr().err == line


def test_files_settled_before_the_run_count(capsys: pytest.CaptureFixture[str]) -> None:
    with follow("files", total=10, settled=8) as progress:
        progress.settle(Path("a.jpg"), done=True)
        progress.settle(Path("b.jpg"), done=True)

    assert capsys.readouterr().err == "a.jpg (9 of 10)\nb.jpg (10 of 10)\n"


def test_quiet_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with follow("files", total=2, quiet=True) as progress:
        progress.advance(0.5)
        progress.settle(Path("photo.jpg"), done=True)

    assert terminal.getvalue() == ""
