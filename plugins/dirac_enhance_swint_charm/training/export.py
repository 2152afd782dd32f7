"""Export: the averaged weights with the entropy coder's integer tables, as the codec reads them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance_swint_charm.networks.config import CodecConfig
from dirac_enhance_swint_charm.networks.network import SwintCharm

FORMAT_VERSION = "1"
FILE_NAME = "swint-charm-codec.safetensors"


def export_codec(checkpoint: Checkpoint, folder: Path) -> Path:
    """Write `folder/swint-charm-codec.safetensors`.

    It holds the averaged network's state, with the tables of both entropy models (`_quantized_cdf`, `_cdf_length`,
    `_offset`) as int32; its metadata are `format_version`, `codec_config` (JSON of `CodecConfig.to_dict()`) and
    `training` (JSON).
    """
    from safetensors.torch import save_file

    network = SwintCharm(CodecConfig.from_dict(checkpoint.network))
    network.load_state_dict(checkpoint.averaged)
    update_tables(network)
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    training = {"iteration": checkpoint.iteration, "seconds": round(checkpoint.seconds), "recipe": checkpoint.recipe}
    metadata = {
        "format_version": FORMAT_VERSION,
        "codec_config": json.dumps(checkpoint.network),
        "training": json.dumps({**training, "history": checkpoint.history}),
    }
    path = folder / FILE_NAME
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=metadata)
    partial.replace(path)
    return path


@torch.no_grad()
def update_tables(network: SwintCharm) -> None:
    """Make the integer tables; the hyper-latents' medians stay those that the hyper-decoder was trained with."""
    bottleneck = network.bottleneck
    medians = bottleneck.quantiles[:, 0, 1].clone()
    bottleneck._update_quantiles()  # noqa: SLF001 - bisection; more precise than the auxiliary loss
    bottleneck.quantiles[:, 0, 1] = medians
    bottleneck.update(force=True)
    network.gaussian.update()
