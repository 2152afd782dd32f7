"""LPIPS against the `lpips` package's own forward, on a photograph, and what training relies on."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from dirac_enhance.errors import InvalidImageError, WeightsError
from dirac_enhance.metrics import psnr
from dirac_enhance.metrics.perceptual import LPIPS, Backbone, load_lpips
from random_backbones import random_backbone_state, save_random_backbone, torchvision_features

if TYPE_CHECKING:
    from collections.abc import Callable

BACKBONES: tuple[Backbone, ...] = ("alexnet", "squeezenet")
"""Those small enough for every test."""
ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "data", ROOT.parent / "shared" / "data")
"""Where real backbones and photographs may lie; they are not in the repository."""
IMAGENET_FILES: dict[Backbone, str] = {
    "alexnet": "alexnet_features.safetensors",
    "squeezenet": "squeezenet1_1_features.safetensors",
}


def find_data(name: str) -> Path:
    for path in (folder / name for folder in FOLDERS):
        if path.exists():
            return path
    pytest.skip(f"no data/{name}")


def reference_lpips(backbone: Backbone, state: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The `lpips` package's network with `state` in its trunk."""
    lpips = pytest.importorskip("lpips")
    name = {"alexnet": "alexnet", "vgg16": "vgg16", "squeezenet": "squeezenet1_1"}[backbone]
    trunk = torchvision_features(backbone)
    by_layer = {name.removeprefix("features."): tensor for name, tensor in state.items()}
    trunk.load_state_dict(by_layer, assign=True)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        # Its classifier is not needed, and takes seconds to initialise.
        patch.setattr(f"torchvision.models.{name}", lambda **_: SimpleNamespace(features=trunk))
        nickname = {"alexnet": "alex", "vgg16": "vgg", "squeezenet": "squeeze"}[backbone]
        network = lpips.LPIPS(net=nickname, pnet_rand=True, verbose=False)
    forward: Callable[[Tensor, Tensor], Tensor] = network
    return forward


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    name: Backbone = request.param
    return name


@pytest.fixture
def random_lpips(backbone: Backbone, tmp_path: Path) -> LPIPS:
    return load_lpips(backbone, backbone_file=save_random_backbone(tmp_path, backbone))


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
def test_vgg_agrees_with_the_lpips_package(pair: tuple[Tensor, Tensor]) -> None:
    pytest.importorskip("lpips")
    from dirac_enhance.metrics.backbones import read_tensors
    from dirac_enhance.metrics.perceptual import _installed_heads

    state, heads = random_backbone_state("vgg16"), read_tensors(_installed_heads("vgg16"))
    metric = LPIPS("vgg16", backbone_state=state, heads=tuple(heads[f"lin{n}.model.1.weight"] for n in range(5)))
    expected = reference_lpips("vgg16", state)(*pair).flatten()
    torch.testing.assert_close(metric(*pair), expected, rtol=1e-5, atol=1e-7)


@torch.no_grad()
def test_agrees_with_the_lpips_package_on_imagenet_backbones(backbone: Backbone, pair: tuple[Tensor, Tensor]) -> None:
    from safetensors.torch import load_file

    backbone_file = find_data(f"lpips/{IMAGENET_FILES[backbone]}")
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

    with pytest.raises(WeightsError, match=r"no weights at .*absent\.safetensors"):
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


def test_the_backbone_comes_from_the_cache_of_torch_unless_a_file_is_given(
    backbone: Backbone, pair: tuple[Tensor, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = {"alexnet": "alexnet-owt-7be5be79.pth", "squeezenet": "squeezenet1_1-b8a52dc0.pth"}[backbone]
    with pytest.raises(WeightsError, match=rf"hub/checkpoints/{file}; put https://.*{file} there, or pass"):
        load_lpips(backbone)
    cached = tmp_path / "hub" / "checkpoints" / file
    cached.parent.mkdir(parents=True)
    torch.save(random_backbone_state(backbone), cached)
    assert torch.equal(load_lpips(backbone)(*pair), load_lpips(backbone, backbone_file=cached)(*pair))


@pytest.mark.parametrize("content", [b"no weights", [torch.zeros(1)], {"features.0.weight": 1.0}])
def test_a_file_that_is_no_state_dict_is_named(content: Any, tmp_path: Path) -> None:
    file = tmp_path / "backbone.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(WeightsError, match=r"backbone\.pth"):
        load_lpips("alexnet", backbone_file=file)


@torch.no_grad()
def test_plain_jpeg_on_a_kodak_photograph_is_as_far_from_it_as_known() -> None:
    """Quality 10: one of the 24 photographs whose means are 26.67 dB and the published LPIPS of .323."""
    import numpy as np
    from PIL import Image

    metric = load_lpips("alexnet", backbone_file=find_data("lpips/alexnet_features.safetensors"))
    with Image.open(find_data("eval/kodak/01.png")) as photograph:
        coded = io.BytesIO()
        photograph.convert("RGB").save(coded, format="JPEG", quality=10)
        original, jpeg = (
            torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)[None]
            for picture in (photograph, Image.open(coded))
        )
    assert psnr(jpeg, original).item() == pytest.approx(24.774, abs=0.005)
    assert metric(jpeg * 2 - 1, original * 2 - 1).item() == pytest.approx(0.2438, abs=0.0005)
