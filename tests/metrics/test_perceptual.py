"""LPIPS against the `lpips` package's own forward, and what training relies on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import torch
from torch import Tensor

from dirac_enhance.errors import InvalidImageError, WeightsError
from dirac_enhance.metrics.perceptual import LPIPS, load_lpips

if TYPE_CHECKING:
    from collections.abc import Callable

Backbone = Literal["alexnet", "squeezenet"]
BACKBONES: tuple[Backbone, ...] = ("alexnet", "squeezenet")
ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "data" / "lpips", ROOT.parent / "shared" / "data" / "lpips")
"""Where the real backbones may lie; they are not in the repository."""
IMAGENET_FILES = {"alexnet": "alexnet_features.safetensors", "squeezenet": "squeezenet1_1_features.safetensors"}


def random_backbone_state(backbone: Backbone, seed: int = 0) -> dict[str, Tensor]:
    from torchvision import models

    with torch.device("meta"):
        network = models.alexnet(weights=None) if backbone == "alexnet" else models.squeezenet1_1(weights=None)
    shapes = {f"features.{name}": tensor.shape for name, tensor in network.features.state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    # He's initialisation keeps the activations' scale; biases stay small.
    return {
        name: torch.randn(shape, generator=generator) * ((2 / shape[1:].numel()) ** 0.5 if len(shape) == 4 else 0.01)
        for name, shape in shapes.items()
    }


def reference_lpips(backbone: Backbone, state: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The `lpips` package's network with `state` copied into its randomly initialised trunk."""
    lpips = pytest.importorskip("lpips")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex" if backbone == "alexnet" else "squeeze", pnet_rand=True, verbose=False)
    by_layer = {name.split(".", 1)[1]: tensor for name, tensor in state.items()}
    # The trunk's slices keep torchvision's layer numbers: "slice2.3.weight" is "features.3.weight".
    trunk = network.net.state_dict()
    network.net.load_state_dict({name: by_layer[name.split(".", 1)[1]] for name in trunk})
    forward: Callable[[Tensor, Tensor], Tensor] = network
    return forward


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    name: Backbone = request.param
    return name


@pytest.fixture
def random_lpips(backbone: Backbone, tmp_path: Path) -> LPIPS:
    from safetensors.torch import save_file

    save_file(random_backbone_state(backbone), tmp_path / "backbone.safetensors")
    return load_lpips(backbone, backbone_file=tmp_path / "backbone.safetensors")


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    first = torch.rand(2, 3, 72, 65, generator=generator) * 2 - 1
    return first, (first + 0.2 * torch.randn(first.shape, generator=generator)).clamp(-1, 1)


@torch.no_grad()
def test_agrees_with_the_lpips_package_on_random_backbones(
    backbone: Backbone, random_lpips: LPIPS, pair: tuple[Tensor, Tensor]
) -> None:
    expected = reference_lpips(backbone, random_backbone_state(backbone))(*pair).flatten()
    torch.testing.assert_close(random_lpips(*pair), expected, rtol=1e-5, atol=1e-7)


@torch.no_grad()
def test_agrees_with_the_lpips_package_on_imagenet_backbones(backbone: Backbone, pair: tuple[Tensor, Tensor]) -> None:
    from safetensors.torch import load_file

    backbone_file = next((path for path in (f / IMAGENET_FILES[backbone] for f in FOLDERS) if path.is_file()), None)
    if backbone_file is None:
        pytest.skip(f"no ImageNet backbone at data/lpips/{IMAGENET_FILES[backbone]}")
    expected = reference_lpips(backbone, load_file(backbone_file))(*pair).flatten()
    torch.testing.assert_close(load_lpips(backbone, backbone_file=backbone_file)(*pair), expected, rtol=1e-5, atol=1e-7)


def test_gradients_reach_both_pictures_and_no_parameter(random_lpips: LPIPS, pair: tuple[Tensor, Tensor]) -> None:
    first, second = (picture.requires_grad_() for picture in pair)
    random_lpips(first, second).sum().backward()
    for picture in (first, second):
        assert picture.grad is not None
        assert picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in random_lpips.parameters())


def test_gradient_is_finite_where_no_feature_fires(backbone: Backbone, pair: tuple[Tensor, Tensor]) -> None:
    dead = {
        name: torch.zeros_like(tensor) if name.endswith("weight") else -torch.ones_like(tensor)
        for name, tensor in random_backbone_state(backbone).items()
    }
    widths = {"alexnet": (64, 192, 384, 256, 256), "squeezenet": (64, 128, 256, 384, 384, 512, 512)}[backbone]
    metric = LPIPS(backbone, backbone_state=dead, heads=tuple(torch.ones(width) for width in widths))
    first = pair[0].requires_grad_()
    metric(first, pair[1]).sum().backward()
    assert first.grad is not None
    assert bool(first.grad.isfinite().all())


@torch.no_grad()
def test_kept_features_give_the_same_distance(random_lpips: LPIPS, pair: tuple[Tensor, Tensor]) -> None:
    target = random_lpips.features(pair[1])
    assert torch.equal(random_lpips.distance(random_lpips.features(pair[0]), target), random_lpips(*pair))


@torch.no_grad()
def test_equal_pictures_are_at_distance_zero(random_lpips: LPIPS, pair: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(random_lpips(pair[0], pair[0]), torch.zeros(2))


@torch.no_grad()
def test_channels_last_and_bfloat16_autocast_change_little(random_lpips: LPIPS, pair: tuple[Tensor, Tensor]) -> None:
    expected = random_lpips(*pair)
    last = random_lpips.to(memory_format=torch.channels_last)
    first, second = (picture.contiguous(memory_format=torch.channels_last) for picture in pair)
    torch.testing.assert_close(last(first, second), expected, rtol=1e-4, atol=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lowered = last(first, second)
    assert lowered.dtype == torch.float32
    torch.testing.assert_close(lowered, expected, rtol=0.05, atol=1e-4)


def test_stays_frozen_and_in_eval_mode_after_loading(random_lpips: LPIPS) -> None:
    assert not random_lpips.training
    assert not any(module.training for module in random_lpips.modules())


def test_small_pictures_are_refused_with_the_smallest_side(random_lpips: LPIPS) -> None:
    with pytest.raises(InvalidImageError, match="at least 32"):
        random_lpips(torch.zeros(1, 3, 31, 64), torch.zeros(1, 3, 31, 64))


def test_the_smallest_allowed_picture_works(random_lpips: LPIPS) -> None:
    assert random_lpips(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)).shape == (1,)


def test_missing_and_foreign_files_are_named(backbone: Backbone, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(WeightsError, match=r"no LPIPS weights at .*absent\.safetensors"):
        load_lpips(backbone, backbone_file=tmp_path / "absent.safetensors")
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match=f"not torchvision's {backbone} features"):
        load_lpips(backbone, backbone_file=tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match="holds no LPIPS heads"):
        load_lpips(
            backbone,
            backbone_file=tmp_path / "foreign.safetensors",
            heads_file=tmp_path / "foreign.safetensors",
        )


def test_absent_heads_say_what_to_install(backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dirac_enhance.metrics.perceptual.find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match="pip install lpips"):
        load_lpips(backbone, backbone_file=tmp_path / "any.safetensors")
