"""Initial weights by the Karhunen–Loève transform: before its blocks learn, the codec is a good linear one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dirac_enhance_swint_charm.networks.charm import SlicePrior
from dirac_enhance_swint_charm.networks.network import UNIT_RATE, SwintCharm
from dirac_enhance_swint_charm.networks.swin import PatchMerge, PatchSplit, space_to_depth

SMALLEST_DEVIATION = 4 / 255
"""Channels of less than this are whitened no further, so that the noise in them is not blown up."""
HYPER_GAIN = 4.0
"""Of the hyper-encoder's last map, so that its output does not round to zero everywhere."""


@torch.no_grad()
def initialise_by_klt(network: SwintCharm, pixels: Tensor) -> None:
    """Set the linear maps between stages to the Karhunen–Loève transform of pictures, stage by stage.

    Swin blocks begin as the identity, so analysis and synthesis as a whole begin as one orthogonal transform of 16×16
    pixels, truncated to the latents, and latents begin sorted by their variance. Between stages the coefficients are
    whitened, for the blocks' sake. The latents' unit is the quantiser's step that suits λ = `UNIT_RATE`, and the prior
    begins with their standard deviations.

    Args:
        network: fresh from its constructor; changed in place.
        pixels: (N, 3, H, W) float32 in [0, 1]; sides are multiples of 16.
    """
    coefficients = (pixels - 0.5).permute(0, 2, 3, 1).contiguous()
    deviations = torch.ones(coefficients.shape[-1])
    merges, splits = list(network.analysis.merges), list(network.synthesis.splits)[::-1]
    for merge, split in zip(merges, splits, strict=True):
        assert isinstance(merge, PatchMerge)
        assert isinstance(split, PatchSplit)
        coefficients, deviations = _fit_stage(merge.linear, split.linear, coefficients, deviations)
    step = quantiser_step(UNIT_RATE)
    _set_diagonal(network.analysis.project, deviations / step)
    _set_diagonal(network.synthesis.project, step / deviations)
    _fit_prior(network, deviations / step)


def quantiser_step(rate_factor: float) -> float:
    """Return the step, in pixels' unit, at which λ·255²·MSE + bits/pixel is least for an orthogonal transform.

    At a high rate MSE = Δ²/12 and each of the 3 coefficients a pixel costs −log₂ Δ + constant bits.
    """
    return math.sqrt(18 / (math.log(2) * rate_factor)) / 255


def _fit_stage(down: nn.Linear, up: nn.Linear, whitened: Tensor, deviations: Tensor) -> tuple[Tensor, Tensor]:
    """Set one merging and the splitting that undoes it.

    Args:
        down: from four tokens to one.
        up: from one token to four.
        whitened: (N, H, W, k), what comes in, divided by `deviations`; the stage's other channels are zero.
        deviations: (k,).

    Returns:
        The same after the stage: (N, H/2, W/2, k') and (k',), in falling order.
    """
    known = len(deviations)
    used = torch.cat([torch.arange(known) + place * (down.in_features // 4) for place in range(4)])
    scales = deviations.repeat(4)
    patches = (space_to_depth(whitened) * scales).flatten(0, 2)
    power, vectors = torch.linalg.eigh(patches.T.double() @ patches.double() / len(patches))
    kept = min(4 * known, down.out_features)
    power, vectors = power.flip(0)[:kept].float(), vectors.flip(1)[:, :kept].float()
    after = power.clamp_min(0).sqrt().clamp_min(SMALLEST_DEVIATION)
    for linear in (down, up):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    down.weight[:kept, used] = vectors.T / after[:, None] * scales
    up.weight[used, :kept] = vectors * after / scales[:, None]
    height, width = whitened.shape[1] // 2, whitened.shape[2] // 2
    return (patches @ vectors / after).view(-1, height, width, kept), after


def _set_diagonal(linear: nn.Linear, gains: Tensor) -> None:
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    kept = min(linear.in_features, linear.out_features, len(gains))
    linear.weight[range(kept), range(kept)] = gains[:kept]


def _fit_prior(network: SwintCharm, deviations: Tensor) -> None:
    """Tell the prior how large the latents are, and give the hyper-encoder them at like size."""
    latents = network.config.latent_channels
    deviations = torch.nn.functional.pad(deviations[:latents], (0, max(latents - len(deviations), 0)), value=0.2)
    for prior, log_scale in zip(
        network.prior.slices, torch.split(deviations.log(), list(network.config.slices)), strict=True
    ):
        assert isinstance(prior, SlicePrior)
        last = prior.log_scale.convolutions[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        last.bias.copy_(log_scale)
    merge = network.hyper_analysis.merges[0]
    assert isinstance(merge, PatchMerge)
    merge.linear.weight.div_(deviations.clamp_min(1).repeat(4))
    network.hyper_analysis.project.weight.mul_(HYPER_GAIN)
