"""LPIPS, the learned perceptual distance, differentiable and without importing the `lpips` package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from dirac_enhance.errors import InvalidImageError, WeightsError
from dirac_enhance.metrics.backbones import Backbone, find_backbone, load_backbone, read_tensors

__all__ = ["LPIPS", "Backbone", "load_lpips"]

_TAPS: dict[Backbone, tuple[int, ...]] = {
    "alexnet": (1, 4, 7, 9, 11),
    "vgg16": (3, 8, 15, 22, 29),
    "squeezenet": (1, 4, 7, 9, 10, 11, 12),
}
"""Indices in torchvision's `features` whose outputs are compared."""
_CHANNELS: dict[Backbone, tuple[int, ...]] = {
    "alexnet": (64, 192, 384, 256, 256),
    "vgg16": (64, 128, 256, 512, 512),
    "squeezenet": (64, 128, 256, 384, 384, 512, 512),
}
_HEADS_FILE: dict[Backbone, str] = {"alexnet": "alex.pth", "vgg16": "vgg.pth", "squeezenet": "squeeze.pth"}
_SMALLEST_SIDE = 32
_EPSILON = 1e-10
# ImageNet mean and standard deviation for inputs in [−1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class LPIPS(nn.Module):
    """LPIPS version 0.1 (Zhang et al., arXiv 1801.03924, equation 1): smaller is more alike.

    Frozen and in eval mode; gradients flow to the pictures, never to the parameters. Safe under bfloat16
    autocast: only the convolutions are cast, normalisation and distances stay float32.

    Args:
        backbone: which of torchvision's feature extractors.
        backbone_state: its state dict under torchvision's names, `features.0.weight` and so on.
        heads: one (C,) non-negative weight vector for each compared layer.

    Raises:
        WeightsError: if the tensors are not those of `backbone`.
    """

    _shift: Tensor
    _scale: Tensor

    def __init__(self, backbone: Backbone, *, backbone_state: dict[str, Tensor], heads: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.backbone: Backbone = backbone
        self._taps = _TAPS[backbone]
        self._layers = load_backbone(backbone, backbone_state, last=self._taps[-1])
        if tuple(head.numel() for head in heads) != _CHANNELS[backbone]:
            raise WeightsError(f"LPIPS heads do not fit the {backbone} backbone; expected widths {_CHANNELS[backbone]}")
        for index, head in enumerate(heads):
            self.register_buffer(f"_head{index}", head.detach().float().reshape(-1))
        self.register_buffer("_shift", torch.tensor(_SHIFT).reshape(1, 3, 1, 1))
        self.register_buffer("_scale", torch.tensor(_SCALE).reshape(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distance between pictures of equal size.

        Args:
            first, second: (N, 3, H, W) in [−1, 1], each side at least 32.

        Returns:
            (N,) float32, at least 0, differentiable in both.

        Raises:
            InvalidImageError: if a shape is not as above.
        """
        return self.distance(self.features(first), self.features(second))

    def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Unit-length features of each compared layer; keep a target's to compare it more than once.

        Args:
            pictures: (N, 3, H, W) in [−1, 1], each side at least 32.

        Returns:
            For each layer (N, C, h, w) float32, of length 1 over C (0 where nothing fired).

        Raises:
            InvalidImageError: if the shape is not as above.
        """
        if pictures.dim() != 4 or pictures.shape[1] != 3 or min(pictures.shape[2:]) < _SMALLEST_SIDE:
            raise InvalidImageError(
                f"pictures of shape {tuple(pictures.shape)}; LPIPS takes (N, 3, H, W) with H and W at least "
                f"{_SMALLEST_SIDE}"
            )
        activation = (pictures - self._shift) / self._scale
        found: list[Tensor] = []
        for index, layer in enumerate(self._layers):
            activation = layer(activation)
            if index in self._taps:
                # The gradient of `normalize` is finite where all channels are 0, unlike that of x / √(Σ x²).
                found.append(functional.normalize(activation.float(), dim=1, eps=_EPSILON))
        return tuple(found)

    def distance(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Distance between two results of `features`: (N,) float32."""
        total = torch.zeros((), device=first[0].device)
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            # Averaged over the plane first; a product and a sum, because autocast would lower a matmul's precision.
            difference = (one - other).square().mean(dim=(2, 3))
            total = total + (difference * self.get_buffer(f"_head{index}")).sum(dim=1)
        return total


def load_lpips(backbone: Backbone, *, backbone_file: Path | None = None, heads_file: Path | None = None) -> LPIPS:
    """Build LPIPS from files.

    Args:
        backbone: "alexnet", the one results are reported with, "vgg16" or "squeezenet".
        backbone_file: torchvision's ImageNet weights, a `.safetensors` file or a `.pth` state dict; by default what
            torch has in its cache.
        heads_file: the linear heads as in the `lpips` package; by default those of the installed package.

    Raises:
        WeightsError: if a file is missing or is not what it should be.
    """
    if heads_file is None:
        heads_file = _installed_heads(backbone)
    state = read_tensors(heads_file)
    try:
        heads = tuple(state[f"lin{index}.model.1.weight"] for index in range(len(_TAPS[backbone])))
    except KeyError as cause:
        raise WeightsError(f"{heads_file} holds no LPIPS heads for {backbone}: {cause} is missing") from cause
    return LPIPS(backbone, backbone_state=read_tensors(backbone_file or find_backbone(backbone)), heads=heads)


def _installed_heads(backbone: Backbone) -> Path:
    """Find the heads beside the `lpips` package without importing it."""
    package = find_spec("lpips")
    if package is None or package.origin is None:
        raise WeightsError("LPIPS needs its linear heads; run `pip install lpips` or pass heads_file=FILE")
    return Path(package.origin).parent / "weights" / "v0.1" / _HEADS_FILE[backbone]
