"""A thousand damaged files in one run: a report, not a crash, and memory that stays small."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from PIL import Image

from dirac_enhance import bundled_weights

ROOT = Path(__file__).parent.parent.parent
FILES = 1000
PEAK_BYTES = 1_500_000_000
"""Above what PyTorch, the network and a few small pictures take; a thousand files' leftovers would exceed it."""


def _mutate(content: bytes, generator: random.Random) -> bytes:
    """Flip bits, cut, repeat or blank out a part."""
    mutated = bytearray(content)
    first, last = sorted(generator.sample(range(len(content)), 2))
    kind = generator.randrange(6)
    if kind == 0:
        return content[:last]
    if kind == 1:
        mutated[first:last] = bytes(last - first)
    elif kind == 2:
        mutated[first:first] = content[first:last]
    else:
        for _ in range(generator.choice((1, 1, 2, 8))):
            mutated[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return bytes(mutated)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Mutations of a 16×16 JPEG, most of them no pictures any more."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    samples = numpy.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", quality=30)
    generator = random.Random(0)  # noqa: S311 - no secret
    for number in range(FILES):
        (folder / f"{number:03}.jpg").write_bytes(_mutate(buffer.getvalue(), generator))
    return folder


@pytest.mark.skipif(os.name != "posix", reason="a child's peak memory and FIFOs are POSIX's")
def test_a_thousand_damaged_files_end_with_a_report_and_bounded_memory(damaged: Path, tmp_path: Path) -> None:
    assert bundled_weights("jpeg") is not None
    better = tmp_path / "better"
    odd = ["folder.jpg", "pipe.jpg", "missing.jpg", "unreadable.jpg", "blocked/000.jpg", "/dev/null"]
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "unreadable.jpg").symlink_to("unreadable.jpg")  # a loop: even root cannot read it
    (tmp_path / "blocked").symlink_to(damaged)
    better.mkdir()
    (better / "blocked").touch()  # a file where a folder of results should be
    names = [*odd, *(f"damaged/{path.name}" for path in sorted(damaged.iterdir()))]
    (tmp_path / "list.txt").write_text("\n".join(names))

    with (tmp_path / "errors.txt").open("w+") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dirac_enhance", "--files-from", str(tmp_path / "list.txt")),
                *("-o", str(better), "--steps", "1", "--device", "cpu", "--quiet"),
            ],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path))},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        lines = errors.read().splitlines()

    assert process.returncode == 1, lines[-5:]
    counts = re.fullmatch(r"(\d+) enhanced, 0 skipped, (\d+) failed", lines[-1])
    assert counts is not None, lines[-5:]
    enhanced, failed = map(int, counts.groups())
    assert enhanced + failed == FILES + len(odd)
    assert min(enhanced, failed) > FILES // 10
    assert len(list(better.rglob("*.png"))) == enhanced
    assert not list(tmp_path.rglob("*.part"))
    assert sum(line.startswith("Error: ") for line in lines) == failed
    assert not [line for line in lines if "should not happen" in line or "Traceback" in line]
    for name in odd:
        assert any(name in line or f"{better}/{name}".rpartition("/")[0] in line for line in lines), name
    assert usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) < PEAK_BYTES
