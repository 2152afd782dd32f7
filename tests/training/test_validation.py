"""Validation during training: figures of held-out pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from dirac_enhance.errors import TrainingError
from dirac_enhance.metrics.perceptual import LPIPS
from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training.validation import load_validation, score

if TYPE_CHECKING:
    from tests.training.conftest import SteppedCodec


def random_alexnet_lpips() -> LPIPS:
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = models.AlexNet(num_classes=1).state_dict()
    widths = (64, 192, 384, 256, 256)
    return LPIPS("alexnet", backbone_state=state, heads=tuple(torch.ones(width) for width in widths))


def test_a_network_that_changes_nothing_gains_nothing(photographs: Path, codec: SteppedCodec) -> None:
    validation = load_validation(photographs, codec=codec, rate_factors=(4, 32), lpips=random_alexnet_lpips(), limit=2)
    row = validation(UNet(NETWORKS["tiny"]).eval())
    assert [row[f"gain{steps}@{rate}"] for steps in (1, 100) for rate in (4, 32)] == [0, 0, 0, 0]
    assert row["lpips@4"] == row["lpips100@4"] > row["lpips@32"] == row["lpips100@32"] > 0


def test_the_score_is_the_mean_gain_or_the_mean_ratio_of_lpips() -> None:
    row = {"iteration": 3, "gain1@5": 0.2, "gain1@20": 0.4, "gain100@5": 9.0, "lpips@5": 0.4, "lpips100@5": 0.2}
    assert score(row, by="gain") == pytest.approx(0.3)
    assert score(row, by="lpips") == pytest.approx(-0.5)


def test_pictures_are_spread_evenly_and_cut_to_whole_strides(tmp_path: Path, codec: SteppedCodec) -> None:
    for index in range(6):
        Image.new("RGB", (300 + index, 70), (index, 0, 0)).save(tmp_path / f"{index}.png")
    validation = load_validation(tmp_path, codec=codec, rate_factors=(4,), lpips=None, limit=3)
    assert [tuple(original.shape) for original, _ in validation.examples[4]] == [(3, 64, 256)] * 3
    assert [round(255 * float(original[0, 0, 0])) for original, _ in validation.examples[4]] == [0, 2, 4]


def test_a_folder_without_pictures_is_refused(tmp_path: Path, codec: SteppedCodec) -> None:
    with pytest.raises(TrainingError, match="pass --validation FOLDER"):
        load_validation(tmp_path, codec=codec, rate_factors=(4,), lpips=None)


def test_a_picture_too_small_to_validate_on_is_named(tmp_path: Path, codec: SteppedCodec) -> None:
    Image.new("RGB", (40, 31)).save(tmp_path / "small.png")
    with pytest.raises(TrainingError, match=r"small\.png is smaller than 32 pixels"):
        load_validation(tmp_path, codec=codec, rate_factors=(4,), lpips=None)
