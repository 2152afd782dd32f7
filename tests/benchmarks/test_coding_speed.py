"""Encoding and decoding measured as whole processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import coding_speed
from benchmark_scripts import run_script


def test_a_codec_is_measured_as_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding_speed, "SIZES", ((64, 64), (8192, 8192)))
    options = ["--codec", "jpeg", "--rate-factor", "50", "--repeats", "1", "--largest", "1"]
    _, record = run_script(coding_speed.main, tmp_path, *options)
    rows = record["rows"]
    assert [row["case"] for row in rows] == ["encode 64×64", "decode 64×64"]
    assert all(row["megapixels"] == 0.004096 and row["wall_seconds"] > 0 and row["peak_bytes"] > 2**20 for row in rows)
