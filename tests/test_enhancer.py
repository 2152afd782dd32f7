from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import random_weights
from dirac_enhance.codec import BaseReconstruction
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.enhancer import Enhancer, load_enhancer
from dirac_enhance.errors import (
    DeviceError,
    InvalidImageError,
    SamplingError,
    WeightsError,
    WeightsMismatchWarning,
)
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet
from dirac_enhance.sampling import SamplingSettings
from dirac_enhance.weights import WeightsFile, save_weights

CONFIG = UNetConfig(channels=(8, 12), blocks_per_level=1, middle_blocks=1, residual_std=((1.0, 0.07),))
METADATA = replace(random_weights.METADATA, network=CONFIG.to_dict(), evaluations=3)


def write_weights(path: Path, config: UNetConfig = CONFIG, **changes: Any) -> WeightsFile:
    """Weights of a random network that changes pictures visibly."""
    torch.manual_seed(5)
    network = UNet(config)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return save_weights(path, network.state_dict(), replace(METADATA, network=config.to_dict(), **changes))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsFile:
    return write_weights(tmp_path_factory.mktemp("weights") / "jpeg.safetensors")


@pytest.fixture(scope="module")
def enhancer(weights: WeightsFile) -> Enhancer:
    return load_enhancer("jpeg", weights=weights, device="cpu", precision="float32")


def decoded(height: int = 40, width: int = 56, *, rate_factor: float | None = None) -> BaseReconstruction:
    pixels = torch.rand(3, height, width, generator=torch.Generator().manual_seed(6))
    return BaseReconstruction(pixels, 1000, rate_factor=rate_factor)


@dataclass
class SpyPredictor:
    """A predictor of one function, that keeps what it was given."""

    compute: Callable[[Tensor], Tensor] = torch.zeros_like
    bases: list[Tensor] = field(default_factory=list)
    conditions: list[tuple[int, RateFactor]] = field(default_factory=list)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        self.bases.append(base_reconstruction.clone())
        self.conditions.append((timestep, rate_factor))
        return self.compute(noised_residual)


def enhancer_of(predictor: SpyPredictor, *, stride: int = 8, **changes: Any) -> Enhancer:
    metadata = replace(METADATA, **changes)
    return Enhancer(predictor, linear_schedule(), metadata, "0" * 64, stride, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (3, 5), (40, 56), (41, 57)])
def test_any_size_comes_back_at_its_size_and_within_range(enhancer: Enhancer, height: int, width: int) -> None:
    base = decoded(height, width)
    enhanced = enhancer.enhance(base)
    assert enhanced.shape == base.pixels.shape
    assert enhanced.dtype == torch.float32
    assert 0 <= float(enhanced.min()) <= float(enhanced.max()) <= 1


def test_colours_under_transparent_pixels_do_no_harm_and_come_back(enhancer: Enhancer) -> None:
    base = decoded(24, 32)
    alpha = torch.ones(24, 32)
    alpha[:, :12] = 0
    black, noise = (
        replace(base, pixels=torch.where(alpha > 0, base.pixels, hidden), alpha=alpha)
        for hidden in (torch.tensor(0.0), base.pixels.flip(0))
    )

    over_black, over_noise = enhancer.enhance(black), enhancer.enhance(noise)

    assert torch.equal(over_black[:, :, 12:], over_noise[:, :, 12:])
    assert not torch.equal(over_black[:, :, 12:], base.pixels[:, :, 12:])
    assert torch.equal(over_noise[:, :, :12], noise.pixels[:, :, :12])


def test_no_residual_in_is_the_base_reconstruction_out() -> None:
    base = decoded(5, 9)
    assert torch.equal(enhancer_of(SpyPredictor()).enhance(base), base.pixels)


def test_the_true_residual_in_is_the_original_out() -> None:
    base, original = decoded(16, 24), torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(7))
    truth = 2 * (original - base.pixels)  # in the units of [−1, 1] pixels
    near = truth.abs() <= 1
    enhanced = enhancer_of(SpyPredictor(lambda _: truth[None].clone())).enhance(base)
    torch.testing.assert_close(enhanced[near], original[near])


