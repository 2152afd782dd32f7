from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dirac_enhance.errors import DeviceError
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet
from dirac_enhance.tiling import TiledPredictor

LOCAL = UNetConfig(channels=(8, 12), blocks_per_level=1, middle_blocks=1, residual_std=((1.0, 0.07),))
PLANE_WIDE = UNetConfig(channels=(32, 32), blocks_per_level=1, normalisation="group", attention=True, scale_shift=False)


@dataclass(frozen=True)
class Geometry:
    """Just what tiling asks a network's config for."""

    stride: int = 4
    receptive_radius: int | None = 3


@dataclass
class FakeNetwork:
    """A network of one function of r_t, that remembers the size of what it was given."""

    compute: Callable[[Tensor], Tensor] = lambda r_t: r_t.clone()
    config: Geometry = Geometry()
    sizes: list[tuple[int, int]] = field(default_factory=list)
    conditions: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __call__(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: Tensor, rate_factor: Tensor
    ) -> Tensor:
        height, width = noised_residual.shape[-2:]
        assert base_reconstruction.shape == noised_residual.shape
        assert height % self.config.stride == width % self.config.stride == 0
        self.sizes.append((height, width))
        self.conditions.append((timestep, rate_factor))
        return self.compute(noised_residual)


def box_blur(r_t: Tensor) -> Tensor:
    """Average 7×7 neighbours: radius 3, zeros outside, as a convolution's padding."""
    return F.avg_pool2d(r_t, 7, stride=1, padding=3)


