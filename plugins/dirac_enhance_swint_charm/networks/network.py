"""SwintCharm: the whole network, pixels to pixels, with the bits that the latents cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dirac_enhance_swint_charm.networks.charm import ChannelwisePrior
from dirac_enhance_swint_charm.networks.config import CodecConfig
from dirac_enhance_swint_charm.networks.entropy_models import load_entropy_models
from dirac_enhance_swint_charm.networks.latent_scaling import LatentScaling
from dirac_enhance_swint_charm.networks.transforms import AnalysisTransform, StageShape, SynthesisTransform

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck, GaussianConditional

UNIT_RATE = 0.0067
"""λ at which the latents' scale starts at 1; the middle of the range."""
SMALLEST_SCALE = 0.11
LARGEST_SCALE = 256.0
SCALES = 64
"""Standard deviations of the Gaussians with an integer table, log-spaced; the nearest in the logarithm is used."""
SCALE_STEP = math.log(LARGEST_SCALE / SMALLEST_SCALE) / (SCALES - 1)


@dataclass(frozen=True, slots=True, eq=False)
class CodedPictures:
    """What coding a batch comes to.

    Args:
        pixels: (N, 3, H, W) float32, not clamped.
        latent_bits: (N,) float32, estimated by the prior.
        hyper_bits: (N,) float32.
    """

    pixels: Tensor
    latent_bits: Tensor
    hyper_bits: Tensor

    @property
    def bits_per_pixel(self) -> Tensor:
        """(N,), latents and hyper-latents together."""
        return (self.latent_bits + self.hyper_bits) / (self.pixels.shape[-2] * self.pixels.shape[-1])


class SwintCharm(nn.Module):
    """SwinT-ChARM with latent scaling (DIRAC sections 4 and B.2; Zhu et al., ICLR 2022).

    ```
    pixels ─ analysis ─ y ─ ·s ─┬─ hyper_analysis ─ z ─ round ─ hyper_synthesis ─┐
                                └──────────── round around the means ── prior ◄──┘
                                                        │
                        pixels ◄─ synthesis ◄─ /s ◄─ quantised latents
    ```
    Quantisation is mixed: what is decoded is rounded, with gradients passed straight through; the rate is that of
    latents with uniform noise added. Hyper-codec and prior compute in float32 whatever autocast says.
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        entropy_models = load_entropy_models()
        self.config = config
        shape = StageShape(config.head_width, config.window, config.mlp_ratio)
        hyper_shape = StageShape(config.head_width, config.hyper_window, config.mlp_ratio)
        latents, hyper = config.latent_channels, config.hyper_channels
        self.analysis = AnalysisTransform(3, latents, widths=config.widths, depths=config.depths, shape=shape)
        self.synthesis = SynthesisTransform(latents, 3, widths=config.widths, depths=config.depths, shape=shape)
        sizes = {"widths": config.hyper_widths, "depths": config.hyper_depths}
        self.hyper_analysis = AnalysisTransform(latents, hyper, **sizes, shape=hyper_shape)
        self.hyper_synthesis = SynthesisTransform(hyper, 2 * config.prior_channels, **sizes, shape=hyper_shape)
        self.prior = ChannelwisePrior(
            config.prior_channels,
            slices=config.slices,
            widths=config.context_widths,
            kernels=config.context_kernels,
        )
        self.scaling = LatentScaling(unit_rate=UNIT_RATE)
        self.bottleneck: EntropyBottleneck = entropy_models.EntropyBottleneck(hyper)
        self.gaussian: GaussianConditional = entropy_models.GaussianConditional(
            scale_table(), scale_bound=SMALLEST_SCALE
        )

    def forward(self, pixels: Tensor, rate_factor: Tensor) -> CodedPictures:
        """Code and decode a batch.

        Args:
            pixels: (N, 3, H, W) float32 in [0, 1]; sides are multiples of 64 (`pad_to_stride`).
            rate_factor: (N,) float32, λ of each picture.
        """
        scale = self.scaling(rate_factor)[:, None, None, None]
        latents = self.analyse(pixels).float() * scale
        with torch.autocast(pixels.device.type, enabled=False):
            quantised, latent_bits, hyper_bits = self._code(latents)
        return CodedPictures(self.synthesise(quantised / scale).float(), latent_bits, hyper_bits)

    def analyse(self, pixels: Tensor) -> Tensor:
        """Map (N, 3, H, W) pixels in [0, 1] to the latents y, (N, C, H/16, W/16), not scaled."""
        tokens = (pixels - 0.5).permute(0, 2, 3, 1)
        return self.analysis(tokens).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def synthesise(self, latents: Tensor) -> Tensor:
        """Map latents divided by their scale, (N, C, H/16, W/16), to (N, 3, H, W) pixels, not clamped."""
        return self.synthesis(latents.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) + 0.5  # type: ignore[no-any-return]

    def hyper_analyse(self, latents: Tensor) -> Tensor:
        """Map scaled latents to the hyper-latents z, (N, Z, H/64, W/64)."""
        return self.hyper_analysis(latents.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def hyper_synthesise(self, hyper_latents: Tensor) -> Tensor:
        """Map quantised hyper-latents to the prior's features, (N, 2·prior, H/16, W/16)."""
        return self.hyper_synthesis(hyper_latents.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def _code(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise scaled latents; returns them decoded, and the bits of latents and hyper-latents, each (N,)."""
        hyper = self.hyper_analyse(latents)
        _, hyper_likelihood = self.bottleneck(hyper)
        medians = self.bottleneck.quantiles[:, 0, 1].detach().view(1, -1, 1, 1)
        features = self.hyper_synthesise(_round_through(hyper - medians) + medians)
        slices = torch.split(latents, list(self.config.slices), dim=1)
        bits: list[Tensor] = []

        def quantise(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
            _, likelihood = self.gaussian(slices[index], log_scale.exp(), mean)
            bits.append(_bits(likelihood))
            return _round_through(slices[index] - mean) + mean

        decoded = self.prior(features, quantise)
        return decoded, torch.stack(bits).sum(dim=0), _bits(hyper_likelihood)


def scale_table() -> list[float]:
    """Return the standard deviations that the Gaussians are tabulated for, ascending."""
    return [SMALLEST_SCALE * math.exp(SCALE_STEP * index) for index in range(SCALES)]


def _round_through(values: Tensor) -> Tensor:
    """Round, and pass gradients straight through."""
    return values + (values.round() - values).detach()


def _bits(likelihood: Tensor) -> Tensor:
    """Sum −log₂ over all but the first axis."""
    return -likelihood.flatten(1).log2().sum(dim=1)


def parameter_count(config: CodecConfig) -> int:
    """Count the parameters of a configuration's network."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in SwintCharm(config).parameters())
