"""The U-Net: its size, its reach and its preconditioning."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from dirac_enhance.diffusion.process import q_sample
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.errors import WeightsError
from dirac_enhance.networks.catalogue import NETWORKS, mmac_per_pixel, parameters
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet, interpolate_log, rate_features

LOCAL = UNetConfig(
    channels=(8, 12), blocks_per_level=1, middle_blocks=1, patch=2, residual_std=((5.0, 0.13), (95.0, 0.02))
)
TOLD = replace(LOCAL, rate_range=(1.0, 100.0), rate_log_spaced=True)


def randomised(config: UNetConfig) -> UNet:
    """Build a network whose zero-initialised convolutions are drawn too, so that every path counts."""
    torch.manual_seed(0)
    network = UNet(config).eval()
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return network


def planes(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(2, 1, 3, height, width, generator=generator)
    return drawn[0], drawn[1].clamp(-1, 1)


def test_the_paper_network_has_the_papers_parameters() -> None:
    assert parameters(NETWORKS["paper"]) == 108_418_435


def test_the_paper_network_costs_what_its_layers_add_up_to() -> None:
    # 3.95 TMAC at 1024 × 1024, from the layer sizes of table B.3.
    assert mmac_per_pixel(NETWORKS["paper"]) == pytest.approx(3.77, abs=0.005)


@pytest.mark.parametrize(
    "change", [{}, {"skips": "add"}, {"patch": 1}, {"channels": [8]}, {"channels": [32, 64], "attention": True}]
)
def test_the_arithmetic_told_is_that_of_a_forward_pass(change: dict[str, object]) -> None:
    config = UNetConfig.from_dict({**LOCAL.to_dict(), "channels": [8, 12, 16], **change})
    network, counted = UNet(config), []
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            module.register_forward_hook(
                lambda one, _, output: counted.append(one.weight.numel() * output.shape[2:].numel())
            )
    network(*planes(16, 24), torch.tensor([20]), torch.tensor([10.0]))
    assert mmac_per_pixel(config) == pytest.approx(sum(counted) / (16 * 24) / 1e6)


@pytest.mark.parametrize("name", [name for name, config in NETWORKS.items() if name != "paper"])
def test_small_networks_are_strictly_local_within_128_pixels(name: str) -> None:
    radius = NETWORKS[name].receptive_radius
    assert radius is not None
    assert radius <= 128


@pytest.mark.parametrize("channels", [[4], [4, 4], [4, 4, 4]])
@pytest.mark.parametrize("kind", [{"normalisation": "none"}, {"skips": "concatenate"}, {"skips": "add"}])
def test_nothing_beyond_the_receptive_radius_changes_an_output(kind: dict[str, str], channels: list[int]) -> None:
    config = UNetConfig.from_dict({**LOCAL.to_dict(), **kind, "channels": channels})
    radius = config.receptive_radius
    assert radius is not None
    network, side = randomised(config), 2 * radius + 48
    side -= side % config.stride
    noised, base = planes(8, side)
    base.requires_grad_()
    noised.requires_grad_()
    predicted = network(noised, base, torch.tensor([20]), torch.tensor([10.0]))
    reaches: list[int] = []
    for column in range(side // 2, side // 2 + config.stride):
        gradients = torch.autograd.grad(predicted[..., column].sum(), (noised, base), retain_graph=True)
        reaches.extend(int((g.abs().sum(dim=(0, 1, 2)).nonzero()[:, 0] - column).abs().max()) for g in gradients)
    assert radius - 2 * config.stride <= max(reaches) <= radius


def test_a_plane_statistic_makes_a_network_not_local() -> None:
    assert not NETWORKS["paper"].local
    assert NETWORKS["paper"].receptive_radius is None


@pytest.mark.parametrize("config", [LOCAL, replace(LOCAL, residual_std=())])
def test_an_untrained_network_predicts_no_residual_from_pure_noise(config: UNetConfig) -> None:
    noised, base = planes(16, 24)
    predicted = UNet(config)(noised, base, torch.tensor([999]), torch.tensor([50.0]))
    assert predicted.shape == noised.shape
    assert predicted.dtype == torch.float32
    assert predicted.abs().max() < 1e-3


def test_a_scaled_network_sees_the_wiener_estimate_in_unit_variance() -> None:
    network, t, s = UNet(LOCAL), 20, 0.13
    residual, noise = (torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    alpha_bar = linear_schedule().alpha_bar[t]
    noised = q_sample(s * residual, noise, alpha_bar_t=alpha_bar)
    gain_in, gain_out = network._gains(torch.tensor([t]), torch.tensor([5.0]))
    seen = gain_in * noised
    assert gain_out.item() == pytest.approx(s)
    # The best linear estimate: what it misses has nothing in common with it.
    error = residual - seen
    assert (error * seen).mean().abs() < 0.01
    assert seen.var().item() == pytest.approx(1 - error.var().item(), abs=0.03)


def test_pure_noise_fades_from_a_scaled_network() -> None:
    gain_in, _ = UNet(LOCAL)._gains(torch.tensor([990]), torch.tensor([5.0]))
    assert gain_in.item() < 0.01


def test_an_unconditional_network_takes_no_base_reconstruction() -> None:
    network = randomised(replace(LOCAL, conditioning_channels=0))
    noised, _ = planes(8, 8)
    assert network(noised, None, torch.tensor([5]), torch.tensor([float("nan")])).shape == noised.shape


def test_the_rate_factor_counts_where_the_network_is_told_it() -> None:
    network = randomised(TOLD)
    noised, base = planes(8, 8)
    told = [network(noised, base, torch.tensor([20]), torch.tensor([rate])) for rate in (5.0, 50.0, float("nan"))]
    assert not torch.equal(told[0], told[1])
    assert not torch.equal(told[1], told[2])
    assert all(predicted.isfinite().all() for predicted in told)


def test_an_unknown_rate_factor_has_no_features() -> None:
    features = rate_features(torch.tensor([float("nan"), 1.0, 100.0]), TOLD)
    assert features[0].abs().max() == 0
    assert features[1, -1] == features[2, -1] == 1
    assert not torch.equal(features[1], features[2])


def test_interpolation_meets_its_rows_and_stays_level_beyond_them() -> None:
    rows = torch.tensor([[5.0, 0.128], [20.0, 0.064], [80.0, 0.016]]).log()
    values = interpolate_log(torch.tensor([1.0, 5.0, 10.0, 80.0, 100.0, float("nan")]).log(), rows)
    expected = torch.tensor([0.128, 0.128, (0.128 * 0.064) ** 0.5, 0.016, 0.016, (0.128 * 0.064 * 0.016) ** (1 / 3)])
    torch.testing.assert_close(values, expected)


def test_a_scale_from_zero_is_interpolated_over_the_rate_factor_itself() -> None:
    network = UNet(replace(LOCAL, residual_std=((0.0, 0.01), (20.0, 0.04)), residual_std_log_spaced=False))
    rates = torch.tensor([0.0, 10.0, 20.0, 63.0, float("nan")])
    _, scale = network._gains(torch.full((5,), 20), rates)
    torch.testing.assert_close(scale.flatten(), torch.tensor([0.01, 0.02, 0.04, 0.04, 0.02]))


def test_a_rate_factor_of_zero_takes_the_first_row_of_a_log_spaced_scale() -> None:
    _, scale = UNet(LOCAL)._gains(torch.full((2,), 20), torch.tensor([0.0, 5.0]))
    assert scale[0].item() == scale[1].item() == pytest.approx(0.13)


def test_networks_described_before_scales_could_be_linear_keep_theirs() -> None:
    older = {key: value for key, value in LOCAL.to_dict().items() if key != "residual_std_log_spaced"}
    _, scale = UNet(UNetConfig.from_dict(older))._gains(torch.tensor([20]), torch.tensor([(5 * 95) ** 0.5]))
    assert scale.item() == pytest.approx((0.13 * 0.02) ** 0.5)


def test_bfloat16_changes_the_prediction_by_less_than_a_level() -> None:
    network, (noised, base) = randomised(LOCAL), planes(32, 32)
    arguments = (noised * 0.1, base, torch.tensor([20]), torch.tensor([30.0]))
    with torch.inference_mode():
        exact = network(*arguments)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(*arguments)
    assert (exact - rounded).abs().max() / exact.abs().max() < 0.1


@pytest.mark.parametrize("config", list(NETWORKS.values()))
def test_a_config_survives_json(config: UNetConfig) -> None:
    assert UNetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channels": []}, "not a network"),
        ({"patch": 0}, "not a network"),
        ({"normalisation": "batch"}, "batch"),
        ({"skips": "multiply"}, "multiply"),
        ({"windows": 8}, "unknown settings: windows"),
        ({"residual_std": [[0.0, 0.1], [9.0, 0.1]]}, "positive"),
        ({"residual_std": [[5.0, 0.0]]}, "positive"),
        ({"residual_std": [[5.0]]}, "incomplete"),
    ],
)
def test_a_config_that_is_no_network_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        UNetConfig.from_dict({**LOCAL.to_dict(), **change})


def test_a_config_without_its_widths_is_refused() -> None:
    with pytest.raises(WeightsError, match="incomplete"):
        UNetConfig.from_dict({"blocks_per_level": 1})
