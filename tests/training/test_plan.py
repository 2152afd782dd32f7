"""From a plan to a run: what a codec that only decodes can be trained with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from dirac_enhance.errors import TrainingError
from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training.checkpoint import load_checkpoint
from dirac_enhance.training.pair_making import PairPlan, make_pairs
from dirac_enhance.training.plan import PairSet, TrainingPlan, build_run
from dirac_enhance.training.settings import TrainingSettings

if TYPE_CHECKING:
    from tests.training.conftest import QuantisedReader, QuantisingCodec


@pytest.fixture
def plan(photographs: Path, tmp_path: Path, qp_codec: QuantisingCodec) -> TrainingPlan:
    made = PairPlan(photographs, tmp_path / "pairs", count=12, crop_size=64, rate_bounds=(0, 40))
    make_pairs(made, qp_codec, report=lambda _: None)
    settings = TrainingSettings(batch_size=2, iterations=2, lpips_weight=0, workers=0, keep_best="gain")
    pairs = PairSet((made.index,), held_out=0.3)
    return TrainingPlan(photographs, tmp_path / "run", settings, pairs, "tiny", crop_size=32, precision="float32")


def test_a_codec_that_only_decodes_is_trained_from_stored_pairs_and_other_weights(
    plan: TrainingPlan, qp_reader: QuantisedReader
) -> None:
    run = build_run(plan, qp_reader, report=lambda _: None)
    assert run.network.rate_range is not None
    low, high = run.network.rate_range
    assert 0 <= low < high <= 40
    assert not run.network.rate_log_spaced
    assert not run.network.residual_std_log_spaced
    assert [rate for rate, _ in run.network.residual_std] == sorted(rate for rate, _ in run.network.residual_std)
    jpeg = UNet(replace(NETWORKS["tiny"], rate_range=(1, 100), rate_log_spaced=True))
    checkpoint = load_checkpoint(run.start(initial=jpeg.state_dict()))
    assert all(bool(tensor.isfinite().all()) for tensor in checkpoint.averaged.values())
    assert checkpoint.history[0]["iteration"] == 0
    assert {name.partition("@")[0] for name in checkpoint.history[0]} == {"iteration", "gain1", "gain100"}


def test_a_codec_that_encodes_lends_the_network_its_whole_range_from_zero(
    plan: TrainingPlan, qp_codec: QuantisingCodec
) -> None:
    run = build_run(plan, qp_codec, report=lambda _: None)
    assert run.network.rate_range == (0.0, 63.0)
    network = UNet(run.network)
    _, scale = network._gains(torch.full((3,), 20), torch.tensor([0.0, 63.0, float("nan")]))
    assert scale.isfinite().all()


def test_without_stored_pairs_a_codec_must_encode(plan: TrainingPlan, qp_reader: QuantisedReader) -> None:
    with pytest.raises(TrainingError, match=r"only decodes; .* --pairs INDEX\.csv"):
        build_run(replace(plan, pairs=None), qp_reader)