def test_the_predictor_sees_the_picture_in_its_units_repeated_to_the_stride() -> None:
    predictor, base = SpyPredictor(), decoded(9, 14, rate_factor=12.5)
    enhancer_of(predictor).enhance(base)
    seen = predictor.bases[0]
    assert seen.shape == (1, 3, 16, 16)
    torch.testing.assert_close(seen[0, :, :9, :14], 2 * base.pixels - 1)
    assert torch.equal(seen[0, :, 9:, :14], seen[0, :, 8:9, :14].expand(-1, 7, -1))
    assert torch.equal(seen[0, :, :, 14:], seen[0, :, :, 13:14].expand(-1, -1, 2))
    assert predictor.conditions == [(190, 12.5), (37, 12.5), (4, 12.5)]


def test_the_same_seed_gives_the_same_bytes_also_after_loading_again(enhancer: Enhancer, weights: WeightsFile) -> None:
    again = load_enhancer("jpeg", weights=weights.path, device="cpu", precision="float32")
    first, second = (each.enhance(decoded(), seed=3, eta=0.5) for each in (enhancer, again))
    assert torch.equal(first, second)
    assert again.weights_sha256 == enhancer.weights_sha256 == weights.sha256


def test_another_seed_gives_another_picture(enhancer: Enhancer) -> None:
    assert not torch.equal(enhancer.enhance(decoded(), seed=0), enhancer.enhance(decoded(), seed=1))


def test_all_steps_within_the_late_start_give_the_same_picture(enhancer: Enhancer) -> None:
    assert torch.equal(enhancer.enhance(decoded(), steps=1), enhancer.enhance(decoded(), steps=80))
    assert not torch.equal(enhancer.enhance(decoded(), steps=80), enhancer.enhance(decoded(), steps=81))


def test_neither_the_picture_nor_the_global_generator_is_touched(enhancer: Enhancer) -> None:
    base, state = decoded(), torch.get_rng_state()
    before = base.pixels.clone()
    enhancer.enhance(base, eta=1.0)
    assert torch.equal(base.pixels, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("tile", [16, 30, 64])
def test_tiles_of_any_size_differ_by_less_than_one_level(enhancer: Enhancer, weights: WeightsFile, tile: int) -> None:
    tiled = load_enhancer("jpeg", weights=weights, device="cpu", precision="float32", tile=tile)
    assert_within(tiled.enhance(decoded(72, 90)), enhancer.enhance(decoded(72, 90)), levels=1)


def test_bfloat16_differs_by_less_than_three_levels(enhancer: Enhancer, weights: WeightsFile) -> None:
    reduced = load_enhancer("jpeg", weights=weights, device="cpu", precision="bfloat16")
    assert reduced.precision == torch.bfloat16
    assert_within(reduced.enhance(decoded()), enhancer.enhance(decoded()), levels=3)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(("precision", "levels"), [("float32", 1), ("bfloat16", 3)])
def test_the_gpu_differs_from_the_cpu_by_a_level_or_three(
    enhancer: Enhancer, weights: WeightsFile, precision: Any, levels: int
) -> None:
    on_gpu = load_enhancer("jpeg", weights=weights, device="cuda", precision=precision, tile=32)
    enhanced = on_gpu.enhance(decoded())
    assert enhanced.device.type == "cpu"
    assert_within(enhanced, enhancer.enhance(decoded()), levels=levels)
    assert torch.equal(on_gpu.enhance(decoded()), enhanced)


def assert_within(one: Tensor, other: Tensor, *, levels: int) -> None:
    assert float((one - other).abs().max()) <= levels / 255


def test_the_trajectory_ends_where_enhance_does(enhancer: Enhancer) -> None:
    points = list(enhancer.trajectory(decoded(), seed=2, spacing="paper", eta=0.3))
    assert [(point.position, point.timestep) for point in points] == [(81 + k, 190 - 10 * k) for k in range(20)]
    assert torch.equal(points[-1].pixels, enhancer.enhance(decoded(), seed=2, spacing="paper", eta=0.3))
    assert torch.equal(points[4].pixels, enhancer.enhance(decoded(), seed=2, spacing="paper", eta=0.3, steps=85))
    assert all(point.pixels.shape == (3, 40, 56) for point in points)


def test_samples_are_averaged_and_each_is_a_trajectory_of_its_own(enhancer: Enhancer) -> None:
    single = [list(enhancer.trajectory(decoded(), sample=sample))[-1].pixels for sample in range(3)]
    assert not torch.equal(single[0], single[1])
    torch.testing.assert_close(enhancer.enhance(decoded(), samples=3), torch.stack(single).mean(dim=0))
    assert torch.equal(enhancer.enhance(decoded(), samples=1), single[0])


def test_progress_counts_every_evaluation_of_every_sample() -> None:
    calls: list[tuple[int, int]] = []
    enhancer_of(SpyPredictor()).enhance(decoded(), samples=2, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 6) for done in range(1, 7)]