def random_network(config: UNetConfig) -> UNet:
    torch.manual_seed(1)
    network = UNet(config).eval().requires_grad_(requires_grad=False)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def planes(height: int, width: int, *, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    r_t, base = torch.rand(2, batch, 3, height, width, generator=generator) * 2 - 1
    return r_t, base


@pytest.mark.parametrize("tile", [10, 12, 1000])
def test_tiles_of_a_local_network_give_the_untiled_result(tile: int) -> None:
    r_t, base = planes(24, 36, batch=2)
    predicted = TiledPredictor(FakeNetwork(box_blur), tile=tile).predict(r_t, base, 5, None)
    torch.testing.assert_close(predicted, box_blur(r_t))


@pytest.mark.parametrize("tile", [24, 40, 50])
def test_tiles_of_a_unet_give_the_untiled_result(tile: int) -> None:
    network = random_network(LOCAL)
    r_t, base = planes(72, 88)
    untiled = TiledPredictor(network, tile=1000).predict(r_t, base, 40, 10.0)
    tiled = TiledPredictor(network, tile=tile).predict(r_t, base, 40, 10.0)
    assert float(untiled.std()) > 0.01
    torch.testing.assert_close(tiled, untiled, rtol=1e-4, atol=1e-5)


def test_a_halo_too_narrow_would_show() -> None:
    narrow = FakeNetwork(box_blur, replace(Geometry(), receptive_radius=0))
    r_t, base = planes(36, 52)
    predicted = TiledPredictor(narrow, tile=12).predict(r_t, base, 5, None)
    assert float((predicted - box_blur(r_t)).abs().max()) > 0.1


def test_small_pictures_are_one_tile_and_large_ones_are_cut_where_no_tile_is_asked_for() -> None:
    small, large = FakeNetwork(), FakeNetwork()
    TiledPredictor(small).predict(*planes(1000, 1500), 5, None)
    TiledPredictor(large).predict(*planes(4, 375_004), 5, None)
    assert small.sizes == [(1000, 1500)]
    assert len(large.sizes) > 1


def test_networks_that_are_not_local_are_cut_sooner() -> None:
    network = FakeNetwork(config=Geometry(stride=4, receptive_radius=None))
    TiledPredictor(network).predict(*planes(768, 768), 5, None)
    TiledPredictor(network).predict(*planes(4, 147_460), 5, None)
    assert network.sizes[0] == (768, 768)
    assert max(width for _, width in network.sizes[1:]) <= 768 + 2 * 64


def test_what_the_network_is_told_is_one_number_a_picture_and_nan_for_an_unknown_rate() -> None:
    network = FakeNetwork()
    predictor = TiledPredictor(network)
    predictor.predict(*planes(8, 8, batch=2), 190, 12.5)
    predictor.predict(*planes(8, 8, batch=2), 0, None)
    (t, rate), (_, unknown) = network.conditions
    assert torch.equal(t, torch.tensor([190, 190]))
    assert torch.equal(rate, torch.tensor([12.5, 12.5]))
    assert bool(unknown.isnan().all())
    assert (t.dtype, unknown.dtype) == (torch.int64, torch.float32)
    predictor.predict(*planes(8, 8, batch=2), 0, torch.tensor([12.5, 70.0]))
    assert torch.equal(network.conditions[-1][1], torch.tensor([12.5, 70.0]))


def test_the_result_is_a_plain_tensor_that_may_be_overwritten() -> None:
    r_t, base = planes(8, 8)
    before = r_t.clone()
    predicted = TiledPredictor(FakeNetwork(lambda plane: plane)).predict(r_t, base, 5, None)
    predicted.add_(1)
    assert torch.equal(r_t, before)


@pytest.mark.parametrize("tile", [20, 64, 100])
def test_blending_leaves_what_tiles_agree_on_unchanged(tile: int) -> None:
    network = FakeNetwork(config=Geometry(stride=4, receptive_radius=None))
    r_t, base = planes(152, 132)
    predicted = TiledPredictor(network, tile=tile).predict(r_t, base, 5, None)
    assert len(network.sizes) > 1
    torch.testing.assert_close(predicted, r_t)


def test_blending_turns_a_seam_into_a_ramp() -> None:
    tiles_seen = iter(range(100))
    network = FakeNetwork(
        lambda r_t: torch.full_like(r_t, next(tiles_seen)), config=Geometry(stride=4, receptive_radius=None)
    )
    predicted = TiledPredictor(network, tile=200).predict(*planes(4, 400), 5, None)[0, 0, 0]
    assert (float(predicted[0]), float(predicted[-1])) == (0, 1)
    assert float(predicted.diff().max()) == pytest.approx(1 / 128, rel=1e-3)
    assert bool((predicted.diff() >= 0).all())


def test_a_single_tile_of_a_plane_wide_network_is_exactly_untiled() -> None:
    network = random_network(PLANE_WIDE)
    r_t, base = planes(32, 48)
    expected = network(r_t, base, torch.tensor([40]), torch.tensor([float("nan")]))
    assert torch.equal(TiledPredictor(network, tile=48).predict(r_t, base, 40, None), expected)


def out_of_memory_above(pixels: int) -> Callable[[Tensor], Tensor]:
    def compute(r_t: Tensor) -> Tensor:
        if r_t.shape[-2] * r_t.shape[-1] > pixels:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return box_blur(r_t)

    return compute


def test_running_out_of_memory_halves_the_tile_and_goes_on() -> None:
    network = FakeNetwork(out_of_memory_above(1500))
    predictor = TiledPredictor(network)
    r_t, base = planes(64, 80)
    torch.testing.assert_close(predictor.predict(r_t, base, 5, None), box_blur(r_t))
    assert [height * width > 1500 for height, width in network.sizes].count(True) == 2  # whole, then 40, then 20
    network.sizes.clear()
    predictor.predict(r_t, base, 5, None)
    assert all(height * width <= 1500 for height, width in network.sizes)


def test_too_little_memory_for_the_smallest_tile_is_an_error_with_a_way_out() -> None:
    predictor = TiledPredictor(FakeNetwork(out_of_memory_above(0)))
    with pytest.raises(
        DeviceError, match="too little free memory even for tiles of 4 pixels; use --device cpu"
    ) as caught:
        predictor.predict(*planes(64, 80), 5, None)
    assert isinstance(caught.value.__cause__, torch.cuda.OutOfMemoryError)


def test_other_errors_of_the_network_are_not_swallowed() -> None:
    def fail(_: Tensor) -> Tensor:
        raise RuntimeError("some kernel is missing")

    with pytest.raises(RuntimeError, match="some kernel"):
        TiledPredictor(FakeNetwork(fail)).predict(*planes(8, 8), 5, None)


def test_a_tile_without_pixels_is_refused() -> None:
    with pytest.raises(DeviceError, match="tile 0 given; expected at least 1 pixel"):
        TiledPredictor(FakeNetwork(), tile=0)


def test_reduced_precision_stays_inside_the_network() -> None:
    seen: list[torch.dtype] = []

    def multiply(r_t: Tensor) -> Tensor:
        product = r_t @ torch.eye(r_t.shape[-1])
        seen.append(product.dtype)
        return product.float()

    r_t, base = planes(8, 8)
    reduced = TiledPredictor(FakeNetwork(multiply), precision=torch.bfloat16).predict(r_t, base, 5, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        full = TiledPredictor(FakeNetwork(multiply)).predict(r_t, base, 5, None)
    assert seen == [torch.bfloat16, torch.float32]
    assert reduced.dtype == torch.float32
    assert torch.equal(full, r_t)


def test_global_settings_are_left_as_they_were() -> None:
    cudnn = torch.backends.cudnn
    before = (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
    TiledPredictor(FakeNetwork()).predict(*planes(8, 8), 5, None)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before
    assert not torch.is_inference_mode_enabled()


def test_no_more_than_a_tile_with_its_halo_is_ever_moved_to_the_device() -> None:
    moved: list[int] = []

    class Moves(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            if func is Tensor.to and args[1:2] == (torch.device("cpu"),):
                moved.append(args[0].shape[-2:].numel())
            return func(*args, **(kwargs or {}))

    plane = torch.rand(1, 3, 96, 128)
    with Moves():
        TiledPredictor(FakeNetwork(box_blur), tile=16).predict(plane, plane, 7, None)
    assert len(moved) >= 2 * 6 * 8  # r_t and x̃ of every tile
    assert max(moved) <= (16 + 2 * 4) ** 2
