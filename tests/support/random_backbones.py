"""torchvision's feature extractors with random weights that follow from a seed."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dirac_enhance.metrics import Backbone


def torchvision_features(backbone: Backbone) -> nn.Module:
    """Torchvision's feature extractor, on the meta device."""
    from torchvision import models

    name = "squeezenet1_1" if backbone == "squeezenet" else backbone
    with torch.device("meta"):
        features: nn.Module = getattr(models, name)(weights=None).features
    return features


def random_backbone_state(backbone: Backbone, seed: int = 0) -> dict[str, Tensor]:
    """Its state dict."""
    shapes = {f"features.{name}": tensor.shape for name, tensor in torchvision_features(backbone).state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    # He's initialisation keeps the activations' scale; biases stay small.
    return {
        name: torch.randn(shape, generator=generator) * ((2 / shape[1:].numel()) ** 0.5 if len(shape) == 4 else 0.01)
        for name, shape in shapes.items()
    }


def save_random_backbone(folder: Path, backbone: Backbone = "alexnet", seed: int = 0) -> Path:
    """Write one into a folder as a file of weights."""
    path = folder / f"{backbone}-{seed}.safetensors"
    save_file(random_backbone_state(backbone, seed), path)
    return path
