"""Many damaged files in one run: a line each that names it, results of the sound ones, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def damaged(tmp_path: Path, jpeg_bytes: bytes) -> list[Path]:
    """JPEGs cut at every tenth byte, an empty one, and other content under the suffix of a JPEG."""
    contents = {f"cut{length}": jpeg_bytes[:length] for length in range(10, len(jpeg_bytes), 10)}
    contents |= {"empty": b"", "text": b"plain text", "zeros": bytes(500), "start": jpeg_bytes[:3]}
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name, content in contents.items():
        (folder / f"{name}.jpg").write_bytes(content)
    return sorted(folder.iterdir())


def test_each_damaged_file_is_named_in_a_line_and_the_sound_ones_are_enhanced(
    run: Run, tmp_path: Path, damaged: list[Path], jpeg_bytes: bytes
) -> None:
    sound = [tmp_path / "photo.jpg", tmp_path / "screenshot.png", tmp_path / "no suffix"]
    for file in sound:
        file.write_bytes(jpeg_bytes)
    (tmp_path / "results").mkdir()
    inputs = [*damaged[:20], *sound, *damaged[20:]]

    result = run(*inputs, "-o", tmp_path / "results", "--evaluations", "1")

    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == len(damaged) > 50
    for file, error in zip(damaged, errors, strict=True):
        assert f"'{file}'" in error
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        "no suffix.png",
        "photo.png",
        "screenshot.png",
    ]
    assert "Traceback" not in result.output
