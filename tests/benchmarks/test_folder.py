"""The folder benchmark on a handful of pictures, and its own parts."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

import folder
from folder import batch_sizes, main, make_album, time_command
from speed import Cost


@pytest.mark.parametrize(
    ("pictures", "pixels", "threads", "sizes"),
    [
        (30, 160 * 120, 2, [13, 13, 4]),
        (13, 160 * 120, 1, [13]),
        (3, 300_000, 2, [1, 1, 1]),
        (100, 256, 1, [64, 36]),
        (20, 256, 16, [2] * 10),
        (16, 256, 16, [1] * 16),
    ],
)
def test_batches_are_those_of_a_run(pictures: int, pixels: int, threads: int, sizes: list[int]) -> None:
    assert batch_sizes(pictures, padded_pixels=pixels, device=torch.device("cpu"), threads=threads) == sizes


def test_a_row_is_measured_printed_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "CASES", folder.CASES[:1])
    record = tmp_path / "folder.json"
    arguments = ["--pictures", "4", "--size", "64", "64", "--device", "cpu", "--json", str(record)]

    result = CliRunner().invoke(main, arguments, catch_exceptions=False)

    assert result.exit_code == 0, result.output
    (row,) = json.loads(record.read_text())["rows"]
    sizes = batch_sizes(4, padded_pixels=4096, device=torch.device("cpu"), threads=torch.get_num_threads())
    assert (row["case"], row["evaluations"], row["pictures"], row["batch"]) == ("steps 1", 1, 4, sizes[0])
    assert 0 < row["network_seconds"] < row["command_seconds"]
    assert row["network_seconds"] == min(row["network_seconds_one_by_one"], row["network_seconds_in_lanes"])
    share = row["share_of_network_throughput"]
    assert share == pytest.approx(row["network_seconds"] / row["command_seconds"], rel=1e-4)
    assert f"{share:8.0%}" in result.output


def test_a_missing_result_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_one(command: list[str]) -> Cost:
        better = Path(command[command.index("-o") + 1])
        better.mkdir()
        (better / "0.png").touch()
        return Cost(1.0, 1.0, 1)

    monkeypatch.setattr(folder, "run_process", write_one)
    assert time_command(make_album(tmp_path / "one", 1, (64, 64)), []) == 1.0
    with pytest.raises(click.ClickException, match="1 results in"):
        time_command(make_album(tmp_path / "album", 2, (64, 64)), [])
