"""The named networks of `dirac-enhance train --network NAME`, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

from dirac_enhance.networks.config import UNetConfig

if TYPE_CHECKING:
    from torch import nn

    from dirac_enhance.networks.unet import UNet

RESIDUAL_STD = ((1.0, 0.07),)
"""Standard deviation of a JPEG's residual at quality 20 or so, in [−1, 1] units; training puts measured rows in its
place."""

NETWORKS: Mapping[str, UNetConfig] = MappingProxyType(
    {
        # DIRAC table B.3: 108,418,435 parameters.
        "paper": UNetConfig(
            channels=(128, 128, 256, 256, 512, 512),
            blocks_per_level=2,
            normalisation="group",
            attention=True,
            scale_shift=False,
        ),
        # Folded 2×2, skips added: the least arithmetic at the finest level.
        "small": UNetConfig(
            channels=(48, 96, 144), blocks_per_level=1, patch=2, skips="add", residual_std=RESIDUAL_STD
        ),
        # The same levels with the paper's concatenated skips.
        "small-concatenated": UNetConfig(
            channels=(48, 96, 144), blocks_per_level=1, middle_blocks=1, patch=2, residual_std=RESIDUAL_STD
        ),
        # Folded 4×4: two levels only, more parameters for the arithmetic.
        "small-coarse": UNetConfig(
            channels=(96, 160), blocks_per_level=1, middle_blocks=1, patch=4, residual_std=RESIDUAL_STD
        ),
        # For tests and rehearsals.
        "tiny": UNetConfig(channels=(8, 12), blocks_per_level=1, middle_blocks=1, patch=2, residual_std=RESIDUAL_STD),
    }
)


def build_meta(config: UNetConfig) -> UNet:
    """Build a network without memory for its weights, to count and to compare."""
    import torch

    from dirac_enhance.diffusion.schedule import linear_schedule
    from dirac_enhance.networks.unet import UNet

    schedule = linear_schedule()  # its values are checked, so it needs memory
    with torch.device("meta"):
        return UNet(config, schedule).to("meta")


def parameters(config: UNetConfig) -> int:
    """Number of trained numbers in a network."""
    return sum(parameter.numel() for parameter in build_meta(config).parameters())


def mmac_per_pixel(config: UNetConfig) -> float:
    """Millions of multiply–accumulates a pixel of one evaluation's convolutions; attention's products are left out."""
    from dirac_enhance.networks.unet import Downsample, RepeatUpsample, ShuffleUpsample

    network = build_meta(config)
    positions = 1 / config.patch**2  # of the current level, for each pixel of the picture
    total = positions * (_weights_of_convolutions(network.conv_in) + _weights_of_convolutions(network.conv_out))
    for block in chain(network.encoder, network.middle, network.decoder):
        if isinstance(block, Downsample):
            positions /= 4
        elif isinstance(block, RepeatUpsample):
            positions *= 4
        total += positions * _weights_of_convolutions(block)
        if isinstance(block, ShuffleUpsample):  # its convolution comes before the shuffle
            positions *= 4
    return total / 1e6


def _weights_of_convolutions(module: nn.Module) -> int:
    """Multiply–accumulates at one position."""
    from torch import nn

    convolutions = (each for each in module.modules() if isinstance(each, (nn.Conv1d, nn.Conv2d)))
    return sum(convolution.weight.numel() for convolution in convolutions)
