"""The codec's own weights: finding the file, verifying its sha256, reading configuration and tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirac_enhance import TrainingError, WeightsError, WeightsFile, bundled_weights
from dirac_enhance_swint_charm.bitstream import MODEL_ID_BYTES
from dirac_enhance_swint_charm.networks.config import CodecConfig

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance_swint_charm.networks.network import SwintCharm

MANIFEST_ID = "swint-charm-codec"
FORMAT_VERSION = "1"
_TABLES = ("_quantized_cdf", "_cdf_length", "_offset")
_HOW_TO_GET = "train it with `dirac-enhance train-codec --codec swint-charm` or pass --codec-option weights=FILE"


@dataclass(frozen=True, slots=True, eq=False)
class CodecWeights:
    """Weights in memory.

    Args:
        config: the networks' shape.
        state: tensors by name, on the CPU.
        sha256: of the whole file.
        training: what the file records of how it was made; empty if nothing.
    """

    config: CodecConfig
    state: Mapping[str, Tensor]
    sha256: bytes
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_id(self) -> bytes:
        """What names these weights in a bitstream."""
        return self.sha256[:MODEL_ID_BYTES]

    def trained_network(self) -> SwintCharm:
        """Build the network as it was trained, in float32, without the entropy coder's tables."""
        from dirac_enhance_swint_charm.networks.network import SwintCharm

        network = SwintCharm(self.config)
        state = {name: tensor for name, tensor in self.state.items() if not name.endswith(_TABLES)}
        network.load_state_dict(state, strict=False)
        return network


def find_codec_weights(path: str) -> WeightsFile:
    """Return the weights file given, or for an empty `path` the one that is installed.

    Raises:
        WeightsError: if none is given and none is installed.
    """
    file = WeightsFile(Path(path)) if path else bundled_weights(MANIFEST_ID)
    if file is None:
        raise WeightsError(f"the weights of codec 'swint-charm' are not installed; {_HOW_TO_GET}")
    return file


def load_codec_weights(file: WeightsFile) -> CodecWeights:
    """Read the whole file; the bytes whose checksum is verified are the ones that are used.

    Raises:
        WeightsChecksumError: if the sha256 differs from the manifest's.
        WeightsError: if the file is missing, damaged, or no such weights.
    """
    import safetensors.torch

    content, sha256 = file.read(instead=_HOW_TO_GET)
    try:
        config, training = _read_metadata(content)
        state = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError, RuntimeError, TrainingError) as cause:
        raise WeightsError(
            f"'{file.path}' cannot be used: no weights of a SwinT-ChARM codec, or damaged ({cause}); {_HOW_TO_GET}"
        ) from cause
    return CodecWeights(config, state, bytes.fromhex(sha256), training)


def _read_metadata(content: bytes) -> tuple[CodecConfig, dict[str, Any]]:
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    if metadata["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format version {metadata['format_version']}, this dirac-enhance reads {FORMAT_VERSION}")
    return CodecConfig.from_dict(json.loads(metadata["codec_config"])), json.loads(metadata.get("training", "{}"))
