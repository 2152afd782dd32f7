"""Encoding and decoding measured as whole processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import coding_speed
from speed import Cost


def test_the_fastest_run_and_the_largest_peak_count() -> None:
    row = coding_speed.row_of("encode", (2000, 500), [Cost(3.0, 5.0, 10), Cost(2.0, 6.0, 30), Cost(4.0, 4.0, 20)])
    assert (row["wall_seconds"], row["peak_bytes"], row["megapixels"]) == (2.0, 30, 1.0)
    assert len(row["runs"]) == 3


def test_a_codec_is_measured_as_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding_speed, "SIZES", ((64, 64), (8192, 8192)))
    record = tmp_path / "record.json"
    options = ["--codec", "jpeg", "--rate-factor", "50", "--repeats", "1", "--largest", "1", "--json", str(record)]
    result = CliRunner().invoke(coding_speed.main, options)
    assert result.exit_code == 0, result.output
    rows = json.loads(record.read_text(encoding="utf-8"))["rows"]
    assert [row["case"] for row in rows] == ["encode 64×64", "decode 64×64"]
    assert all(row["wall_seconds"] > 0 and row["peak_bytes"] > 2**20 for row in rows)
