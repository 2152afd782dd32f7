"""The whole network: shapes, sizes, gradients, rates, and what its initial weights already do."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from dirac_enhance import TrainingError
from dirac_enhance_swint_charm.networks.charm import ChannelwisePrior
from dirac_enhance_swint_charm.networks.config import CONFIGS, CodecConfig
from dirac_enhance_swint_charm.networks.initialisation import initialise_by_klt, quantiser_step
from dirac_enhance_swint_charm.networks.latent_scaling import LatentScaling, code_of_scale, scale_of_code
from dirac_enhance_swint_charm.networks.network import (
    LARGEST_SCALE,
    SMALLEST_SCALE,
    UNIT_RATE,
    SwintCharm,
    scale_table,
)
from dirac_enhance_swint_charm.networks.padding import pad_to_stride


def smooth_pictures(number: int, side: int = 64) -> Tensor:
    """Noise of mostly low frequencies, (N, 3, side, side) in [0, 1]."""
    generator = torch.Generator().manual_seed(1)
    octaves = [
        torch.nn.functional.interpolate(
            torch.randn(number, 3, size, size, generator=generator) * 0.02 * 64 / size, side
        )
        for size in (4, 8, 16, 32, 64)
    ]
    return (0.5 + torch.stack(octaves).sum(dim=0)).clamp(0, 1)


@pytest.fixture(scope="module")
def network() -> SwintCharm:
    torch.manual_seed(0)
    network = SwintCharm(CONFIGS["tiny"])
    initialise_by_klt(network, smooth_pictures(64))
    return network


@pytest.mark.parametrize(("name", "parameters"), [("paper", 28_328_342), ("small", 4_956_914)])
def test_parameters_are_as_many_as_the_card_says(name: str, parameters: int) -> None:
    with torch.device("meta"):
        network = SwintCharm(CONFIGS[name])

    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_the_paper_s_size_is_met_within_half_a_percent() -> None:
    with torch.device("meta"):
        network = SwintCharm(CONFIGS["paper"])

    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(28.4e6, rel=0.005)


def test_table_b2_is_the_paper_s_config() -> None:
    config = CONFIGS["paper"]

    assert (config.widths[0], config.depths, config.window, config.head_width) == (64, (2, 2, 6, 2), 8, 32)
    assert (config.hyper_depths, config.hyper_window) == ((4, 2), 4)
    assert (config.latent_channels, config.hyper_channels, len(config.slices)) == (320, 192, 10)


def test_a_config_survives_json_and_refuses_what_is_none() -> None:
    stored = json.loads(json.dumps(CONFIGS["small"].to_dict()))

    assert CodecConfig.from_dict(stored) == CONFIGS["small"]
    with pytest.raises(TrainingError, match="window missing or unknown"):
        CodecConfig.from_dict({name: value for name, value in stored.items() if name != "window"})
    with pytest.raises(TrainingError, match="widths are multiples of the head width"):
        CodecConfig.from_dict({**stored, "widths": [30, 64, 128, 192]})


@pytest.mark.parametrize(("height", "width"), [(1, 1), (64, 64), (65, 100), (130, 40)])
def test_every_size_is_padded_and_coded(network: SwintCharm, height: int, width: int) -> None:
    pixels = smooth_pictures(2, side=130)[..., :height, :width]
    padded = pad_to_stride(pixels)
    coded = network(padded, torch.tensor([0.001, 0.02]))

    assert [side % 64 for side in padded.shape[2:]] == [0, 0]
    assert torch.equal(padded[..., :height, :width], pixels)
    assert torch.equal(padded[..., -1, :width], pixels[..., -1, :])
    assert torch.equal(padded[..., :height, -1], pixels[..., :, -1])
    assert coded.pixels.shape == padded.shape
    assert coded.bits_per_pixel.shape == (2,)


def test_after_two_steps_every_parameter_has_a_gradient(network: SwintCharm) -> None:
    torch.manual_seed(0)
    copy = SwintCharm(CONFIGS["tiny"])
    copy.load_state_dict(network.state_dict())
    optimizer = torch.optim.SGD(copy.parameters(), lr=1e-3)
    pixels, rates = smooth_pictures(2, side=128), torch.tensor([0.002, 0.02])
    for _ in range(3):
        optimizer.zero_grad()
        coded = copy(pixels, rates)
        loss = 600 * (coded.pixels - pixels).square().mean() + coded.bits_per_pixel.mean()
        (loss + copy.bottleneck.loss()).backward()
        optimizer.step()

    silent = [name for name, value in copy.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
    assert not silent
    assert not [name for name, value in copy.named_parameters() if name.endswith("weight") and not value.grad.any()]  # type: ignore[union-attr]


def test_quantisation_is_mixed_in_training_and_the_same_for_both_afterwards(network: SwintCharm) -> None:
    """What is decoded is rounded, in training, too; the rate is that of latents with noise, in training only."""
    pixels, rates = smooth_pictures(2), torch.tensor([0.002, 0.02])
    with torch.no_grad():
        one, other = network.train()(pixels, rates), network(pixels, rates)
        rounded, again = network.eval()(pixels, rates), network(pixels, rates)
    network.train()

    assert torch.equal(one.pixels, other.pixels)
    assert torch.equal(one.pixels, rounded.pixels)
    for noisy in ("latent_bits", "hyper_bits"):
        assert (getattr(one, noisy) != getattr(other, noisy)).all()
        assert torch.equal(getattr(rounded, noisy), getattr(again, noisy))


def test_the_error_of_pixels_alone_reaches_the_analysis_through_the_rounding(network: SwintCharm) -> None:
    network.zero_grad(set_to_none=True)
    pixels = smooth_pictures(2)
    (network(pixels, torch.tensor([0.002, 0.02])).pixels - pixels).square().sum().backward()
    gradient = network.analysis.project.weight.grad
    network.zero_grad(set_to_none=True)

    assert gradient is not None
    assert gradient.norm() > 0


def test_untrained_it_is_already_a_good_linear_codec_whose_latents_fall_in_variance(network: SwintCharm) -> None:
    pixels = smooth_pictures(8)
    latents = network.analyse(pixels)
    deviations = latents.square().mean(dim=(0, 2, 3)).sqrt()

    assert (deviations[1:] <= 1.3 * deviations[:-1]).all()
    whole = network.synthesise(latents)
    assert (whole - pixels).square().mean() < 0.3 * (pixels - pixels.mean(dim=(2, 3), keepdim=True)).square().mean()


def test_quantising_costs_what_the_step_says(network: SwintCharm) -> None:
    latents = network.analyse(smooth_pictures(8))
    noise = torch.rand(latents.shape, generator=torch.Generator().manual_seed(2)) - 0.5
    error = (network.synthesise(latents + noise) - network.synthesise(latents)).square().sum()

    orthogonal = noise.square().sum().item() * quantiser_step(UNIT_RATE) ** 2

    assert 0.5 * orthogonal < error.item() < 1.02 * orthogonal  # the decoder trusts weak latents less


@torch.no_grad()
def test_a_larger_rate_factor_is_the_higher_rate_and_the_better_picture(network: SwintCharm) -> None:
    pixels = smooth_pictures(4)
    network.eval()
    coded = [network(pixels, torch.full((4,), rate)) for rate in (0.001, 0.007, 0.05)]
    network.train()
    bits = [each.bits_per_pixel.mean().item() for each in coded]
    errors = [(each.pixels - pixels).square().mean().item() for each in coded]

    assert bits == sorted(bits)
    assert errors == sorted(errors, reverse=True)


def test_latents_are_decoded_at_the_scale_they_were_coded_at(network: SwintCharm) -> None:
    rate = torch.tensor([0.05])
    scale = network.scaling(rate).item()
    pixels = smooth_pictures(1)
    with torch.no_grad():
        latents = network.analyse(pixels) * scale
        decoded, _, _ = network._code(latents)
        expected = network.synthesise(decoded / scale)
        torch.testing.assert_close(network(pixels, rate).pixels, expected, atol=1e-5, rtol=1e-5)


def test_the_scale_is_one_at_the_unit_rate_and_goes_with_the_root() -> None:
    scaling = LatentScaling(unit_rate=UNIT_RATE)
    rates = torch.tensor([UNIT_RATE, 4 * UNIT_RATE, UNIT_RATE / 4])
    scales = scaling(rates)
    (scales.sum()).backward()

    torch.testing.assert_close(scales.detach(), torch.tensor([1.0, 2.0, 0.5]), atol=1 / 4096, rtol=0)
    assert scaling.b.grad is not None
    assert scaling.b.grad.item() == pytest.approx(3.5, rel=1e-3)
    assert scaling.a.grad is not None
    assert scaling.a.grad.item() == pytest.approx((rates.sqrt() / UNIT_RATE**0.5 * rates.log()).sum().item(), rel=1e-3)


def test_scales_are_sixteen_bits_on_both_sides() -> None:
    codes = torch.arange(1.0, 65536)

    assert torch.equal(code_of_scale(scale_of_code(codes)), codes)
    assert code_of_scale(torch.tensor([1e-9, 100.0])).tolist() == [1, 65535]
    exact = LatentScaling(unit_rate=0.0031)(torch.tensor([0.0123, 0.0005])).detach()
    assert torch.equal(scale_of_code(code_of_scale(exact)), exact)


def test_a_slice_knows_those_before_it_only() -> None:
    torch.manual_seed(0)
    prior = ChannelwisePrior(4, slices=(2, 3, 1), widths=(6,), kernels=(3, 3))
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    slices = [torch.randn(1, channels, 4, 4, requires_grad=True) for channels in (2, 3, 1)]
    means: list[Tensor] = []

    def quantise(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
        means.append(mean + log_scale)
        return slices[index]

    decoded = prior(torch.randn(1, 8, 4, 4), quantise)

    def sees(index: int) -> list[bool]:
        gradients: tuple[Tensor | None, ...] = torch.autograd.grad(
            means[index].sum(), slices, allow_unused=True, retain_graph=True
        )
        return [gradient is not None and bool(gradient.any()) for gradient in gradients]

    assert [sees(index) for index in range(3)] == [[False] * 3, [True, False, False], [True, True, False]]
    assert (decoded - torch.cat(slices, dim=1)).abs().max() <= 0.5


def test_scales_of_the_tables_are_evenly_spaced_in_the_logarithm() -> None:
    table = scale_table()

    assert table[0] == SMALLEST_SCALE
    assert table[-1] == pytest.approx(LARGEST_SCALE)
    ratios = [math.log(after / before) for before, after in pairwise(table)]
    assert max(ratios) - min(ratios) < 1e-12
