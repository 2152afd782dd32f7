"""Swin blocks (Liu et al., ICCV 2021) on tokens with channels last, and the steps between two resolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias for each relative position.

    Where the windows do not fit the map, it is padded at the right and below with tokens that no other one sees; along
    an axis that a single window covers nothing is shifted.

    Args:
        channels: of a token.
        head_width: channels of a head.
        window: side of a window, in tokens.
        shifted: whether windows begin half a window further (the map is rolled, and what was not adjacent is masked).
    """

    relative_index: Tensor

    def __init__(self, channels: int, *, head_width: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.heads, self.window, self.shifted = channels // head_width, window, shifted
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.position_bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, self.heads))
        self.register_buffer("relative_index", _relative_index(window), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        height, width = tokens.shape[1:3]
        shifts = tuple(self.window // 2 if self.shifted and side > self.window else 0 for side in (height, width))
        padded = F.pad(tokens, (0, 0, 0, -width % self.window, 0, -height % self.window))
        if any(shifts):
            padded = torch.roll(padded, (-shifts[0], -shifts[1]), dims=(1, 2))
        query, key, value = self._split_heads(self.qkv(padded))
        logits = (query * query.shape[-1] ** -0.5) @ key.mT
        logits = logits + self.bias((height, width), shifts).to(logits.dtype)
        attended = self._join_heads(logits.softmax(dim=-1) @ value, padded.shape)
        attended = self.out(attended)
        if any(shifts):
            attended = torch.roll(attended, shifts, dims=(1, 2))
        return attended[:, :height, :width]

    def bias(self, size: tuple[int, int], shifts: tuple[int, ...]) -> Tensor:
        """Return what is added to the logits: (windows or 1, heads, window², window²), −∞ where nothing may pass."""
        bias = self.position_bias[self.relative_index].permute(2, 0, 1)
        if not any(shifts) and not (size[0] % self.window or size[1] % self.window):
            return bias[None]
        regions = _regions(size, shifts, self.window, device=bias.device)
        apart = regions[:, :, None] != regions[:, None, :]
        return bias[None].masked_fill(apart[:, None], float("-inf"))

    def _split_heads(self, qkv: Tensor) -> Tensor:
        """Cut (N, H, W, 3·C) into (3, N, windows, heads, window², C / heads)."""
        number, height, width, channels = qkv.shape
        side = self.window
        rows, columns = height // side, width // side
        cut = qkv.view(number, rows, side, columns, side, 3, self.heads, channels // (3 * self.heads))
        cut = cut.permute(5, 0, 1, 3, 6, 2, 4, 7)
        return cut.reshape(3, number, rows * columns, self.heads, side * side, -1)

    def _join_heads(self, heads: Tensor, shape: torch.Size) -> Tensor:
        """Undo `_split_heads` for one of the three: back to (N, H, W, C)."""
        number, height, width, channels = shape
        side = self.window
        cut = heads.view(number, height // side, width // side, self.heads, side, side, channels // self.heads)
        return cut.permute(0, 1, 4, 2, 5, 3, 6).reshape(shape)


def _relative_index(window: int) -> Tensor:
    """Return (window², window²): the row of the bias table for each pair of tokens."""
    places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    offsets = places[:, None] - places[None, :] + window - 1
    return offsets[..., 0] * (2 * window - 1) + offsets[..., 1]


def _regions(size: tuple[int, int], shifts: tuple[int, ...], window: int, *, device: torch.device) -> Tensor:
    """Return (windows, window²): a number for each token of the padded and rolled map; unlike ones do not attend."""
    axes = []
    for side, shift in zip(size, shifts, strict=True):
        padded = side + -side % window
        place = torch.arange(padded, device=device)
        region = torch.where(place < side, 0, 2) + torch.where(place < shift, 1, 0)
        axes.append(region.roll(-shift))
    regions = axes[0][:, None] * 4 + axes[1][None, :]
    cut = regions.view(regions.shape[0] // window, window, regions.shape[1] // window, window)
    return cut.transpose(1, 2).reshape(-1, window * window)


class Perceptron(nn.Module):
    """A block's two layers, token by token."""

    def __init__(self, channels: int, *, ratio: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, ratio * channels)
        self.activation = nn.GELU()
        self.out = nn.Linear(ratio * channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (…, C) to the same shape."""
        return self.out(self.activation(self.hidden(tokens)))  # type: ignore[no-any-return]


class SwinBlock(nn.Module):
    """Attention and perceptron, each normalised before and added to what came in; the identity at first."""

    def __init__(self, channels: int, *, head_width: int, window: int, shifted: bool, mlp_ratio: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, head_width=head_width, window=window, shifted=shifted)
        self.perceptron_norm = nn.LayerNorm(channels)
        self.perceptron = Perceptron(channels, ratio=mlp_ratio)
        for last in (self.attention.out, self.perceptron.out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.perceptron(self.perceptron_norm(tokens))  # type: ignore[no-any-return]


class PatchMerge(nn.Module):
    """Halve the resolution: a linear map of each 2×2 patch. Embedding pixels is the same."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4 * channels, out_channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, 2·H, 2·W, C) to (N, H, W, C')."""
        return self.linear(space_to_depth(tokens))  # type: ignore[no-any-return]


class PatchSplit(nn.Module):
    """Double the resolution: a linear map of each token to a 2×2 patch."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 4 * out_channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to (N, 2·H, 2·W, C')."""
        return depth_to_space(self.linear(tokens))


def space_to_depth(tokens: Tensor) -> Tensor:
    """Gather 2×2 patches: (N, 2·H, 2·W, C) to (N, H, W, 4·C), rows of a patch first, channels last."""
    number, height, width, channels = tokens.shape
    cut = tokens.reshape(number, height // 2, 2, width // 2, 2, channels)
    return cut.permute(0, 1, 3, 2, 4, 5).reshape(number, height // 2, width // 2, 4 * channels)


def depth_to_space(tokens: Tensor) -> Tensor:
    """Undo `space_to_depth`."""
    number, height, width, channels = tokens.shape
    cut = tokens.view(number, height, width, 2, 2, channels // 4)
    return cut.permute(0, 1, 3, 2, 4, 5).reshape(number, 2 * height, 2 * width, channels // 4)
