"""Hyper-decoder and prior in fixed point, made from the trained networks in float32."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dirac_enhance import WeightsError
from dirac_enhance_swint_charm.exact.fixed_point import FRACTION_BITS, multiply, saturate, shift_right, to_fixed
from dirac_enhance_swint_charm.exact.layers import (
    ExactConv2d,
    ExactGelu,
    ExactLayerNorm,
    ExactLinear,
    ExactSoftmax,
    ExactTanh,
)
from dirac_enhance_swint_charm.networks.charm import ChannelwisePrior, Quantise
from dirac_enhance_swint_charm.networks.swin import WindowAttention

Network = TypeVar("Network", bound=nn.Module)

_FACTOR_BITS = 14
_LARGEST_FACTOR = 2.0**22
"""Queries and keys are rounded to units of 2⁻¹⁴ and limited to ±256: then 128 products of them add up exactly."""


class ExactWindowAttention(WindowAttention):
    """Attention within windows on fixed-point tokens."""

    position_bias: Tensor  # type: ignore[assignment] # whole numbers are no parameter

    def __init__(self, attention: WindowAttention) -> None:
        """Take over trained attention; the factor 1/√d goes into the queries' weights."""
        nn.Module.__init__(self)
        self.heads, self.window, self.shifted = attention.heads, attention.window, attention.shifted
        self.register_buffer("relative_index", attention.relative_index)
        self.register_buffer("position_bias", to_fixed(attention.position_bias))
        self.qkv = _query_scaled(attention)  # type: ignore[assignment] # they stand in for linear maps
        self.out = ExactLinear(attention.out.weight, attention.out.bias)  # type: ignore[assignment]
        self.softmax = ExactSoftmax()

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        height, width = tokens.shape[1:3]
        shifts = tuple(self.window // 2 if self.shifted and side > self.window else 0 for side in (height, width))
        padded = F.pad(tokens, (0, 0, 0, -width % self.window, 0, -height % self.window))
        rolled = padded.roll((-shifts[0], -shifts[1]), dims=(1, 2))
        query, key, value = self._split_heads(self.qkv(rolled))
        bits = FRACTION_BITS - _FACTOR_BITS
        query, key = (saturate(shift_right(factor, bits), limit=_LARGEST_FACTOR) for factor in (query, key))
        logits = shift_right(multiply(query, key.mT), 2 * _FACTOR_BITS - FRACTION_BITS)
        weights = self.softmax(logits + self.bias((height, width), shifts))
        attended = shift_right(multiply(weights, saturate(value)), FRACTION_BITS)
        joined: Tensor = self.out(self._join_heads(attended, rolled.shape))
        return joined.roll(shifts, dims=(1, 2))[:, :height, :width]


class ExactChannelwisePrior(ChannelwisePrior):
    """The prior of all slices on fixed-point features.

    Args:
        prior: the trained one.
        channels: of each slice.
    """

    def __init__(self, prior: ChannelwisePrior, *, channels: Sequence[int]) -> None:
        nn.Module.__init__(self)
        self.channels = tuple(channels)
        self.slices = exact_copy(prior.slices)
        self.tanh = ExactTanh()

    def forward(self, features: Tensor, quantise: Quantise) -> Tensor:
        """Walk through the slices: (N, 2·prior, H, W) features to (N, C, H, W) latents, all in fixed point.

        `quantise` is given means that are saturated.
        """

        def quantise_saturated(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
            return quantise(index, saturate(mean), log_scale)

        return super().forward(features, quantise_saturated)

    def _half_tanh(self, residual: Tensor) -> Tensor:
        return shift_right(self.tanh(residual), 1)


def exact_copy(network: Network) -> Network:
    """Return a network of the same shape whose layers compute in fixed point.

    Raises:
        WeightsError: if one of its layers has no exact counterpart, or weights too large for one.
    """
    return _convert(copy.deepcopy(network))  # type: ignore[no-any-return] # what stands in for it has its methods


def _convert(network: nn.Module) -> Any:
    """Replace a network's layers in place; returns it, or what replaces it."""
    counterpart = _COUNTERPARTS.get(type(network))
    if counterpart is not None:
        return counterpart(network)
    if next(network.parameters(recurse=False), None) is not None:
        raise WeightsError(f"{type(network).__name__} has no exact counterpart")
    for name, child in list(network.named_children()):
        setattr(network, name, _convert(child))
    return network


_COUNTERPARTS: dict[type[nn.Module], Callable[[Any], Any]] = {
    nn.Linear: lambda linear: ExactLinear(linear.weight, linear.bias),
    nn.Conv2d: ExactConv2d,
    nn.LayerNorm: ExactLayerNorm,
    nn.GELU: lambda _gelu: ExactGelu(),
    WindowAttention: ExactWindowAttention,
}


def _query_scaled(attention: WindowAttention) -> ExactLinear:
    """Return the map to queries, keys and values, the queries' part divided by √d, d the width of a head."""
    weight, bias = (values.detach().to(torch.float64) for values in (attention.qkv.weight, attention.qkv.bias))
    channels = weight.shape[1]
    factor = torch.ones(3 * channels, dtype=torch.float64)
    factor[:channels] = 1 / math.sqrt(channels // attention.heads)
    return ExactLinear(weight * factor[:, None], bias * factor)
