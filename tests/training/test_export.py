"""Export: weights, metadata, manifest and card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.errors import TrainingError
from dirac_enhance.networks.catalogue import NETWORKS, parameters
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training.cards import HAND_WRITTEN
from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance.training.export import SamplingDefaults, export_weights
from dirac_enhance.training.pairs import PairRecipe
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.weights import WeightsFile

DEFAULTS = SamplingDefaults()


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    state = UNet(NETWORKS["tiny"]).state_dict()
    recipe = {
        "settings": asdict(TrainingSettings(iterations=500)),
        "pairs": asdict(PairRecipe()),
        "data": {"gardens": {"images": 12, "share": 1.0}},
        "processes": 1,
        "precision": "bfloat16",
    }
    history = [{"iteration": 250, "gain1@10": 0.61}, {"iteration": 500, "gain1@10": 0.8125}]
    return Checkpoint("stepped", NETWORKS["tiny"].to_dict(), state, state, {}, 500, 61.0, recipe, history)


def test_half_precision_keeps_the_tensors_to_eleven_bits(checkpoint: Checkpoint, tmp_path: Path) -> None:
    loaded = WeightsFile(export_weights(checkpoint, tmp_path, sampling=DEFAULTS)).load()
    assert loaded.state_dict.keys() == checkpoint.averaged.keys()
    for name, tensor in loaded.state_dict.items():
        torch.testing.assert_close(tensor.float(), checkpoint.averaged[name], rtol=2**-11, atol=1e-7)


def test_full_precision_keeps_them_exactly(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = export_weights(checkpoint, tmp_path, sampling=DEFAULTS, half_precision=False)
    state = WeightsFile(path).load().state_dict
    assert all(torch.equal(state[name], tensor) for name, tensor in checkpoint.averaged.items())


def test_the_file_says_what_it_is_for(checkpoint: Checkpoint, tmp_path: Path) -> None:
    sampling = SamplingDefaults(late_start=90, spacing="paper", evaluations=None)
    metadata = WeightsFile(export_weights(checkpoint, tmp_path, sampling=sampling)).metadata()
    assert (metadata.codec_id, metadata.late_start, metadata.spacing) == ("stepped", 90, "paper")
    assert metadata.network == json.loads(json.dumps(NETWORKS["tiny"].to_dict()))
    assert metadata.training is not None
    assert metadata.training["iterations"] == 500


def test_the_late_start_of_another_schedule_lies_at_the_same_noise(checkpoint: Checkpoint, tmp_path: Path) -> None:
    late_starts = {}
    for name in SCHEDULES:
        checkpoint.recipe["settings"]["schedule"] = name
        metadata = WeightsFile(export_weights(checkpoint, tmp_path, sampling=DEFAULTS)).metadata()
        assert metadata.schedule == SCHEDULES[name]
        late_starts[name] = metadata.late_start
    assert late_starts == {
        "linear": 80, "cosine": 61, "early-decay": 86, "late-decay": 24, "smooth-late-decay": 35
    }  # fmt: skip


def test_thresholds_are_stored_where_they_are_asked_for(checkpoint: Checkpoint, tmp_path: Path) -> None:
    measured = replace(checkpoint, residual_counts={10.0: (50, 40, 9, 1) + (0,) * 252, 80.0: (100,) + (0,) * 255})
    asked = replace(DEFAULTS, threshold_percentile=90)
    metadata = WeightsFile(export_weights(measured, tmp_path, sampling=asked)).metadata()
    assert metadata.thresholds == ((10.0, 1.5 / 127.5), (80.0, 0.5 / 127.5))
    assert WeightsFile(export_weights(measured, tmp_path, sampling=DEFAULTS)).metadata().thresholds is None


def test_thresholds_that_were_never_measured_are_an_error_before_anything_is_written(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="did not measure residuals; resume the training"):
        export_weights(checkpoint, tmp_path, sampling=replace(DEFAULTS, threshold_percentile=99))
    assert not list(tmp_path.iterdir())


def test_the_manifest_has_its_hash_and_keeps_other_rows(checkpoint: Checkpoint, tmp_path: Path) -> None:
    other = {"codec_id": "abc", "file": "abc.safetensors", "sha256": "0", "bytes": 1, "parameters": 1, "summary": ""}
    old = {**other, "codec_id": "stepped"}
    (tmp_path / "manifest.json").write_text(json.dumps({"format_version": 1, "weights": [old, other]}))
    path = export_weights(checkpoint, tmp_path, sampling=DEFAULTS)
    rows = json.loads((tmp_path / "manifest.json").read_text())["weights"]
    assert rows[0] == other
    assert [row["codec_id"] for row in rows] == ["abc", "stepped"]
    assert rows[1]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert rows[1]["bytes"] == path.stat().st_size
    assert rows[1]["parameters"] == parameters(NETWORKS["tiny"])


def test_the_card_has_the_recipe_and_keeps_what_was_written_by_hand(checkpoint: Checkpoint, tmp_path: Path) -> None:
    card = export_weights(checkpoint, tmp_path, sampling=DEFAULTS).with_suffix(".md")
    assert "| gardens | 12 | 1 |" in card.read_text()
    assert "| 500 | 0.8125 |" in card.read_text()
    assert HAND_WRITTEN in card.read_text()
    card.write_text(card.read_text() + "\n## Limits\n\nFaces.\n")
    export_weights(checkpoint, tmp_path, sampling=DEFAULTS)
    assert card.read_text().endswith("## Limits\n\nFaces.\n")
    assert card.read_text().count(HAND_WRITTEN) == 1


def test_a_folder_that_cannot_be_written_to_is_said_in_one_line(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"cannot write to '.*file': File exists; pass another"):
        export_weights(checkpoint, tmp_path / "file", sampling=DEFAULTS)


def test_weights_too_large_to_ship_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.averaged["ballast"] = torch.zeros(13_000_000)
    with pytest.raises(TrainingError, match="at most 25 MB"):
        export_weights(checkpoint, tmp_path, sampling=DEFAULTS)
    assert not list(tmp_path.iterdir())
