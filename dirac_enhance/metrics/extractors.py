"""What turns patches into features: the FID paper's InceptionV3, AlexNet, or anything that fits the protocol."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dirac_enhance.errors import MetricError, WeightsChecksumError, WeightsError
from dirac_enhance.metrics.backbones import cache_folder, find_backbone, load_backbone, read_tensors

_INCEPTION_SHA256 = "6726825d"
"""How the sha256 of the weights begins; torch-fidelity's file name says it, too."""
_INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
_INCEPTION_FILE = _INCEPTION_URL.rpartition("/")[2]

_LAST_ALEXNET_LAYER = 11
"""The last ReLU of torchvision's `features`; only a pooling follows."""
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class FeatureExtractor(Protocol):
    """Maps each patch to one vector; nothing random, no gradients needed."""

    @property
    def name(self) -> str:
        """What distances on its features are named after, as in "FD-alexnet/256"."""
        ...

    def __call__(self, patches: Tensor, /) -> Tensor:
        """Map (N, 3, H, W) uint8 patches to (N, D) features, D always the same, on any device."""
        ...


class InceptionFeatures(nn.Module):
    """The 2048 features of the FID paper's InceptionV3, with TensorFlow's resizing to 299×299: torch-fidelity's port.

    The only extractor whose distances are called FID and KID; its weights are therefore not an argument but checked.

    Args:
        content: of the weights file, whole; its digest is `sha256`.

    Raises:
        WeightsChecksumError: if the sha256 does not begin with 6726825d.
        WeightsError: if they are not the network's.
        MetricError: if torch-fidelity is not installed.
    """

    name = "inception-v3"

    def __init__(self, content: bytes) -> None:
        super().__init__()
        sha256 = hashlib.sha256(content).hexdigest()
        if not sha256.startswith(_INCEPTION_SHA256):
            raise WeightsChecksumError(
                f"these InceptionV3 weights have sha256 {sha256[:8]}…, the FID paper's begin with {_INCEPTION_SHA256}; "
                f"download {_INCEPTION_URL} again"
            )
        self.sha256 = sha256
        self._network = _torch_fidelity_inception(content)
        self.eval()

    def forward(self, patches: Tensor) -> Tensor:
        """Map (N, 3, H, W) uint8 patches to (N, 2048) float32."""
        (features,) = self._network(patches)
        assert isinstance(features, Tensor)
        return features


class AlexNetFeatures(nn.Module):
    """The 256 channels of AlexNet's last convolution after its ReLU, averaged over the plane.

    For where InceptionV3's weights are not at hand: its distances are comparable with each other, never with FID.

    Args:
        state: torchvision's state dict, `features.0.weight` and so on.

    Raises:
        WeightsError: if the tensors are not AlexNet's.
    """

    name = "alexnet"
    _mean: Tensor
    _std: Tensor

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self._layers = load_backbone("alexnet", state, last=_LAST_ALEXNET_LAYER)
        self.register_buffer("_mean", torch.tensor(_IMAGENET_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("_std", torch.tensor(_IMAGENET_STD).reshape(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def forward(self, patches: Tensor) -> Tensor:
        """Map (N, 3, H, W) uint8 patches to (N, 256) float32."""
        activations: Tensor = self._layers((patches / 255 - self._mean) / self._std)
        return activations.mean(dim=(2, 3))


def load_inception(weights_file: Path | None = None) -> InceptionFeatures:
    """Load the FID paper's InceptionV3.

    Args:
        weights_file: torch-fidelity's conversion; by default what torch has in its cache. Nothing is downloaded.

    Raises:
        WeightsError: if there is no such file (the error says what to get and where it goes), or it is another one.
        MetricError: if torch-fidelity is not installed.
    """
    path = weights_file or cache_folder() / _INCEPTION_FILE
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise WeightsError(
            f"no InceptionV3 weights at {path}; put {_INCEPTION_URL} (sha256 {_INCEPTION_SHA256}…) there, "
            "or pass its path with --inception-weights FILE"
        ) from cause
    return InceptionFeatures(content)


def load_alexnet_features(backbone_file: Path | None = None) -> AlexNetFeatures:
    """Load AlexNet from torchvision's weights, the file LPIPS takes; by default from torch's cache.

    Raises:
        WeightsError: if there is no such file, or it holds something else.
    """
    return AlexNetFeatures(read_tensors(backbone_file or find_backbone("alexnet")))


def _torch_fidelity_inception(content: bytes) -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as cause:
        raise MetricError("FID needs torch-fidelity; run `pip install 'dirac-enhance[metrics]'`") from cause
    try:
        # torch-fidelity unpickles anything; eight digits of a checksum are no proof that there are only tensors.
        torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        return FeatureExtractorInceptionV3(
            InceptionFeatures.name, ["2048"], feature_extractor_weights_path=BytesIO(content)
        )
    except Exception as cause:
        raise WeightsError(f"these are not the weights of the FID paper's InceptionV3: {cause}") from cause
