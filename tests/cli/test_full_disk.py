"""Disks that fill up for real while a result is written: one line each, and nothing half-written is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from processes import PATIENCE, ROOT, start_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits and devices that it takes are Linux's")

MOST_BYTES = 5000
ONLY_SMALL_FILES = f"""
import resource
import dirac_enhance.batch.decode_only
from dirac_enhance.cli import main

resource.setrlimit(resource.RLIMIT_FSIZE, ({MOST_BYTES}, {MOST_BYTES}))
main()
"""
ON_A_TINY_DISK = """
mount -t tmpfs -o size=64k none "$1" || exit 77
"$2" -m dirac_enhance decode "$3" -o "$1/photo.png"
code=$?
ls -A "$1"
exit $code
"""


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A picture whose result is of more than 64 kB, between two small ones."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a", "c"):
        Image.new("RGB", (16, 16)).save(folder / f"{name}.jpg")
    Image.effect_noise((512, 512), 90).convert("RGB").save(folder / "b.jpg")
    return folder


def test_a_file_that_grows_too_large_fails_alone(album: Path) -> None:
    process = start_python("-c", ONLY_SMALL_FILES, "decode", album, "-r", "-o", album.parent / "plain")
    _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1, errors
    assert f"Error: cannot write '{album.parent / 'plain' / 'b.png'}': File too large" in errors.splitlines()
    assert errors.splitlines()[-1] == "2 decoded, 0 skipped, 1 failed"
    assert "Traceback" not in errors
    assert sorted(path.name for path in (album.parent / "plain").iterdir()) == ["a.png", "c.png"]


def test_a_full_disk_gets_one_line_and_keeps_nothing(album: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare here to mount a small disk with")
    finished = subprocess.run(
        [unshare, "-m", "sh", "-c", ON_A_TINY_DISK, "sh", tmp_path / "disk", sys.executable, album / "b.jpg"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if finished.returncode == 77 or finished.stderr.startswith("unshare:"):
        pytest.skip(f"this user may mount nothing: {finished.stderr.strip()}")

    line = f"Error: cannot write '{tmp_path / 'disk' / 'photo.png'}': No space left on device\n"
    assert (finished.returncode, finished.stdout, finished.stderr) == (1, "", line)


def test_standard_output_on_a_full_disk_gets_one_line(album: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        finished = subprocess.run(
            [sys.executable, "-m", "dirac_enhance", "decode", album / "a.jpg", "-o", "-"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    line = "Error: cannot write to standard output: No space left on device\n"
    assert (finished.returncode, finished.stderr) == (1, line)
