"""The speed benchmark's own parts: what a process costs, and what is said when it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from PIL import Image

from speed import CASES, Case, Cost, row_of, run_process, write_jpeg

_MEBIBYTE = 2**20


def test_a_process_is_charged_for_its_own_time_and_memory() -> None:
    idle = run_process([sys.executable, "-c", "import time; time.sleep(0.3)"])
    greedy = run_process([sys.executable, "-c", "held = bytearray(100 << 20)"])
    assert idle.wall_seconds > 0.3
    assert idle.cpu_seconds < idle.wall_seconds
    assert 80 * _MEBIBYTE < greedy.peak_bytes - idle.peak_bytes < 120 * _MEBIBYTE


def test_a_failing_process_is_quoted() -> None:
    with pytest.raises(click.ClickException, match=r"(?s)failed:.*no weights here"):
        run_process([sys.executable, "-c", "raise SystemExit('no weights here')"])


def test_the_picture_is_a_jpeg_of_the_size_asked_for(tmp_path: Path) -> None:
    with Image.open(write_jpeg(tmp_path / "picture.jpg", (192, 128))) as image:
        assert image.format == "JPEG"
        assert image.size == (192, 128)


def test_a_row_has_the_fastest_run_and_the_largest_peak() -> None:
    row = row_of(Case("", (), (1000, 500)), [Cost(2.0, 3.0, 10), Cost(1.0, 3.5, 20)])
    assert (row["wall_seconds"], row["wall_seconds_per_megapixel"], row["peak_bytes"]) == (1.0, 2.0, 20)


def test_24_megapixels_are_measured_beyond_one_evaluation() -> None:
    """One evaluation after another is where residuals could pile up in memory; steps 85 may be a single one."""
    large = [case.arguments for case in CASES if case.size == (6000, 4000)]
    assert ("--steps", "85", "--spacing", "paper") in large  # five, whatever the weights' default spacing
    assert ("--steps", "100") in large


def test_every_command_line_is_measured_once() -> None:
    assert len({(case.arguments, case.size) for case in CASES}) == len(CASES)
