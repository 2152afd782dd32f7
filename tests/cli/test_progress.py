"""Progress: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from dirac_enhance.cli.progress import follow


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_gets_a_bar_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with follow(Path("photo.jpg"), number=2, total=9) as advance:
        for done in range(1, 5):
            advance(done, 4)
        shown = terminal.getvalue()

    assert "photo.jpg (2 of 9):" in shown
    assert terminal.getvalue().endswith("\r")  # cleared


def test_bar_counts_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    counts: list[tuple[int, int]] = []
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr(tqdm, "update", lambda bar, step: counts.append((step, bar.total)))

    with follow(Path("photo.jpg"), number=1, total=1) as advance:
        advance(1, 4)

    assert counts == [(1, 4)]


@pytest.mark.parametrize(("total", "line"), [(1, ""), (2, "photo.jpg (1 of 2)\n")])
def test_pipe_gets_a_line_for_each_of_several_files(total: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with follow(Path("photo.jpg"), number=1, total=total) as advance:
        advance(1, 4)

    assert capsys.readouterr().err == line
