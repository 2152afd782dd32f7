"""Weights of the tiny network or another, random down to its last layer, so that it changes pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet
from dirac_enhance.weights import WeightsFile, WeightsMetadata, save_weights

METADATA = WeightsMetadata(
    codec_id="jpeg",
    network=NETWORKS["tiny"].to_dict(),
    schedule={"num_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02},
    trained_timesteps=(0, 999),
    late_start=80,
    spacing="log-snr",
    evaluations=2,
    training={"summary": "random numbers"},
)


def save_random_weights(
    path: Path, *, config: UNetConfig = NETWORKS["tiny"], seed: int = 3, spread: float = 0.1, **changes: Any
) -> WeightsFile:
    """Write weights that follow from a seed.

    Args:
        path: of the file.
        config: of the network.
        seed: of the weights.
        spread: standard deviation of the last layer's, which are zero in a network that is not trained.
        changes: of `METADATA`.
    """
    torch.manual_seed(seed)
    network = UNet(config)
    torch.nn.init.normal_(network.conv_out.weight, std=spread)
    return save_weights(path, network.state_dict(), replace(METADATA, network=config.to_dict(), **changes))
