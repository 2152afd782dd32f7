"""UNet: the one network, from the paper's 108.4 M parameters to the small strictly local ones that are shipped."""

from __future__ import annotations

import math
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dirac_enhance.diffusion.schedule import NoiseSchedule, linear_schedule
from dirac_enhance.networks.config import UNetConfig


class UNet(nn.Module):
    """Predict the residual r̂_0 = f(r_t, x̃, t) (DIRAC section 3.1 and table B.3).

    Args:
        config: the network's shape.
        schedule: the diffusion it is trained for, the linear schedule if None; its computation depends on it in
            preconditioned networks only.

    The data flow, one row a level, blocks joined by skip connections::

        r_t, x̃ → precondition → unshuffle → in ─ encoder ──────── decoder ─ out → shuffle → r̂_0
                                                 └ encoder ──── decoder ┘
                                                    └── middle ──┘
    """

    def __init__(self, config: UNetConfig, schedule: NoiseSchedule | None = None) -> None:
        super().__init__()
        self.config = config
        self.schedule = schedule or linear_schedule()
        self.noise_to_signal: Tensor
        self.register_buffer("noise_to_signal", self.schedule.noise_to_signal.float(), persistent=False)
        self.std_rows: Tensor
        # On the CPU, since a logarithm on the meta device takes seconds to import.
        rows = torch.tensor(config.residual_std, device="cpu").reshape(-1, 2)
        (rows if config.residual_std_log_spaced else rows[:, 1:]).log_()
        self.register_buffer("std_rows", rows, persistent=False)
        embedding = 4 * config.channels[0]
        self.time_embedding = nn.Sequential(
            nn.Linear(config.channels[0], embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.rate_embedding = nn.Linear(RATE_FEATURES, embedding) if config.rate_range else None
        folded = config.patch**2
        self.conv_in = nn.Conv2d((3 + config.conditioning_channels) * folded, config.channels[0], 3, padding=1)
        self.encoder, skip_channels = _build_encoder(config, embedding)
        self.middle = _build_middle(config, embedding)
        self.decoder = _build_decoder(config, embedding, skip_channels)
        self.norm_out = _norm(config, config.channels[0])
        self.conv_out = nn.Conv2d(config.channels[0], 3 * folded, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(
        self, noised_residual: Tensor, base_reconstruction: Tensor | None, timestep: Tensor, rate_factor: Tensor
    ) -> Tensor:
        """Predict r_0.

        Args:
            noised_residual: r_t, (N, 3, H, W) float32 in residual units; H and W multiples of `config.stride`.
            base_reconstruction: x̃, (N, C, H, W) float32 in [−1, 1]; None where `conditioning_channels` is 0.
            timestep: (N,) int64, 0 … T − 1.
            rate_factor: (N,) float32, the base codec's rate factor; NaN where it is not known.

        Returns:
            r̂_0, (N, 3, H, W) float32.
        """
        gain_in, gain_out = self._gains(timestep, rate_factor)
        planes = gain_in * noised_residual
        if base_reconstruction is not None:
            planes = torch.cat((planes, base_reconstruction), dim=1)
        h = F.pixel_unshuffle(planes, self.config.patch).contiguous(memory_format=torch.channels_last)
        predicted = self._body(h, self._embed(timestep, rate_factor))
        return gain_out * F.pixel_shuffle(predicted, self.config.patch).float()

    def _gains(self, timestep: Tensor, rate_factor: Tensor) -> tuple[Tensor, Tensor]:
        """Scale the network's input and output, so that it works on residuals of unit variance.

        With σ = √((1 − ᾱ_t)/ᾱ_t) and residuals of standard deviation s, the best linear estimate of r_0 is
        c·r_t/√ᾱ_t with c = s²/(σ² + s²). The network sees that estimate over s: pure noise fades as t → T, and does
        not disturb the one-evaluation estimate. It predicts r_0/s. (In the manner of EDM, Karras et al. 2022, table
        1, but without its skip connection, through which a network that is not trained to the end passes noise on.)
        """
        if not self.config.residual_std:
            one = torch.ones(1, 1, 1, 1, device=timestep.device)
            return one, one
        sigma = self.noise_to_signal[timestep].view(-1, 1, 1, 1)
        places = rate_factor.log() if self.config.residual_std_log_spaced else rate_factor
        s = interpolate_log(places, self.std_rows).view(-1, 1, 1, 1)
        return s / (sigma**2 + s**2) * (1 + sigma**2).sqrt(), s

    def _embed(self, timestep: Tensor, rate_factor: Tensor) -> Tensor:
        embedding: Tensor = self.time_embedding(timestep_features(timestep, self.config.channels[0]))
        if self.rate_embedding is not None:
            embedding = embedding + self.rate_embedding(rate_features(rate_factor, self.config))
        return F.silu(embedding)

    def _body(self, h: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_in(h)
        h = self._concatenating(h, embedding) if self.config.skips == "concatenate" else self._adding(h, embedding)
        return self.conv_out(F.silu(self.norm_out(h)))  # type: ignore[no-any-return]

    def _concatenating(self, h: Tensor, embedding: Tensor) -> Tensor:
        skips = [h]
        for block in self.encoder:
            h = block(h, embedding)
            skips.append(h)
        for block in self.middle:
            h = block(h, embedding)
        for block in self.decoder:
            h = block(h, embedding) if isinstance(block, Upsample) else block(torch.cat((h, skips.pop()), 1), embedding)
        return h

    def _adding(self, h: Tensor, embedding: Tensor) -> Tensor:
        skips = []
        for block in self.encoder:
            if isinstance(block, Downsample):
                skips.append(h)
            h = block(h, embedding)
        for block in chain(self.middle, self.decoder):
            h = block(h, embedding)
            if isinstance(block, Upsample):
                h = h + skips.pop()
        return h


class ResidualBlock(nn.Module):
    """Norm, SiLU, convolution, twice, around an identity or 1×1 shortcut; the embedding enters between the two."""

    def __init__(self, config: UNetConfig, in_channels: int, out_channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_1 = _norm(config, in_channels)
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.embedding = nn.Linear(embedding, 2 * out_channels if config.scale_shift else out_channels)
        self.norm_2 = _norm(config, out_channels)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)
        self.scale_shift = config.scale_shift
        nn.init.zeros_(self.conv_2.weight)
        nn.init.zeros_(self.conv_2.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """(N, in, h, w) → (N, out, h, w)."""
        inner = self.conv_1(F.silu(self.norm_1(h)))
        modulation = self.embedding(embedding)[:, :, None, None].to(inner.dtype)
        if self.scale_shift:
            scale, shift = modulation.chunk(2, dim=1)
            inner = torch.addcmul(shift, self.norm_2(inner), 1 + scale)
        else:
            inner = self.norm_2(inner + modulation)
        summed: Tensor = self.shortcut(h) + self.conv_2(F.silu(inner))
        return summed


class SelfAttention(nn.Module):
    """One head of attention over all positions of the plane (the paper's bottleneck; not local)."""

    def __init__(self, config: UNetConfig, channels: int) -> None:
        super().__init__()
        self.norm = _norm(config, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.project = nn.Conv1d(channels, channels, 1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """(N, C, h, w) → (N, C, h, w); `embedding` is not used."""
        q, k, v = self.qkv(self.norm(h).flatten(2)).transpose(1, 2).chunk(3, dim=2)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        projected: Tensor = self.project(attended)
        return h + projected.view_as(h)


class Downsample(nn.Module):
    """Halve both sides with a strided 3×3 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """(N, in, h, w) → (N, out, h/2, w/2); `embedding` is not used."""
        return self.conv(h)  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """Double both sides."""


class RepeatUpsample(Upsample):
    """By repetition, then a 3×3 convolution (the paper's)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """(N, C, h, w) → (N, C, 2h, 2w); `embedding` is not used."""
        return self.conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))  # type: ignore[no-any-return]


class ShuffleUpsample(Upsample):
    """By a 1×1 convolution to four times the channels, and pixel-shuffle: a quarter of the arithmetic or less."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4 * out_channels, 1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """(N, in, h, w) → (N, out, 2h, 2w); `embedding` is not used."""
        return F.pixel_shuffle(self.conv(h), 2)


class PositionNorm(nn.Module):
    """Normalise the channels of each position on their own: LayerNorm for planes, blind to neighbours and tile."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, h, w) → the same shape and type."""
        positions = h.permute(0, 2, 3, 1)
        weight, bias = self.weight.to(h.dtype), self.bias.to(h.dtype)
        return F.layer_norm(positions, weight.shape, weight, bias).to(h.dtype).permute(0, 3, 1, 2)


def _norm(config: UNetConfig, channels: int) -> nn.Module:
    if config.normalisation == "none":
        return nn.Identity()
    return nn.GroupNorm(32, channels) if config.normalisation == "group" else PositionNorm(channels)


def _build_encoder(config: UNetConfig, embedding: int) -> tuple[nn.ModuleList, list[int]]:
    blocks, width = nn.ModuleList(), config.channels[0]
    skip_channels = [width]
    for level, channels in enumerate(config.channels):
        if level > 0:
            narrow = width if config.skips == "concatenate" else channels
            blocks.append(Downsample(width, narrow))
            width = narrow
            skip_channels.append(width)
        for _ in range(config.blocks_per_level):
            blocks.append(ResidualBlock(config, width, channels, embedding))
            width = channels
            skip_channels.append(width)
    return blocks, skip_channels


def _build_middle(config: UNetConfig, embedding: int) -> nn.ModuleList:
    width = config.channels[-1]
    blocks = nn.ModuleList(ResidualBlock(config, width, width, embedding) for _ in range(config.middle_blocks))
    if config.attention:
        blocks.insert(1, SelfAttention(config, width))
    return blocks


def _build_decoder(config: UNetConfig, embedding: int, skip_channels: list[int]) -> nn.ModuleList:
    if config.skips == "add":
        return _build_adding_decoder(config, embedding)
    blocks, width, skips = nn.ModuleList(), config.channels[-1], list(skip_channels)
    for level, channels in reversed(list(enumerate(config.channels))):
        for _ in range(config.blocks_per_level + 1):
            blocks.append(ResidualBlock(config, width + skips.pop(), channels, embedding))
            width = channels
        if level > 0:
            blocks.append(RepeatUpsample(width))
    return blocks


def _build_adding_decoder(config: UNetConfig, embedding: int) -> nn.ModuleList:
    blocks = nn.ModuleList()
    for level, channels in reversed(list(enumerate(config.channels))):
        blocks.extend(ResidualBlock(config, channels, channels, embedding) for _ in range(config.blocks_per_level))
        if level > 0:
            blocks.append(ShuffleUpsample(channels, config.channels[level - 1]))
    return blocks


def timestep_features(timestep: Tensor, width: int) -> Tensor:
    """Sinusoids of t with periods from 2π to 2π·10⁴, as in the Transformer: (N,) → (N, width) float32."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timestep.device) / half
    angles = timestep[:, None].float() * torch.exp(-math.log(10_000) * exponents)
    return torch.cat((angles.cos(), angles.sin()), dim=1)


def interpolate_log(places: Tensor, rows: Tensor) -> Tensor:
    """Interpolate the logarithm of a value linearly, constant beyond the ends; NaN takes the rows' mean in log.

    Args:
        places: (N,), any numbers or NaN.
        rows: (K, 2) place, strictly rising, and logarithm of the value there.

    Returns:
        (N,) values.
    """
    knots, values = rows[:, 0].contiguous(), rows[:, 1]
    if len(knots) == 1:
        return values.exp().expand_as(places)
    x = torch.nan_to_num(places, nan=0.0).clamp(knots[0], knots[-1])
    right = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    fraction = (x - knots[right - 1]) / (knots[right] - knots[right - 1])
    interpolated = torch.lerp(values[right - 1], values[right], fraction)
    return torch.where(places.isnan(), values.mean(), interpolated).exp()


RATE_FEATURES = 9


def rate_features(rate_factor: Tensor, config: UNetConfig) -> Tensor:
    """Sinusoids of the rate factor's place in its range, and whether it is known: (N,) with NaN → (N, 9) float32."""
    assert config.rate_range is not None
    minimum, maximum = config.rate_range
    known = rate_factor.isfinite().float()
    place = (torch.nan_to_num(rate_factor, nan=minimum).clamp(minimum, maximum) - minimum) / (maximum - minimum)
    if config.rate_log_spaced:
        value = torch.nan_to_num(rate_factor, nan=minimum).clamp(minimum, maximum)
        place = (value / minimum).log() / math.log(maximum / minimum)
    angles = place[:, None] * math.pi * torch.tensor([0.5, 1.0, 2.0, 4.0], device=rate_factor.device)
    return torch.cat((angles.cos(), angles.sin(), torch.ones_like(place)[:, None]), dim=1) * known[:, None]
