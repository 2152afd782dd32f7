"""`dirac-enhance train` and `export`: from photographs to weights that enhance."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from dirac_enhance import WeightsFile, load_host
from dirac_enhance.cli.group import build_group
from dirac_enhance.training.checkpoint import load_checkpoint, save_checkpoint
from small_pictures import write_photographs

EMPTY = Path(__file__).parent
"""A folder without pictures."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


def dirac_enhance(*arguments: object) -> Result:
    return CliRunner().invoke(build_group(load_host()), [str(argument) for argument in arguments])


def train(photographs: Path, output: Path, *more: object) -> Result:
    settings = ("--network", "tiny", "--crop-size", 32, "--batch-size", 2, "--workers", 0, "--lpips-weight", 0)
    return dirac_enhance(
        "train", "--codec", "jpeg", "--data", photographs, "-o", output, "--device", "cpu", *settings, *more
    )


def test_a_training_ends_with_weights_that_enhance(photographs: Path, tmp_path: Path) -> None:
    trained = train(photographs, tmp_path, "--iterations", 3, "--validation", photographs)
    assert trained.exit_code == 0, trained.output
    assert "validation iteration 3" in trained.output
    weights = tmp_path / "jpeg.safetensors"
    assert f"weights: {weights}" in trained.output
    assert WeightsFile(weights).metadata().network["residual_std"]
    Image.open(photographs / "0.png").save(tmp_path / "photo.jpg", quality=10)
    enhanced = dirac_enhance(tmp_path / "photo.jpg", "--weights", weights)
    assert enhanced.exit_code == 0, enhanced.output
    assert (tmp_path / "photo.enhanced.png").exists()


def test_schedule_and_thresholds_go_into_the_weights_and_enhance(photographs: Path, tmp_path: Path) -> None:
    trained = train(photographs, tmp_path, "--iterations", 1, "--schedule", "cosine", "--thresholds", 90)
    assert trained.exit_code == 0, trained.output
    metadata = WeightsFile(tmp_path / "jpeg.safetensors").metadata()
    assert (metadata.schedule["name"], metadata.late_start) == ("cosine", 61)
    assert metadata.thresholds is not None
    assert 10 <= len(metadata.thresholds) <= 20
    Image.open(photographs / "0.png").save(tmp_path / "photo.jpg", quality=10)
    enhanced = dirac_enhance(tmp_path / "photo.jpg", "--weights", tmp_path / "jpeg.safetensors", "--no-thresholding")
    assert enhanced.exit_code == 0, enhanced.output
    again = dirac_enhance("export", tmp_path, "-o", tmp_path / "new", "--thresholds", 99)
    assert again.exit_code == 0, again.output
    assert f"thresholds: at {len(metadata.thresholds)} rate factors, the range of 99 % of the residuals" in again.stdout
    wider = WeightsFile(tmp_path / "new" / "jpeg.safetensors").metadata().thresholds
    assert wider is not None
    assert all(wide >= narrow for (_, wide), (_, narrow) in zip(wider, metadata.thresholds, strict=True))


def test_an_export_without_thresholds_says_that_there_could_be_some(photographs: Path, tmp_path: Path) -> None:
    assert train(photographs, tmp_path, "--iterations", 1).exit_code == 0
    measured = load_checkpoint(tmp_path)
    exported = dirac_enhance("export", tmp_path, "-o", tmp_path / "new")
    assert measured.residual_counts is not None
    assert (
        f"thresholds: none stored, though residuals were measured at {len(measured.residual_counts)} rate factors; "
        "--thresholds 99 stores some\n"
    ) in exported.stdout
    assert WeightsFile(tmp_path / "new" / "jpeg.safetensors").metadata().thresholds is None

    unknown: dict[float, tuple[int, ...]] = {}  # to the decoder; None in checkpoints of an earlier version
    for counts in (unknown, None):
        save_checkpoint(tmp_path, replace(measured, residual_counts=counts))
        exported = dirac_enhance("export", tmp_path, "-o", tmp_path / "new")
        assert exported.exit_code == 0, exported.output
        assert "thresholds" not in exported.stdout


def test_minutes_end_a_training_cleanly_and_resume_goes_on(photographs: Path, tmp_path: Path) -> None:
    assert train(photographs, tmp_path, "--minutes", 0.01).exit_code == 0
    reached = load_checkpoint(tmp_path).iteration
    again = train(photographs, tmp_path, "--iterations", reached + 2, "--resume")
    assert again.exit_code == 0, again.output
    assert load_checkpoint(tmp_path).iteration == reached + 2


