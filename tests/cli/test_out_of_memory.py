"""Files too large for the memory there is: one line, no traceback, nothing written; in processes of little memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from dirac_enhance import WeightsFile
from dirac_enhance.errors import DiracError
from dirac_enhance.out_of_memory import is_out_of_memory
from processes import PATIENCE, start_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it takes /proc to tell how much memory is mapped")

LITTLE_MEMORY = """
import resource, sys
import cv2, torch
import dirac_enhance.batch.runner, dirac_enhance.decoded_pixels, dirac_enhance_jpeg.reading
from dirac_enhance.cli import main

pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + int(sys.argv.pop(1)) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
main()
"""

SIDE = 2400
"""Of a picture that takes 66 MiB in float32, of which enhancing holds several."""


def _run(mebibytes: int, *arguments: object) -> tuple[int, list[str]]:
    """Run a command line that may map so much more than its libraries; return its exit code and what it complained."""
    process = start_python("-c", LITTLE_MEMORY, mebibytes, *arguments, MALLOC_ARENA_MAX="1")
    _, errors = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in errors, errors
    return process.returncode, errors.splitlines()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    Image.new("RGB", (SIDE, SIDE), "olive").save(tmp_path / "large.jpg", quality=50)
    return tmp_path / "large.jpg"


@pytest.mark.parametrize(
    ("command", "start"),
    [
        pytest.param((), b"\xff\xd8\xff\xe0", id="enhance, a JPEG by its start"),
        pytest.param(("info",), b"\xff\xd8\xff\xe0", id="info, a JPEG by its start"),
        pytest.param((), b"", id="enhance, of no codec"),
    ],
)
def test_a_file_larger_than_the_memory(tmp_path: Path, command: tuple[str, ...], start: bytes) -> None:
    big = tmp_path / "big.jpg"
    with big.open("wb") as file:
        file.write(start)
        file.truncate(6 * 2**30)  # sparse: it takes no room

    code, errors = _run(500, *command, big)

    expected = (
        f"Error: not enough memory to read '{big}'; expected a compressed picture, which is small"
        if start
        else f"Error: '{big}': the file's content is of no known codec"
    )
    assert (code, len(errors), errors[0][: len(expected)]) == (1, 1, expected)
    assert list(tmp_path.iterdir()) == [big]


@pytest.mark.parametrize(
    ("mebibytes", "purpose"),
    [
        (60, "to decode it; end other programs, or cut"),
        (200, "to enhance it; end other programs, pass a smaller --tile"),
    ],
)
def test_a_picture_larger_than_the_memory(large: Path, weights: WeightsFile, mebibytes: int, purpose: str) -> None:
    code, errors = _run(mebibytes, large, "--weights", weights.path, "--device", "cpu")

    assert (code, len(errors)) == (1, 1)
    assert errors[0].startswith(f"Error: '{large}': not enough memory {purpose}")
    assert [path.name for path in large.parent.iterdir()] == [large.name]


def test_of_several_pictures_the_small_ones_are_done(large: Path, jpeg_bytes: bytes, weights: WeightsFile) -> None:
    (large.parent / "small.jpg").write_bytes(jpeg_bytes)

    code, errors = _run(200, large.parent, "-r", "--weights", weights.path, "--device", "cpu", "--quiet")

    assert (code, errors[-1], len(errors)) == (1, "1 enhanced, 0 skipped, 1 failed", 2)
    assert "not enough memory to enhance it" in errors[0]


def test_other_errors_are_not_taken_for_it() -> None:
    assert not any(map(is_out_of_memory, (RuntimeError("some kernel is missing"), OSError("out of memory"))))
    assert not is_out_of_memory(DiracError("out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
