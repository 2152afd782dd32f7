"""What the prior promises a picture to cost: the yardstick of a file's size."""

from __future__ import annotations

import torch
from torch import Tensor

from dirac_enhance_swint_charm.networks.network import SwintCharm
from dirac_enhance_swint_charm.networks.padding import pad_to_stride
from dirac_enhance_swint_charm.weights_file import CodecWeights

_TABLES = ("_quantized_cdf", "_cdf_length", "_offset")


def promised_bits(weights: CodecWeights, pixels: Tensor, *, rate_factor: float) -> float:
    """Return −log₂ of the probability that the trained networks, in float32, give a picture's quantised latents.

    Args:
        weights: of the codec.
        pixels: (3, H, W) float32 in [0, 1], taken as one coding tile.
        rate_factor: λ.
    """
    network = SwintCharm(weights.config).eval()
    state = {name: tensor for name, tensor in weights.state.items() if not name.endswith(_TABLES)}
    network.load_state_dict(state, strict=False)
    with torch.inference_mode():
        coded = network(pad_to_stride(pixels[None]), torch.tensor([rate_factor]))
    return float(coded.latent_bits + coded.hyper_bits)