BATCH = [
    replace(decoded(height, width), pixels=decoded(height, width).pixels * brightness, rate_factor=rate_factor)
    for height, width, brightness, rate_factor in ((40, 56, 1.0, 12.0), (39, 55, 0.5, None), (40, 55, 0.8, 70.0))
]


@pytest.mark.parametrize("settings", [{}, {"steps": 1}, {"seed": 4, "samples": 2, "eta": 0.5, "evaluations": 2}])
def test_a_batch_gives_each_picture_what_it_gets_alone(tmp_path: Path, settings: dict[str, Any]) -> None:
    told = replace(CONFIG, rate_range=(1, 100), residual_std=((5.0, 0.12), (90.0, 0.04)))
    weights = write_weights(tmp_path / "jpeg.safetensors", told, thresholds=((10.0, 0.4), (70.0, 0.02)))
    enhancer = load_enhancer("jpeg", weights=weights, device="cpu", precision="float32")
    together = enhancer.enhance_batch(BATCH, SamplingSettings(**settings))
    for base, pixels in zip(BATCH, together, strict=True):
        assert pixels.shape == base.pixels.shape
        assert_within(pixels, enhancer.enhance(base, **settings), levels=1)
    swapped = [replace(base, rate_factor=rate) for base, rate in zip(BATCH, (70.0, 12.0, None), strict=True)]
    for pixels, other in zip(together, enhancer.enhance_batch(swapped, SamplingSettings(**settings)), strict=True):
        assert float((pixels - other).abs().max()) > 2 / 255  # each is told its own rate factor


def test_a_batch_is_one_evaluation_at_a_time_for_all_its_pictures() -> None:
    predictor, calls = SpyPredictor(), list[tuple[int, int]]()
    enhancer_of(predictor).enhance_batch(BATCH, progress=lambda done, total: calls.append((done, total)))
    assert [base.shape for base in predictor.bases] == 3 * [(3, 3, 40, 56)]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    rate_factor = predictor.conditions[0][1]
    assert isinstance(rate_factor, Tensor)
    torch.testing.assert_close(rate_factor, torch.tensor([12.0, float("nan"), 70.0]), equal_nan=True)


def test_a_batch_of_different_padded_sizes_is_refused() -> None:
    enhancer = enhancer_of(SpyPredictor())
    assert enhancer.padded_size(decoded(41, 56)) == (48, 56)
    with pytest.raises(InvalidImageError, match="padded to 40×56, 48×56 pixels given; expected one size"):
        enhancer.enhance_batch([decoded(40, 56), decoded(41, 56)])
    with pytest.raises(InvalidImageError, match="padded to none"):
        enhancer.enhance_batch([])


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 3),
        ({"steps": 1}, 1),
        ({"steps": 85}, 1),
        ({"steps": 90}, 2),
        ({"spacing": "paper"}, 20),
        ({"spacing": "paper", "late_start": 0}, 100),
        ({"spacing": "log-snr"}, 3),
        ({"evaluations": 6}, 6),
        ({"late_start": 98}, 2),
    ],
)
def test_settings_left_out_are_the_weights_own(settings: dict[str, Any], count: int) -> None:
    predictor = SpyPredictor()
    enhancer = enhancer_of(predictor)
    assert enhancer.evaluations(**settings) == count
    enhancer.enhance(decoded(8, 8), **settings)
    assert len(predictor.conditions) == count


@pytest.mark.parametrize(
    ("settings", "timesteps"),
    [
        ({}, [190, 51, 10]),
        ({"evaluations": 2}, [190, 10]),
        ({"end_timestep": 0}, [190, 21, 0]),
        ({"steps": 1}, [990]),
        ({"spacing": "paper", "steps": 82}, [190, 180]),
    ],
)
def test_the_end_of_the_trajectory_is_the_weights_own_unless_given(
    settings: dict[str, Any], timesteps: list[int]
) -> None:
    predictor = SpyPredictor()
    enhancer_of(predictor, end_timestep=10).enhance(decoded(8, 8), **settings)
    assert [timestep for timestep, _ in predictor.conditions] == timesteps


