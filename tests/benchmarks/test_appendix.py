"""The benchmarks of the paper's appendix, run in this process on tiny pictures: what they measure, print and draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import appendix_tables
import compute
import residual_histograms
import schedule_ablation
import thresholding
from benchmark_scripts import present, run_script
from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.training import plan
from random_weights import save_random_weights
from small_pictures import write_photographs

if TYPE_CHECKING:
    from torch import Tensor


class AbsoluteDifference:
    """Stands in for LPIPS: the mean absolute difference."""

    def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return (pictures,)

    def distance(self, one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> Tensor:
        return (one[0] - other[0]).abs().mean(dim=(1, 2, 3))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return write_photographs(folder)


@pytest.fixture(autouse=True)
def cheap_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    for script in (schedule_ablation, thresholding):
        monkeypatch.setattr(script, "load_lpips", lambda *_, **__: AbsoluteDifference())


def test_schedules_are_trained_alike_and_sampled_from_their_own_late_start(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "CALIBRATION_PAIRS", 40)
    backbone = tmp_path / "backbone"
    backbone.touch()
    output, record = run_script(
        schedule_ablation.main, tmp_path, "--data", pictures, "--validation", pictures, "--lpips-backbone", backbone,
        "--validation-backbone", backbone, "--schedules", "linear,late-decay", "--iterations", 2, "--batch-size", 2,
        "--crop-size", 32, "--learning-rate", 0.1, "--lpips-weight", 0, "--qualities", "10", "--limit", 1, "--side", 48,
    )  # fmt: skip
    rows = {(row["schedule"], row["method"]): row for row in record["rows"]}
    assert {row["late_start"] for row in record["rows"] if row["schedule"] == "late-decay"} == {24}
    evaluations = {name: rows[name, "steps 100, paper"]["evaluations"] for name in ("linear", "late-decay")}
    assert evaluations == {"linear": 20, "late-decay": 76}
    assert rows["linear", "base"]["psnr"] == rows["late-decay", "base"]["psnr"]
    assert rows["linear", "steps 1"]["psnr"] != rows["late-decay", "steps 1"]["psnr"]
    page, drawn = present(tmp_path, "noise schedules")
    assert drawn == ["schedule_ablation.png"]
    assert "| late-decay | 24 |" in page
    assert "| late-decay | 24 |" in output
    assert "2 iterations of 2 crops of 32²" in page


def test_tighter_thresholds_change_more_and_loose_ones_nothing(pictures: Path, tmp_path: Path) -> None:
    thresholds = ((10.0, 0.001),)  # which the benchmark must not use
    weights = save_random_weights(tmp_path / "jpeg.safetensors", seed=0, spread=0.5, thresholds=thresholds).path
    large = tmp_path / "large"
    large.mkdir()
    for path in pictures.iterdir():
        Image.open(path).resize((192, 160)).save(large / path.name)
    output, record = run_script(
        thresholding.main, tmp_path, pictures, "--data", large, "--pairs", 20, "--weights", weights,
        "--percentiles", "50,99,100", "--qualities", "10", "--limit", 1, "--lpips-backbone", weights,
    )  # fmt: skip
    rows = {row["method"]: row for row in record["rows"]}
    changed = {name: abs(rows[name]["lpips_alex"] - rows["base"]["lpips_alex"]) for name in ("50 %", "99 %", "off")}
    assert changed["50 %"] < changed["99 %"] < changed["off"]
    limits = {name: [limit for _, limit in rows] for name, rows in record["thresholds"].items()}
    assert all(one <= other for one, other in zip(limits["50"], limits["99"], strict=True))
    page, drawn = present(tmp_path, "thresholding")
    assert drawn == []
    assert "| 10 | 99 % |" in page
    assert "| 10 | 99 % |" in output


@pytest.fixture
def streams(pictures: Path, tmp_path: Path) -> Path:
    """JPEG files of the first picture at two qualities, of the second at one."""
    folder = tmp_path / "streams"
    folder.mkdir()
    records = []
    for place, path in enumerate(sorted(pictures.iterdir())[:2]):
        for quality in (10, 60)[place:]:
            Image.open(path).save(folder / f"{path.stem}_qp{quality}.bin", "JPEG", quality=quality)
            records.append(json.dumps({"image": path.name, "qp": quality}))
    (folder / "results.jsonl").write_text("\n".join(records))
    return folder


def test_thresholds_are_measured_on_streams_and_stored_pairs_along_another_walk(
    pictures: Path, streams: Path, tmp_path: Path
) -> None:
    weights = save_random_weights(tmp_path / "jpeg.safetensors", seed=0, spread=0.5).path
    stored = tmp_path / "pairs"
    stored.mkdir()
    lines = ["bitstream,file,x,y,width,height,qp,bytes"]
    (tmp_path / "data").mkdir()
    Image.effect_noise((160, 160), 40).convert("RGB").save(tmp_path / "data" / "noise.png")
    source = Image.open(tmp_path / "data" / "noise.png").crop((8, 16, 136, 144))
    for quality in (10, 60):
        source.save(stored / f"{quality}.jpg", quality=quality)
        lines.append(f"{quality}.jpg,noise.png,8,16,128,128,{quality},{(stored / f'{quality}.jpg').stat().st_size}")
    (stored / "index.csv").write_text("\n".join(lines))
    output, record = run_script(
        thresholding.main, tmp_path, pictures, "--data", tmp_path / "data", "--pair-index", stored / "index.csv",
        "--pairs", 20, "--weights", weights, "--percentiles", "50", "--streams", streams, "--lpips-backbone", weights,
        "--spacing", "log-snr", "--late-start", 60, "--evaluations", 2,
    )  # fmt: skip
    rows = {(row["quality"], row["method"]): row for row in record["rows"]}
    assert {key: len(row["pictures"]) for key, row in rows.items() if key[1] == "base"} == {
        (10, "base"): 1,
        (60, "base"): 2,
    }
    assert {row["evaluations"] for row in rows.values()} == {0, 2}
    assert rows[10, "50 %"]["psnr"] != rows[10, "off"]["psnr"]
    assert record["trajectory"] == {"spacing": "log-snr", "late_start": 60, "evaluations": 2}
    assert [rate for rate, _ in record["thresholds"]["50"]] == [10, 60]
    assert "2 pictures (1 at 10), jpeg; steps 100 in 2 evaluations;" in output


def test_residuals_are_counted_of_streams(pictures: Path, streams: Path, tmp_path: Path) -> None:
    output, record = run_script(residual_histograms.main, tmp_path, pictures, "--streams", streams)
    assert {(row["quality"], row["pictures"]) for row in record["rows"]} == {(None, 2), (10, 1), (60, 2)}
    assert {sum(row["counts"]) for row in record["rows"] if row["quality"] == 10} == {96 * 80}
    assert "2 pictures (1 at 10), jpeg; residuals" in output


def test_residuals_are_counted_by_channel_and_rate(pictures: Path, tmp_path: Path) -> None:
    output, record = run_script(residual_histograms.main, tmp_path, pictures, "--qualities", "5,90")
    totals = {(row["of"], row["quality"], row["channel"]): sum(row["counts"]) for row in record["rows"]}
    assert len(totals) == 9
    assert set(totals.values()) == {2 * 96 * 80}
    page, drawn = present(tmp_path, "residuals")
    assert drawn == ["residual_histograms.png"]
    coarse, fine = (line.split(" | ") for line in page.splitlines() if line.startswith(("| 5 |", "| 90 |")))
    assert all(float(one) > float(other) for one, other in zip(coarse[-5:-1], fine[-5:-1], strict=True))
    assert "excess kurtosis" in output


def test_residual_statistics_are_those_of_the_levels() -> None:
    counts = {"of": "residual", "quality": 10.0, "channel": "R", "lowest": -2, "counts": [1, 0, 96, 0, 3]}
    record = {
        "codec": "jpeg", "pictures": 1, "rows": [counts], "command": ["python"], "machine": {"cpu": "a processor"},
    }  # fmt: skip
    line = appendix_tables.residual_text(record).splitlines()[2]
    # RMS √(4·4/100); kurtosis (16·4/100)/.16² − 3; 96 % are zero, so 95 % lie within 0, all within 2.
    assert line == "| 10 | 0.40 | 22.0 | 96.0 % | 0 | 0 | 2 | 2 | 2 |"


def test_each_network_is_measured_in_both_arrangements(tmp_path: Path) -> None:
    output, record = run_script(
        compute.main, tmp_path, "--networks", "tiny", "--sizes", 32, "--sizes", 64, "--repeats", 2, "--warm-up", 1
    )
    cpu = [row for row in record["rows"] if row["device"] == "cpu"]
    assert [(row["side"], row["arrangement"]) for row in cpu] == [
        (side, arrangement) for side in (32, 64) for arrangement in ("enhancer", "naive")
    ]
    assert all(row["milliseconds"] > 0 and row["skipped"] is None for row in cpu)
    assert "| tiny | 0.03 M | 0.003 | cpu |" in output
    assert "| tiny | 0.03 M | 0.003 | cpu |" in present(tmp_path, "compute")[0]


def test_what_takes_long_is_repeated_less() -> None:
    effort = compute.Effort(repeats=10, warm_up=2, seconds=1.0)
    assert effort.spend(lambda: 400.0, times=10) == [400.0] * 3
    assert effort.spend(lambda: 400.0, times=2) == [400.0] * 2
    assert effort.spend(lambda: 400.0, times=9, spent=2000.0) == []


def test_both_arrangements_compute_the_same() -> None:
    planes = []
    for arrangement in compute.ARRANGEMENTS:
        torch.manual_seed(1)
        planes.append(compute.arrange(NETWORKS["tiny"], torch.device("cpu"), 32, arrangement)())
    ours, naive = planes
    assert isinstance(ours, torch.Tensor)
    torch.testing.assert_close(ours, naive, atol=5e-3, rtol=0)  # one of them may be bfloat16


def test_what_does_not_fit_into_memory_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "free_bytes", lambda _: 2**20)
    output, record = run_script(
        compute.main, tmp_path, "--networks", "tiny", "--sizes", 32, "--sizes", 256, "--repeats", 1
    )
    assert [row["skipped"] is None for row in record["rows"] if row["device"] == "cpu"] == [True, True, False, False]
    assert "- tiny, cpu, 256², naive: skipped: needs about" in output


def test_the_paper_s_network_needs_gibibytes_at_full_size() -> None:
    assert 4e9 < compute.expected_bytes(NETWORKS["paper"], 1024) < 1e10


def test_unknown_networks_are_refused() -> None:
    unknown = CliRunner().invoke(compute.main, ["--networks", "huge"])
    assert "unknown: huge; known: paper, small" in unknown.output
