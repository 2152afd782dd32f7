"""torchvision's ImageNet feature extractors, built from a file of weights or from torch's own cache."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from dirac_enhance.errors import WeightsError

Backbone = Literal["alexnet", "vgg16", "squeezenet"]

_NAMES: dict[Backbone, tuple[str, str]] = {
    "alexnet": ("alexnet", "AlexNet_Weights"),
    "vgg16": ("vgg16", "VGG16_Weights"),
    "squeezenet": ("squeezenet1_1", "SqueezeNet1_1_Weights"),
}
"""torchvision's names of the network and of its weights."""

_FEATURES = "features."


def load_backbone(backbone: Backbone, state: dict[str, Tensor], *, last: int) -> nn.Sequential:
    """Build torchvision's `features` up to and including layer `last`.

    Args:
        backbone: which network.
        state: its state dict under torchvision's names, `features.0.weight` and so on; a classifier is left out.
        last: index of the last layer needed.

    Raises:
        WeightsError: if the tensors are not those of `backbone`.
    """
    from torchvision import models

    # On the meta device nothing is initialised: VGG-16's unused classifier alone has 124 million parameters.
    with torch.device("meta"):
        network = getattr(models, _NAMES[backbone][0])(weights=None)
    layers: nn.Sequential = network.features[: last + 1]
    kept = {
        name.removeprefix(_FEATURES): tensor.float() for name, tensor in state.items() if name.startswith(_FEATURES)
    }
    try:
        layers.load_state_dict(kept, assign=True)
    except RuntimeError as cause:
        raise WeightsError(f"these tensors are not torchvision's {backbone} features: {cause}") from cause
    return layers


def identify_backbone(state: dict[str, Tensor]) -> Backbone | None:
    """Say whose features a state dict holds, by their names and shapes; None if it is none of ours."""
    from torchvision import models

    shapes = {name: tensor.shape for name, tensor in state.items() if name.startswith(_FEATURES)}
    for backbone, (name, _weights) in _NAMES.items():
        with torch.device("meta"):
            features = getattr(models, name)(weights=None).features
        if shapes == {f"{_FEATURES}{key}": tensor.shape for key, tensor in features.state_dict().items()}:
            return backbone
    return None


def find_backbone(backbone: Backbone) -> Path:
    """Find torchvision's ImageNet weights where torch keeps downloads; nothing is downloaded.

    Raises:
        WeightsError: if they are not there; says what to get, from where, and where it goes.
    """
    from torchvision import models

    url: str = getattr(models, _NAMES[backbone][1]).IMAGENET1K_V1.url
    path = cache_folder() / Path(urlsplit(url).path).name
    if not path.is_file():
        raise WeightsError(
            f"no {backbone} weights at {path}; put {url} there, or pass their path with --lpips-backbone FILE"
        )
    return path


def cache_folder() -> Path:
    """Where torch keeps downloaded weights: `$TORCH_HOME/hub/checkpoints`, by default below `~/.cache/torch`."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a `.safetensors` file or a `.pth` state dict, onto the CPU; nothing but tensors is unpickled.

    Raises:
        WeightsError: if there is no such file or it holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; pass the path of a .safetensors or .pth file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:
        raise WeightsError(f"cannot read weights from {path}: {cause}") from cause
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise WeightsError(f"{path} holds no state dict; expected torchvision's weights or their features")
    return state
