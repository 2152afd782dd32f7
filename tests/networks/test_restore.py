from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from dirac_enhance.diffusion.schedule import build_schedule, linear_schedule
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.errors import WeightsError
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.restore import restore_network, restore_schedule
from dirac_enhance.networks.unet import UNet

CONFIG = UNetConfig(channels=(8,), blocks_per_level=1, middle_blocks=1, patch=2)


def test_a_restored_network_predicts_as_the_one_it_was_saved_from() -> None:
    torch.manual_seed(0)
    network = UNet(CONFIG).eval()
    torch.nn.init.normal_(network.conv_out.weight)
    restored = restore_network(CONFIG.to_dict(), network.state_dict(), schedule=linear_schedule())
    planes = torch.rand(2, 1, 3, 8, 8)
    condition = torch.tensor([40]), torch.tensor([float("nan")])
    assert torch.equal(restored(*planes, *condition), network(*planes, *condition))
    assert not restored.training
    assert not any(parameter.requires_grad for parameter in restored.parameters())


def test_half_precision_tensors_are_restored_to_float32() -> None:
    halves = {name: tensor.half() for name, tensor in UNet(CONFIG).state_dict().items()}
    restored = restore_network(CONFIG.to_dict(), halves, schedule=linear_schedule())
    assert {parameter.dtype for parameter in restored.parameters()} == {torch.float32}


def test_tensors_of_another_architecture_are_refused() -> None:
    wider = UNet(UNetConfig(channels=(12,), blocks_per_level=1, middle_blocks=1, patch=2))
    with pytest.raises(WeightsError, match="do not fit the network it describes"):
        restore_network(CONFIG.to_dict(), wider.state_dict(), schedule=linear_schedule())


@pytest.mark.parametrize(
    "network",
    [
        {},
        {**CONFIG.to_dict(), "depth": 3},
        {**CONFIG.to_dict(), "channels": ["8"]},
        {**CONFIG.to_dict(), "normalisation": "group"},
    ],
)
def test_settings_that_make_no_network_are_refused(network: dict[str, Any]) -> None:
    with pytest.raises(WeightsError):
        restore_network(network, UNet(CONFIG).state_dict(), schedule=linear_schedule())


def test_a_schedule_is_restored_from_its_three_numbers() -> None:
    restored = restore_schedule({"num_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02})
    assert torch.equal(restored.alpha_bar, linear_schedule().alpha_bar)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_named_schedule_is_restored_from_what_a_file_says(name: str) -> None:
    description = json.loads(json.dumps(dict(SCHEDULES[name])))
    assert torch.equal(restore_schedule(description).alpha_bar, build_schedule(SCHEDULES[name]).alpha_bar)


@pytest.mark.parametrize(
    "schedule",
    [
        {"steps": 1},
        {"beta_start": 0.5, "beta_end": 0.1},
        {"num_timesteps": -5},
        {"name": "sigmoid"},
        {"name": "cosine", "num_timesteps": -5},
        {"name": "cosine", "a": 2.0},
        {"name": "late-decay", "a": 4.0},
        {"name": "late-decay", "a": 0.0, "b": 1.0},
        {"name": "late-decay", "a": 9.0, "b": 1.0},
    ],
)
def test_numbers_that_make_no_schedule_are_refused(schedule: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="noise schedule"):
        restore_schedule(schedule)
