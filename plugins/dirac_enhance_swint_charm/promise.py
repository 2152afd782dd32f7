"""What the prior promises a picture to cost: the yardstick of a file's size."""

from __future__ import annotations

import torch
from torch import Tensor

from dirac_enhance_swint_charm.networks.network import SwintCharm
from dirac_enhance_swint_charm.networks.padding import pad_to_stride


def promised_bits(network: SwintCharm, pixels: Tensor, *, rate_factor: float) -> float:
    """Return −log₂ of the probability that the trained network, in float32, gives a picture's quantised latents.

    Args:
        network: `CodecWeights.trained_network`, evaluating.
        pixels: (3, H, W) float32 in [0, 1], taken as one coding tile.
        rate_factor: λ.
    """
    with torch.inference_mode():
        coded = network(pad_to_stride(pixels[None]), torch.tensor([rate_factor]))
    return float(coded.latent_bits + coded.hyper_bits)