def test_exported_weights_can_be_the_start_of_a_training_whose_card_has_both(photographs: Path, tmp_path: Path) -> None:
    assert train(photographs, tmp_path / "one", "--iterations", 1).exit_code == 0
    first = tmp_path / "one" / "jpeg.safetensors"
    assert train(photographs, tmp_path / "two", "--iterations", 1, "--from-weights", first).exit_code == 0
    resumed = train(photographs, tmp_path / "two", "--iterations", 3, "--resume")
    assert resumed.exit_code == 0, resumed.output

    training = WeightsFile(tmp_path / "two" / "jpeg.safetensors").metadata().training
    assert training is not None
    sha256 = hashlib.sha256(first.read_bytes()).hexdigest()
    rows = [(run["started_from"], run["iterations"], run["pairs"]) for run in training["runs"]]
    assert rows == [(None, 1, 2), (sha256, 3, 6)]
    card = (tmp_path / "two" / "jpeg.md").read_text()
    assert ", 4 iterations in 2 runs, 8 pairs, " in card.splitlines()[2]
    assert "| random weights | 1 | 2 |" in card
    assert f"| weights `{sha256[:12]}` | 3 | 6 |" in card
    (row,) = json.loads((tmp_path / "two" / "manifest.json").read_text())["weights"]
    assert "4 iterations in 2 runs" in row["summary"]


def test_export_chooses_the_sampling_defaults(photographs: Path, tmp_path: Path) -> None:
    assert train(photographs, tmp_path, "--iterations", 1).exit_code == 0
    exported = dirac_enhance(
        "export", tmp_path, "-o", tmp_path / "new", "--spacing", "paper", "--late-start", 70, "--full"
    )
    assert exported.exit_code == 0, exported.output
    metadata = WeightsFile(tmp_path / "new" / "jpeg.safetensors").metadata()
    assert (metadata.spacing, metadata.late_start, metadata.evaluations) == ("paper", 70, None)
    again = dirac_enhance("export", tmp_path, "-o", tmp_path / "new", "--evaluations", 3, "--end-timestep", 10)
    assert again.exit_code == 0, again.output
    metadata = WeightsFile(tmp_path / "new" / "jpeg.safetensors").metadata()
    assert (metadata.spacing, metadata.evaluations, metadata.end_timestep) == ("log-snr", 3, 10)
    refused = dirac_enhance("export", tmp_path, "--spacing", "paper", "--end-timestep", 10)
    assert refused.exit_code == 2
    assert "the paper's spacing ends at timestep 0; leave --end-timestep out" in refused.output


