"""The restoration benchmark, run in this process on tiny pictures with an enhancer that brightens."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import restoration
from benchmark_scripts import run_script
from restoration_rows import Measurement, average, format_table
from small_pictures import write_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from dirac_enhance import BaseReconstruction


METADATA = SimpleNamespace(codec_id="jpeg", network={}, spacing="log-snr", evaluations=4, late_start=80)


class BrighteningEnhancer:
    """Adds one level for each evaluation and for each seed."""

    metadata = METADATA
    weights_sha256 = "0" * 64
    device = torch.device("cpu")
    precision = torch.float32

    def evaluations(self, *, steps: int, spacing: str | None, evaluations: int | None, **_ignored: object) -> int:
        if steps == 1:
            return 1
        return 20 if spacing == "paper" else evaluations or 4

    def trajectory(self, base: BaseReconstruction, *, seed: int, **keywords: Any) -> Iterator[Any]:
        count = self.evaluations(**keywords)
        for evaluation in range(1, count + 1):
            position = 80 + 20 * evaluation // count
            yield SimpleNamespace(position=position, pixels=base.pixels + (evaluation + seed) / 255)

    def enhance(self, base: BaseReconstruction, *, steps: int, seed: int = 0, **_ignored: object) -> Tensor:
        return base.pixels + (1 if steps == 1 else 4 + 2 * seed) / 255


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


@pytest.fixture
def brightening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoration, "load_enhancer", lambda _codec, **_settings: BrighteningEnhancer())


def run(folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """The printed text, and the record."""
    return run_script(restoration.main, folder, folder, "--device", "cpu", *arguments)


def test_the_plain_codec_needs_no_weights(folder: Path) -> None:
    output, record = run(folder, "--which", "base", "--qualities", "10,90")
    assert "LPIPS left out; pass AlexNet's features with --lpips-backbone FILE" in output
    low, high = record["rows"]
    assert low["quality"] == 10
    assert low["psnr"] < high["psnr"]
    assert low["bits_per_pixel"] < high["bits_per_pixel"]
    assert record["weights"] is None


def test_a_row_is_the_mean_over_pictures(folder: Path) -> None:
    _, record = run(folder, "--which", "base", "--qualities", "10")
    (row,) = record["rows"]
    assert set(row["pictures"]) == {"a.png", "b.png"}
    assert row["psnr"] == pytest.approx(sum(values["psnr"] for values in row["pictures"].values()) / 2)
    assert record["pictures"] == 2


@pytest.mark.usefixtures("brightening")
def test_one_walk_gives_every_position_of_every_trajectory(folder: Path) -> None:
    _, record = run(folder, "--which", "trajectory", "--qualities", "10", "--spacing", "paper", "--evaluations", "2,4")
    rows = [(row["method"], row["trajectory"], row["evaluations"]) for row in record["rows"]]
    assert rows[0] == ("base", "", 0)
    assert rows[1:21] == [(f"steps {80 + index}", "paper", index) for index in range(1, 21)]
    assert rows[21:23] == [("steps 90", "log-snr 2", 1), ("steps 100", "log-snr 2", 2)]
    assert [row[2] for row in rows[23:]] == [1, 2, 3, 4]


@pytest.mark.usefixtures("brightening")
def test_everything_is_measured_by_default(folder: Path) -> None:
    output, record = run(folder, "--qualities", "50", "--samples", "3")
    rows = {row["method"]: row for row in record["rows"]}
    assert list(rows) == [
        "base",
        "steps 1",
        *(f"steps {position}" for position in (85, 90, 95, 100)),
        "mean of 3",
        "steps 1 blind",
        "steps 100 blind",
        "seeds apart at steps 1",
        "seeds apart at steps 100",
    ]
    assert rows["mean of 3"]["evaluations"] == 12
    assert rows["seeds apart at steps 1"]["levels"] == pytest.approx(0, abs=1e-4)
    assert rows["seeds apart at steps 100"]["levels"] == pytest.approx(2, abs=1e-4)
    assert rows["steps 100"]["psnr"] < rows["steps 1"]["psnr"] < rows["base"]["psnr"]
    assert record["weights"]["sha256"] == "0" * 64
    assert "levels" in output


def test_blind_rows_are_enhanced_without_the_rate_factor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class BrighteningByRate(BrighteningEnhancer):
        """Adds a level where the rate factor is known, none where it is not."""

        def enhance(self, base: BaseReconstruction, **_ignored: object) -> Tensor:
            return base.pixels + (0 if base.rate_factor is None else 1) / 255

    monkeypatch.setattr(restoration, "load_enhancer", lambda _codec, **_settings: BrighteningByRate())
    output, record = run(
        folder, "--which", "steps1,blind", "--qualities", "10,50", "--spacing", "paper", "--evaluations", "2"
    )
    names = ["base", "steps 1", "steps 1 blind", "steps 100 blind", "steps 100 blind"]
    assert [row["method"] for row in record["rows"]] == 2 * names
    for quality in (10, 50):
        base, told, *blind = [row for row in record["rows"] if row["quality"] == quality]
        assert [(row["trajectory"], row["evaluations"]) for row in blind] == [("", 1), ("paper", 20), ("log-snr 2", 2)]
        assert all(row["psnr"] == base["psnr"] != told["psnr"] for row in blind)
    assert "steps 100 blind log-snr 2" in output


def test_the_digest_of_the_originals_depends_on_their_pixels_only(folder: Path) -> None:
    _, before = run(folder, "--which", "base", "--qualities", "10")
    Image.open(folder / "a.png").save(folder / "a.tif")
    (folder / "a.png").unlink()
    _, after = run(folder, "--which", "base", "--qualities", "10")
    assert before["pixels_sha256"] == after["pixels_sha256"]


def test_records_name_no_absolute_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", [str(folder / "restoration.py"), "--weights", str(folder / "x.safetensors"), "10"])
    _, record = run(folder, "--which", "base", "--qualities", "10")
    assert record["command"] == ["python", "restoration.py", "--weights", "x.safetensors", "10"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--which", "base,best"], "unknown: best; known: base, steps1"),
        (["--seeds", "0"], "needs two"),
        (["--qualities", "five"], "'five' is not a list of numbers"),
        (["--codec", "gif"], "gif"),
    ],
)
def test_wrong_options_are_named(folder: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(restoration.main, [str(folder), *arguments])
    assert result.exit_code != 0
    assert message in result.output


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(restoration.main, [str(tmp_path), "--which", "base"])
    assert result.exit_code == 1
    assert "no pictures in" in result.output


def test_the_mean_of_an_infinite_value_is_left_empty() -> None:
    key = (5.0, "base", "", 0)
    rows = average([Measurement(key, "a", {"psnr": None}), Measurement(key, "b", {"psnr": 30.0})])
    assert rows[0]["psnr"] is None
    assert "PSNR" not in format_table(rows)


def test_plain_jpeg_on_kodak_has_the_figures_of_the_literature_on_record() -> None:
    """23.85, 26.67 and 29.14 dB, and LPIPS .465, .323 and .197, at quality 5, 10 and 20."""
    file = Path(restoration.__file__).parent / "results" / "restoration-kodak.json"
    rows = {row["quality"]: row for row in json.loads(file.read_text())["rows"] if row["method"] == "base"}

    assert [round(rows[quality]["psnr"], 2) for quality in (5, 10, 20)] == [23.85, 26.67, 29.14]
    assert [round(rows[quality]["lpips_alex"], 3) for quality in (5, 10, 20)] == [0.465, 0.323, 0.197]
