"""Every command that writes a picture leaves nothing behind when it cannot: a full disk, Ctrl-C."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

WRITERS = [
    ("decode",),
    ("encode", "--codec", "jpeg", "--rate-factor", "30"),
    ("encode", "--codec", "jpeg", "--bpp", "3"),
    ("contact-sheet", "--steps", "1"),
]


@pytest.mark.parametrize("command", WRITERS)
def test_full_disk_is_one_line_and_leaves_nothing(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("dirac_enhance.atomic.os.fsync", fail)

    result = run(*command, photo)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("Error: cannot write '")
    assert result.stderr.endswith("': No space left on device\n")
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("command", WRITERS)
def test_ctrl_c_while_writing_ends_with_130_and_leaves_nothing(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dirac_enhance.atomic.os.fsync", interrupt)

    result = run(*command, photo)

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.splitlines()[-1] == "Interrupted."
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]
