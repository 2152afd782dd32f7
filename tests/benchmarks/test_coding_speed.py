"""Encoding and decoding measured as whole processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import coding_speed
from benchmark_scripts import run_script
from speed import Cost


def test_the_fastest_run_and_the_largest_peak_count() -> None:
    row = coding_speed.row_of("encode", (2000, 500), [Cost(3.0, 5.0, 10), Cost(2.0, 6.0, 30), Cost(4.0, 4.0, 20)])
    assert (row["wall_seconds"], row["peak_bytes"], row["megapixels"]) == (2.0, 30, 1.0)
    assert len(row["runs"]) == 3


def test_a_codec_is_measured_as_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding_speed, "SIZES", ((64, 64), (8192, 8192)))
    options = ["--codec", "jpeg", "--rate-factor", "50", "--repeats", "1", "--largest", "1"]
    _, record = run_script(coding_speed.main, tmp_path, *options)
    rows = record["rows"]
    assert [row["case"] for row in rows] == ["encode 64×64", "decode 64×64"]
    assert all(row["wall_seconds"] > 0 and row["peak_bytes"] > 2**20 for row in rows)