@pytest.fixture(scope="module")
def pairs(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of ten stored pairs, five of each photograph."""
    folder = tmp_path_factory.mktemp("pairs")
    made = dirac_enhance(
        "make-pairs", photographs, "--codec", "jpeg", "--codec-option", "subsampling=4:4:4", "-o", folder,
        "--count", 10, "--crop-size", 64, "--rates", 10, 30,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert f"index: {folder / 'index.csv'} (10 pairs made now)" in made.output
    return folder / "index.csv"


def test_stored_pairs_train_weights_that_enhance(photographs: Path, pairs: Path, tmp_path: Path) -> None:
    options = ("--pairs", pairs, "--held-out", 0.5, "--limit-pairs", 3, "--keep-best", "gain")
    trained = train(photographs, tmp_path, "--iterations", 3, *options)
    assert trained.exit_code == 0, trained.output
    history = load_checkpoint(tmp_path / "best.pt").history + load_checkpoint(tmp_path).history
    assert {row["iteration"] for row in history} == {0, 3}
    metadata = WeightsFile(tmp_path / "jpeg.safetensors").metadata()
    assert metadata.network["rate_range"] == [1, 100]
    assert metadata.training is not None
    assert [row["pairs"] for row in metadata.training["data"].values()] == [3, 5]
    assert metadata.training["pairs"]["symmetries"] == "flips-and-turns"
    Image.open(photographs / "0.png").save(tmp_path / "photo.jpg", quality=10)
    enhanced = dirac_enhance(tmp_path / "photo.jpg", "--weights", tmp_path / "jpeg.safetensors")
    assert enhanced.exit_code == 0, enhanced.output


def test_a_folder_exports_its_best_checkpoint(photographs: Path, pairs: Path, tmp_path: Path) -> None:
    options = ("--pairs", pairs, "--held-out", 0.5, "--keep-best", "gain", "--learning-rate", 1e-9)
    assert train(photographs, tmp_path, "--iterations", 1, *options).exit_code == 0
    best = load_checkpoint(tmp_path / "best.pt").iteration
    assert dirac_enhance("export", tmp_path, "-o", tmp_path).exit_code == 0
    training = WeightsFile(tmp_path / "jpeg.safetensors").metadata().training
    assert training is not None
    assert training["iterations"] == best


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--validation", EMPTY), "leave it out and pass --held-out SHARE"),
        (("--held-out", 1), "none left to train on"),
        (("--rates", 40, 50), "0 pairs of 0 originals"),
        (("--crop-size", 96), "pass a smaller --crop-size"),
        (("--held-out", 0, "--keep-best", "gain"), "--held-out"),
        (("--keep-best", "lpips"), "--validation-backbone"),
        (("--data", EMPTY), ".png: cannot read the image"),
        (("--pairs", EMPTY / "gone.csv"), "gone.csv' does not exist"),
        (("--pairs", Path(__file__)), "lacks the columns"),
        (("--codec-option", "subsampling=5"), "subsampling"),
    ],
)
def test_bad_requests_about_stored_pairs_get_one_line(
    photographs: Path, pairs: Path, tmp_path: Path, more: tuple[object, ...], said: str
) -> None:
    result = train(photographs, tmp_path, "--iterations", 1, "--pairs", pairs, *more)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--count", 0), "0 is not in the range x>=1"),
        (("--codec", "webp"), "jpeg"),
        (("--crop-size", 2000), "no image of at least 2000 pixels"),
        (("--rates", 0, 10), "rate factor 0 given"),
        (("--jobs", 0), "0 is not in the range x>=1"),
        (("--codec-option", "colour=5"), "unknown option 'colour'"),
        (("-o", Path(__file__) / "pairs"), "Not a directory"),
    ],
)
def test_bad_requests_for_pairs_get_one_line(
    photographs: Path, tmp_path: Path, more: tuple[object, ...], said: str
) -> None:
    request = ("make-pairs", photographs, "--codec", "jpeg", "-o", tmp_path / "pairs", "--count", 2, "--crop-size", 32)
    result = dirac_enhance(*request, *more)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "--minutes M or --iterations N"),
        (("--iterations", 1, "--network", "huge"), "the networks are paper, small"),
        (("--iterations", 1, "--resume"), "leave out --resume"),
        (("--iterations", 1, "--crop-size", 40), "multiple of 32"),
        (("--iterations", 1, "--share", "cats=0.5"), "no source named cats"),
        (("--iterations", 1, "--share", "cats"), "SOURCE=SHARE"),
        (("--iterations", 1, "--lpips-weight", 0.1), "--lpips-backbone"),
        (("--iterations", 1, "--codec", "webp"), "jpeg"),
        (("--iterations", 1, "--from-weights", "gone.safetensors"), "gone.safetensors"),
        (("--iterations", 1, "--data", "gone"), "'gone' does not exist"),
        (("--iterations", 1, "--validation", "gone"), "'gone' does not exist"),
        (("--iterations", 1, "--data", EMPTY), "no image of at least 48 pixels a side"),
        (("--iterations", 0), "0 is not in the range x>=1"),
        (("--minutes", 0), "0.0 is not in the range x>0"),
        (("--iterations", 1, "--batch-size", 0), "0 is not in the range x>=1"),
        (("--iterations", 1, "--workers", -1), "-1 is not in the range x>=0"),
        (("--iterations", 1, "--rates", 0, 10), "rate factor 0 given; expected a whole number from 1 to 100"),
        (("--iterations", 1, "--rates", 90, 10), "expected the smaller one first"),
        (("--iterations", 1, "-o", Path(__file__)), "is a file"),
        (("--iterations", 1, "-o", Path(__file__) / "run"), "Not a directory; pass another -o FOLDER"),
    ],
)
def test_bad_requests_get_one_line(photographs: Path, tmp_path: Path, more: tuple[object, ...], said: str) -> None:
    result = train(photographs, tmp_path, *more)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "jpeg.safetensors").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_gpu_is_said(photographs: Path, tmp_path: Path) -> None:
    result = train(photographs, tmp_path, "--iterations", 1, "--device", "cuda")
    assert result.exit_code == 1
    assert "this PyTorch sees no GPU; use --device cpu" in result.output


def test_an_unreadable_photograph_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    result = train(tmp_path, tmp_path / "run", "--iterations", 1)
    assert result.exit_code == 1
    assert "torn.png' is not an image that Pillow can read; remove it" in result.output


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    result = dirac_enhance("export", tmp_path, "-o", tmp_path)
    assert result.exit_code == 1
    assert "no checkpoint at" in result.output
