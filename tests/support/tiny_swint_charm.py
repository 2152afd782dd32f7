"""A SwinT-ChARM codec of a few thousand weights that codes, without having been trained."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dirac_enhance_swint_charm.networks.config import CodecConfig

TINY = CodecConfig(
    widths=(16, 16, 16, 32),
    depths=(1, 2, 2, 2),
    window=4,
    hyper_widths=(16, 16),
    hyper_depths=(2, 2),
    hyper_window=2,
    head_width=8,
    mlp_ratio=2,
    slices=(4, 8, 20),
    hyper_channels=8,
    prior_channels=8,
    context_widths=(8, 8),
    context_kernels=(3, 3, 3),
)
LIGHT = replace(
    TINY, depths=(1, 1, 1, 1), hyper_depths=(1, 1), slices=(8, 8), context_widths=(8,), context_kernels=(3, 3)
)
"""For tests that decode thousands of times."""
NOISE = 0.05
"""Deviation of what is added to the weights of prior and hyper-codec; a tenth of it to those of the transforms."""


def draw_pixels(height: int, width: int, *, seed: int = 0) -> Tensor:
    """Draw (3, height, width) float32 in [0, 1]: gradients, a disc with an edge, and a little grain."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None, :]
    slopes = torch.rand(3, 2, 1, 1, generator=generator) - 0.5
    disc = ((x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.08).float() * 0.3
    grain = 0.01 * torch.randn(1, height, width, generator=generator)
    return (0.4 + slopes[:, 0] * x + slopes[:, 1] * y + disc + grain).clamp(0, 1)


def write_weights(path: Path, *, config: CodecConfig = TINY) -> Path:
    """Write weights: a linear transform of pictures, a prior wide enough for it, and noise on the others."""
    from safetensors.torch import save_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what CompressAI imports
        import compressai.entropy_models  # noqa: F401
    from dirac_enhance_swint_charm.networks.initialisation import initialise_by_klt
    from dirac_enhance_swint_charm.networks.network import SwintCharm
    from dirac_enhance_swint_charm.training.export import update_tables

    torch.manual_seed(0)
    network = SwintCharm(config)
    initialise_by_klt(network, torch.stack([draw_pixels(128, 128, seed=each) for each in range(40)]))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "blocks" in name or name.startswith("prior"):
                own = name.startswith(("analysis", "synthesis"))
                parameter.add_((0.1 if own else 1) * NOISE * torch.randn_like(parameter))
        network.bottleneck.quantiles[:, 0, 1].uniform_(-0.4, 0.4)
        for prior in network.prior.slices:
            prior.log_scale.convolutions[-1].bias.add_(1.0)  # type: ignore[union-attr, index]
    update_tables(network)
    metadata = {"format_version": "1", "codec_config": json.dumps(config.to_dict())}
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path, metadata=metadata)
    return path


def write_variant(weights: Path, path: Path) -> Path:
    """Write weights that differ from others in one number."""
    import safetensors
    from safetensors.torch import load_file, save_file

    with safetensors.safe_open(weights, "pt") as file:
        metadata = file.metadata()
    state = load_file(weights)
    state["scaling.b"] += 0.01
    save_file(state, path, metadata=metadata)
    return path
