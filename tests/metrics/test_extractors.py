"""InceptionV3 as torch-fidelity's own and its weights' checks, and AlexNet's features."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dirac_enhance.errors import MetricError, WeightsChecksumError, WeightsError
from dirac_enhance.metrics import (
    AlexNetFeatures,
    InceptionFeatures,
    PatchStatistics,
    load_alexnet_features,
    load_inception,
)

EXTRACTORS = "dirac_enhance.metrics.extractors"
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"


def random_patches(count: int, *, side: int) -> Tensor:
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_absent_inception_weights_are_named_with_their_checksum_and_where_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / INCEPTION_FILE
    with pytest.raises(WeightsError) as raised:
        load_inception()
    message = str(raised.value)
    assert f"no InceptionV3 weights at {place}; put https://github.com/toshas/torch-fidelity/" in message
    assert f"{INCEPTION_FILE} (sha256 6726825d…) there, or pass its path with --inception-weights FILE" in message
    assert "\n" not in message
    with pytest.raises(WeightsError, match=r"no InceptionV3 weights at .*mine\.pth"):
        load_inception(tmp_path / "mine.pth")


def test_weights_with_another_checksum_are_refused(tmp_path: Path) -> None:
    (tmp_path / INCEPTION_FILE).write_bytes(b"another network")
    found = hashlib.sha256(b"another network").hexdigest()[:8]
    with pytest.raises(WeightsChecksumError, match=f"sha256 {found}…, the FID paper's begin with 6726825d; download"):
        load_inception(tmp_path / INCEPTION_FILE)


def vouch_for(content: bytes, patch: pytest.MonkeyPatch) -> bytes:
    patch.setattr(f"{EXTRACTORS}._INCEPTION_SHA256", hashlib.sha256(content).hexdigest()[:8])
    return content


def test_weights_of_another_network_are_refused_whatever_their_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch_fidelity")
    file = tmp_path / "weights.pth"
    for content in ({"weight": torch.zeros(1)}, [Path("a pickled object that is no tensor")]):
        torch.save(content, file)
        with pytest.raises(WeightsError, match="not the weights of the FID paper's InceptionV3"):
            InceptionFeatures(vouch_for(file.read_bytes(), monkeypatch))


def test_a_missing_torch_fidelity_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(MetricError, match=r"pip install 'dirac-enhance\[metrics\]'"):
        InceptionFeatures(vouch_for(b"", monkeypatch))


@torch.no_grad()
def test_features_are_those_of_torch_fidelity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights, since the FID paper's are not in the repository."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(0)
    reference: Any = module.FeatureExtractorInceptionV3.__new__(module.FeatureExtractorInceptionV3)
    with monkeypatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        reference.__init__("inception-v3-compat", ["2048"])
    file = tmp_path / "weights.pth"
    torch.save(reference.state_dict(), file)
    vouch_for(file.read_bytes(), monkeypatch)

    extractor = load_inception(file)
    file.unlink()  # 95 MB

    patches = random_patches(1, side=256)
    features = extractor(patches)
    assert features.shape == (1, 2048)
    assert torch.equal(features, reference(patches)[0])
    assert not extractor.training
    assert PatchStatistics(extractor).frechet_name == "FID/256"


def random_alexnet_state() -> dict[str, Tensor]:
    from torchvision import models

    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in models.alexnet(weights=None).features.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    return {f"features.{name}": torch.randn(shape, generator=generator) * 0.05 for name, shape in shapes.items()}


@torch.no_grad()
def test_alexnet_features_are_torchvisions_last_activations_averaged(tmp_path: Path) -> None:
    from torchvision import models, transforms

    file = tmp_path / "alexnet.pth"
    torch.save(random_alexnet_state(), file)
    with torch.device("meta"):
        layers = models.alexnet(weights=None).features[:12]
    layers.load_state_dict(
        {name.removeprefix("features."): tensor for name, tensor in random_alexnet_state().items()}, assign=True
    )
    patches = random_patches(2, side=96)
    prepared = models.AlexNet_Weights.IMAGENET1K_V1.transforms()
    assert prepared.crop_size == [224]
    normalised = transforms.Normalize(prepared.mean, prepared.std)(patches.float() / 255)

    extractor = load_alexnet_features(file)

    torch.testing.assert_close(extractor(patches), layers(normalised).mean(dim=(2, 3)))
    assert PatchStatistics(extractor).frechet_name == "FD-alexnet/256"
    assert not any(parameter.requires_grad for parameter in extractor.parameters())


def test_alexnet_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"alexnet-owt-7be5be79\.pth there, or pass"):
        load_alexnet_features()
    with pytest.raises(WeightsError, match="not torchvision's alexnet features"):
        AlexNetFeatures({"features.0.weight": torch.zeros(1)})
