"""Rebuild a trained network from what its weights file says and holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dirac_enhance.diffusion.schedule import NoiseSchedule, build_schedule
from dirac_enhance.errors import SamplingError, WeightsError
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet


def restore_schedule(schedule: Mapping[str, Any]) -> NoiseSchedule:
    """Build a schedule as `WeightsMetadata.schedule` describes it.

    Raises:
        WeightsError: if they do not make a schedule.
    """
    try:
        return build_schedule(schedule)
    except SamplingError as cause:
        raise WeightsError(f"its noise schedule {dict(schedule)} cannot be; export the weights anew") from cause


def restore_network(network: Mapping[str, Any], state_dict: Mapping[str, Tensor], *, schedule: NoiseSchedule) -> UNet:
    """Build the network of a config with its trained tensors, on the CPU, in float32, for evaluation only.

    Args:
        network: `UNetConfig.to_dict()`.
        state_dict: tensors by name, of any floating type.
        schedule: the diffusion it was trained for.

    Raises:
        WeightsError: if the config is not one, or the tensors are another network's.
    """
    config = UNetConfig.from_dict(network)
    try:
        restored = UNet(config, schedule)
    except (TypeError, ValueError, RuntimeError) as cause:
        raise WeightsError(f"its network {dict(network)} cannot be built; export the weights anew") from cause
    try:
        restored.load_state_dict(dict(state_dict))
    except RuntimeError as cause:
        raise WeightsError("its tensors do not fit the network it describes; export the weights anew") from cause
    return restored.eval().requires_grad_(requires_grad=False)
