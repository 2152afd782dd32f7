"""Small JPEG files, and programs that behave as a test wants."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from PIL import Image

MakeProgram = Callable[[str, str], Path]

WIDTH, HEIGHT = 40, 24


@pytest.fixture(scope="session")
def jpeg_bytes() -> bytes:
    """A 40×24 colour JPEG of quality 20."""
    rows, columns = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    samples = numpy.stack([rows * 9, columns * 6, (rows * columns) % 256], axis=-1).astype(numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", quality=20)
    return buffer.getvalue()


@pytest.fixture
def make_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """Put a program on the PATH, which has nothing else: its name, and its Python code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, code: str) -> Path:
        path = folder / name
        path.write_text(f"#!{sys.executable} -S\n{code}\n")  # without site-packages it starts in a blink
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make
