"""Runs that are interrupted or killed, in processes of their own: what they leave, and that a second run goes on."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy
import pytest
from click.testing import Result
from PIL import Image

from dirac_enhance import WeightsFile

Run = Callable[..., Result]

ROOT = Path(__file__).parent.parent.parent
PICTURES = 6
PATIENCE = 120.0
"""Seconds that a slow machine may take for what a quick one does in two."""


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
    command = [sys.executable, "-m", "dirac_enhance", str(album), "-r", "-o", str(better), "--weights"]
    process = subprocess.Popen(
        [*command, str(weights.path), "--device", "cpu"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not list(better.glob("*.png")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
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
    result = run(album, "-r", "-o", album.parent / "better", "--weights", weights.path)
    assert result.stderr.splitlines()[-1] == f"{PICTURES - done} enhanced, {done} skipped, 0 failed"
    assert _check_results(album.parent / "better") == PICTURES


@pytest.mark.skipif(os.name != "posix", reason="SIGINT cannot be sent to a process elsewhere")
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


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL cannot be sent to a process elsewhere")
def test_after_a_kill_a_second_run_goes_on(run: Run, album: Path, weights: WeightsFile) -> None:
    process = _start(album, weights)
    process.kill()
    process.communicate(timeout=PATIENCE)

    done = _check_results(album.parent / "better")
    assert 1 <= done < PICTURES
    _check_second_run(run, album, weights, done=done)
