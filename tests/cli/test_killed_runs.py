"""Runs that are interrupted or killed, in processes of their own: what they leave, and that a second run goes on."""

from __future__ import annotations

import io
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy
import pytest
from click.testing import Result
from PIL import Image

from dirac_enhance import WeightsFile
from processes import PATIENCE, kill_9, needs_signals, start_python, wait_until

Run = Callable[..., Result]

PICTURES = 6


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Pictures too large to share an evaluation, so that results come one by one."""
    folder = tmp_path / "album"
    folder.mkdir()
    samples = numpy.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).resize((800, 400)).save(buffer, "JPEG", quality=10)
    for number in range(PICTURES):
        (folder / f"{number:02}.jpg").write_bytes(buffer.getvalue())
    return folder


def _start(album: Path, weights: WeightsFile) -> subprocess.Popen[str]:
    """Start a run in a process of its own, and wait for its first result."""
    better = album.parent / "better"
    arguments = (album, "-r", "-o", better, "--weights", weights.path, "--device", "cpu")
    process = start_python("-m", "dirac_enhance", *arguments)
    wait_until(lambda: list(better.glob("*.png")), process)
    return process


def _check_results(folder: Path) -> int:
    """Check that only whole results are there, hidden files apart, and count them."""
    results = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for path in results:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (800, 400)
    return len(results)


def _check_second_run(run: Run, album: Path, weights: WeightsFile, *, done: int) -> None:
    """Check that it does the rest, and that nothing hidden is left then."""
    result = run(album, "-r", "-o", album.parent / "better", "--weights", weights.path)
    assert result.stderr.splitlines()[-1] == f"{PICTURES - done} enhanced, {done} skipped, 0 failed"
    assert _check_results(album.parent / "better") == PICTURES
    assert not list(album.parent.rglob(".*"))


@needs_signals
def test_ctrl_c_stops_soon_leaves_nothing_behind_and_a_second_run_goes_on(
    run: Run, album: Path, weights: WeightsFile
) -> None:
    process = _start(album, weights)
    errors = None
    while errors is None:  # Python loses a signal that meets it in a destructor
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            _, errors = process.communicate(timeout=PATIENCE / 10)

    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted."
    assert " enhanced, 0 skipped, 0 failed" in errors.splitlines()[-3]
    assert "Traceback" not in errors
    done = _check_results(album.parent / "better")
    assert 1 <= done < PICTURES
    assert not list(album.parent.rglob(".*"))
    assert len(list(album.iterdir())) == PICTURES
    _check_second_run(run, album, weights, done=done)


@needs_signals
def test_after_a_kill_a_second_run_goes_on(run: Run, album: Path, weights: WeightsFile) -> None:
    kill_9(_start(album, weights))

    done = _check_results(album.parent / "better")
    assert 1 <= done < PICTURES
    _check_second_run(run, album, weights, done=done)


KILLED_WHILE_WRITING = """
import os, signal

def kill(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)

os.fsync = kill
from dirac_enhance.cli import main
main()
"""


@needs_signals
@pytest.mark.parametrize("place", ["folder", "beside"])
def test_a_result_that_was_being_written_is_removed_by_the_next_run(run: Run, album: Path, place: str) -> None:
    results = album if place == "beside" else album.parent / "plain"
    where = () if place == "beside" else ("-o", results)
    killed = start_python("-c", KILLED_WHILE_WRITING, "decode", album, "-r", *where)
    said = killed.communicate(timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL, said
    assert len(list(results.glob(".*.part"))) == 1

    result = run("decode", album, "-r", *where)

    assert result.stderr.splitlines()[-1] == f"{PICTURES} decoded, 0 skipped, 0 failed"
    assert not list(album.parent.rglob(".*"))
