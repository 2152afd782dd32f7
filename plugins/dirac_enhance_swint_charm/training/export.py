"""Export: the averaged weights with the entropy coder's integer tables, as the codec reads them, and their card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dirac_enhance import WeightsFile
from dirac_enhance.training.cards import rows_section, settings_section, write_card
from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance.training.manifest import add_to_manifest, folder_of_weights
from dirac_enhance_swint_charm.networks.config import CodecConfig
from dirac_enhance_swint_charm.networks.network import SwintCharm, parameter_count
from dirac_enhance_swint_charm.weights_file import FORMAT_VERSION, MANIFEST_ID

FILE_NAME = f"{MANIFEST_ID}.safetensors"
_NETWORKS = ("analysis.", "synthesis.", "hyper_analysis.", "hyper_synthesis.", "prior.")


def export_codec(checkpoint: Checkpoint, folder: Path, *, half_precision: bool = True) -> WeightsFile:
    """Write `folder/swint-charm-codec.safetensors`; same checkpoint, same bytes, hence the same model id.

    It holds the averaged network's state, with the tables of both entropy models (`_quantized_cdf`, `_cdf_length`,
    `_offset`) as int32; its metadata are `format_version`, `codec_config` (JSON of `CodecConfig.to_dict()`) and
    `training` (JSON).

    Args:
        checkpoint: of a training of this codec.
        folder: an existing folder.
        half_precision: store the networks' matrices and kernels as float16, half the size; they compute in float32,
            and those whose results must be the same everywhere in whole numbers.
    """
    import safetensors.torch

    network = SwintCharm(CodecConfig.from_dict(checkpoint.network))
    network.load_state_dict(checkpoint.averaged)
    update_tables(network)
    tensors = {name: _stored(name, tensor, half=half_precision) for name, tensor in network.state_dict().items()}
    training = {"iteration": checkpoint.iteration, "seconds": round(checkpoint.seconds), "recipe": checkpoint.recipe}
    metadata = {
        "format_version": FORMAT_VERSION,
        "codec_config": json.dumps(checkpoint.network),
        "training": json.dumps({**training, "history": checkpoint.history}),
    }
    return WeightsFile.write(
        folder / FILE_NAME, _with_sorted_metadata(safetensors.torch.save(tensors, metadata=metadata))
    )


def ship_codec(checkpoint: Checkpoint, folder: Path, *, half_precision: bool = True) -> WeightsFile:
    """Export to a folder of weights, with the card `swint-charm-codec.md` and the row in `manifest.json`.

    Args:
        checkpoint: of a training of this codec.
        folder: made if it is not there; other rows of its manifest, and the hand-written part of a card, are kept.
        half_precision: as for `export_codec`.

    Raises:
        TrainingError: if the folder cannot be written to, as on a full disk.
    """
    parameters = parameter_count(CodecConfig.from_dict(checkpoint.network))
    size = f"{parameters / 1e6:.1f} M parameters, {checkpoint.iteration:,} iterations"
    with folder_of_weights(folder):
        weights = export_codec(checkpoint, folder, half_precision=half_precision)
        add_to_manifest(weights, codec_id=MANIFEST_ID, parameters=parameters, summary=f"{size}, the codec itself")
        write_card(weights.path.with_suffix(".md"), _sections(checkpoint, parameters))
    return weights


def _sections(checkpoint: Checkpoint, parameters: int) -> list[str]:
    recipe: dict[str, Any] = dict(checkpoint.recipe)
    minutes = f"{checkpoint.seconds / 60:.0f} minutes of training"
    return [
        "# Weights of the codec `swint-charm`",
        f"{parameters:,} parameters, {checkpoint.iteration:,} iterations, {minutes}.",
        settings_section("Network", checkpoint.network),
        settings_section("Crops, last run", recipe["crops"]),
        settings_section("Optimisation, last run", {**recipe["settings"], "precision": recipe["precision"]}),
        rows_section("Training images", [{"source": name, **row} for name, row in recipe["data"].items()]),
        rows_section("Validation during training", checkpoint.history[-8:]),
    ]


def _stored(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    """Return a tensor as it goes into the file; of the entropy models all stay as they are."""
    halved = half and tensor.ndim > 1 and name.startswith(_NETWORKS)
    return (tensor.half() if halved else tensor).contiguous()


def _with_sorted_metadata(content: bytes) -> bytes:
    """Sort the metadata of a safetensors file, whose order is otherwise a matter of chance."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


@torch.no_grad()
def update_tables(network: SwintCharm) -> None:
    """Make the integer tables; the hyper-latents' medians stay those that the hyper-decoder was trained with."""
    bottleneck = network.bottleneck
    medians = bottleneck.quantiles[:, 0, 1].clone()
    bottleneck._update_quantiles()  # noqa: SLF001 - bisection; more precise than the auxiliary loss
    bottleneck.quantiles[:, 0, 1] = medians
    bottleneck.update(force=True)
    network.gaussian.update()