def test_an_end_asked_of_weights_with_the_paper_s_spacing_means_log_snr() -> None:
    predictor = SpyPredictor()
    paper = enhancer_of(predictor, spacing="paper", evaluations=None)
    paper.enhance(decoded(8, 8), end_timestep=10)
    assert (predictor.conditions[0][0], predictor.conditions[-1][0], len(predictor.conditions)) == (190, 10, 4)


def test_evaluations_asked_of_weights_with_the_paper_s_spacing_mean_log_snr() -> None:
    enhancer = enhancer_of(SpyPredictor(), spacing="paper", evaluations=None)
    assert enhancer.evaluations() == 20
    assert enhancer.evaluations(evaluations=5) == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps 0 given"),
        ({"late_start": 100}, "late start 100"),
        ({"samples": 0}, "0 samples given; expected at least 1"),
        ({"seed": -1}, "seed -1 given"),
        ({"eta": 2.0}, "eta 2 given"),
        ({"evaluations": 0}, "0 evaluations"),
        ({"spacing": "paper", "evaluations": 4}, "use --spacing log-snr"),
        ({"end_timestep": 1000}, "end timestep 1000 given"),
        ({"spacing": "paper", "end_timestep": 4}, "use --spacing log-snr"),
    ],
)
def test_settings_out_of_range_are_refused_before_the_network_runs(settings: dict[str, Any], message: str) -> None:
    predictor = SpyPredictor()
    with pytest.raises(SamplingError, match=message):
        enhancer_of(predictor).enhance(decoded(), **settings)
    if "samples" not in settings:
        with pytest.raises(SamplingError, match=message):
            enhancer_of(predictor).trajectory(decoded(), **settings)
    assert predictor.conditions == []


def test_timesteps_the_weights_were_not_trained_for_are_refused() -> None:
    enhancer = enhancer_of(SpyPredictor(), trained_timesteps=(0, 250))
    assert enhancer.evaluations() == 3
    with pytest.raises(SamplingError, match=r"timestep 990, but the weights were trained for 0 to 250"):
        enhancer.evaluations(steps=1)


def test_thresholds_of_the_weights_bound_the_change_at_the_picture_s_own_rate() -> None:
    rows = ((5.0, 0.5), (20.0, 0.125))
    strong = SpyPredictor(torch.ones_like)
    base = replace(decoded(rate_factor=18.0), pixels=torch.full((3, 8, 8), 0.25))
    assert torch.equal(enhancer_of(strong, thresholds=rows).enhance(base), base.pixels + 0.0625)
    assert torch.equal(enhancer_of(strong).enhance(base), base.pixels + 0.5)
    limited = enhancer_of(strong, thresholds=rows)
    assert torch.equal(limited.enhance(base, thresholding=False), base.pixels + 0.5)
    assert [float(point.pixels.max()) for point in limited.trajectory(base)] == [0.3125] * 3
    assert [float(point.pixels.max()) for point in limited.trajectory(base, thresholding=False)] == [0.75] * 3
    unknown = replace(base, rate_factor=None)
    assert torch.equal(enhancer_of(strong, thresholds=rows).enhance(unknown), base.pixels + 0.5)


def test_weights_of_another_codec_are_a_warning(weights: WeightsFile) -> None:
    with pytest.warns(WeightsMismatchWarning, match="were trained for codec 'jpeg', not 'vtm'"):
        load_enhancer("vtm", weights=weights, device="cpu")


def test_weights_of_another_architecture_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    tensors = UNet(replace(CONFIG, channels=(8, 16))).state_dict()
    save_weights(path, tensors, METADATA)
    with pytest.raises(WeightsError, match=f"{re.escape(str(path))}' cannot be used: its tensors do not fit"):
        load_enhancer("jpeg", weights=path, device="cpu")


def test_an_unconditional_network_is_no_enhancer(tmp_path: Path) -> None:
    file = write_weights(tmp_path / "unconditional.safetensors", replace(CONFIG, conditioning_channels=0))
    with pytest.raises(WeightsError, match="does not see the base reconstruction"):
        load_enhancer("jpeg", weights=file, device="cpu")


def test_a_codec_without_weights_is_an_error_with_the_next_command() -> None:
    with pytest.raises(WeightsError, match="`dirac-enhance train --codec nosuchcodec` or pass --weights FILE"):
        load_enhancer("nosuchcodec", device="cpu")


def test_a_missing_gpu_is_an_error_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="use --device cpu"):
        load_enhancer("jpeg", weights=tmp_path / "missing", device="cuda")
