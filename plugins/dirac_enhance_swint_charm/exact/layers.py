"""A network's layers on fixed-point numbers; each is made from its counterpart in float32."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dirac_enhance import WeightsError
from dirac_enhance_swint_charm.exact.fixed_point import (
    FRACTION_BITS,
    LARGEST,
    LARGEST_SUM,
    ONE,
    divide,
    multiply,
    saturate,
    shift_right,
    square_root,
    to_fixed,
)
from dirac_enhance_swint_charm.exact.tables import exponential_table, gelu_tail_table, interpolate, tanh_table

_MOST_WEIGHT_BITS = 20
_FEWEST_WEIGHT_BITS = 10
"""Bits after the point of a layer's weights: as many of these as the bound of its sums allows."""

_DEVIATION_BITS = 20
"""Bits of the deviations from the mean whose squares a normalisation sums; up to 4096 of them stay in bounds."""
_QUOTIENT_BITS = 24
"""Bits of those deviations, divided by the root of the sum of their squares: at most 1."""
_EXPONENTS = 12
"""Deviations are at most 2¹¹ times as large as that: limited to ±1024, and twice that apart."""


class ExactLinear(nn.Module):
    """A linear map; what enters is limited to ±1024."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Take (out, in) weights and (out,) biases in float.

        Raises:
            WeightsError: if they are so large that sums could be inexact.
        """
        super().__init__()
        self.weight_bits = _weight_bits(weight, bias)
        offset = torch.zeros(weight.shape[0]) if bias is None else bias
        self.register_buffer("weight", to_fixed(weight, bits=self.weight_bits).mT.contiguous())
        self.register_buffer("bias", to_fixed(offset, bits=self.weight_bits + FRACTION_BITS))

    def forward(self, values: Tensor) -> Tensor:
        """Map (…, in) to (…, out)."""
        return shift_right(multiply(saturate(values), self.weight) + self.bias, self.weight_bits)


class ExactConv2d(nn.Module):
    """A convolution of stride 1 with zero padding that keeps the size; what enters is limited to ±1024."""

    weight: Tensor
    bias: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        weight = convolution.weight
        self.side = _odd_side(convolution)
        self.weight_bits = _weight_bits(weight.flatten(1), convolution.bias)
        offset = torch.zeros(weight.shape[0]) if convolution.bias is None else convolution.bias
        taps = to_fixed(weight, bits=self.weight_bits).permute(1, 2, 3, 0).flatten(1)
        self.register_buffer("weight", taps.contiguous())
        self.register_buffer("bias", to_fixed(offset, bits=self.weight_bits + FRACTION_BITS))

    def forward(self, values: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W): one product of matrices for all taps of the kernel, then shifted sums.

        Not by `conv2d`: a library is free to choose an algorithm for it that is no sum of these products.
        """
        number, _, height, width = values.shape
        taps = multiply(saturate(values).permute(0, 2, 3, 1), self.weight)
        taps = taps.view(number, height, width, self.side, self.side, -1)
        margin = self.side - 1
        total = self.bias.repeat(number, height + margin, width + margin, 1)
        for row in range(self.side):
            for column in range(self.side):
                top, left = margin - row, margin - column
                total[:, top : top + height, left : left + width] += taps[:, :, :, row, column]
        half = margin // 2
        total = total[:, half : half + height, half : half + width]
        return shift_right(total, self.weight_bits).permute(0, 3, 1, 2)


class ExactLayerNorm(nn.Module):
    """Normalisation of each token over its channels; what enters is limited to ±1024."""

    weight: Tensor
    bias: Tensor
    channels: Tensor
    epsilon: Tensor

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        (channels,) = norm.normalized_shape
        # The sum of squares takes the mean's place below, which makes quotients √C times too small.
        weight = saturate(to_fixed(norm.weight.detach().to(torch.float64) * math.sqrt(channels)))
        self.register_buffer("weight", weight)
        self.register_buffer("bias", to_fixed(norm.bias))
        self.register_buffer("channels", torch.tensor([float(channels)], dtype=torch.float64))
        self.register_buffer("epsilon", to_fixed(torch.tensor([norm.eps * channels]), bits=2 * _DEVIATION_BITS))

    def forward(self, values: Tensor) -> Tensor:
        """Map (…, C) to the same shape.

        Deviations from the mean are taken in units of 2⁻²⁰, and where the largest of a token is above 2²⁰ of them in
        a coarser unit, so that their squares add up without rounding.
        """
        values = saturate(values)
        total = values.sum(dim=-1, keepdim=True)
        finer = 2.0 ** (_DEVIATION_BITS - FRACTION_BITS)
        deviation = divide((values * self.channels - total) * finer, self.channels)
        coarser = _power_of_two_above(deviation.abs().amax(dim=-1, keepdim=True) * 2.0**-_DEVIATION_BITS)
        deviation = divide(deviation, coarser)
        squares = (deviation * deviation).sum(dim=-1, keepdim=True) + divide(self.epsilon, coarser * coarser)
        scale = _scale_to_52_bits(squares)
        root = square_root(squares * scale * scale)
        normalised = divide(deviation * scale * 2.0**_QUOTIENT_BITS, root)
        return shift_right(normalised * self.weight, _QUOTIENT_BITS) + self.bias


class ExactGelu(nn.Module):
    """GELU: max(x, 0) − |x|·Φ(−|x|)."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", gelu_tail_table())

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape."""
        return values.clamp(min=0) - interpolate(self.table, values.abs())


class ExactTanh(nn.Module):
    """The hyperbolic tangent."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", tanh_table())

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape."""
        return interpolate(self.table, values.abs()) * values.sign()


class ExactSoftmax(nn.Module):
    """Softmax over the last axis, of fixed-point logits or −∞."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", exponential_table())

    def forward(self, logits: Tensor) -> Tensor:
        """Map (…, k) to weights from 0 to 1; one logit of each k, at least, is finite."""
        below = logits.amax(dim=-1, keepdim=True) - logits
        powers = interpolate(self.table, below)
        total = powers.sum(dim=-1, keepdim=True)
        return divide(powers * ONE, total)


def _weight_bits(weight: Tensor, bias: Tensor | None) -> int:
    """Return how many bits after the point (out, in) weights may have, for no sum to exceed `LARGEST_SUM`.

    Computed in whole numbers: the same answer everywhere.

    Raises:
        WeightsError: if that is too few, or a weight is not finite.
    """
    finest = _MOST_WEIGHT_BITS
    magnitudes = torch.ceil(weight.detach().to(torch.float64).abs() * 2.0**finest)
    constants = torch.zeros(1) if bias is None else bias.detach().abs().to(torch.float64)
    row, constant = float(magnitudes.sum(dim=1).max()), float(constants.max())
    if math.isfinite(row) and math.isfinite(constant):
        for bits in range(finest, _FEWEST_WEIGHT_BITS - 1, -1):
            products = ((int(row) >> (finest - bits)) + weight.shape[1] + 1) * int(LARGEST)
            if products + ((math.ceil(constant) + 1) << (bits + FRACTION_BITS)) <= int(LARGEST_SUM):
                return bits
    raise WeightsError(
        f"a layer's weights add up to {row * 2.0**-finest:g}, and its biases reach {constant:g}: too much to compute"
        " with exactly; were they trained?"
    )


def _odd_side(convolution: nn.Conv2d) -> int:
    """Return the side of the kernel.

    Raises:
        WeightsError: if it is any but a plain convolution that keeps the size.
    """
    side = convolution.kernel_size[0]
    plain = (convolution.stride, convolution.dilation, convolution.groups) == ((1, 1), (1, 1), 1)
    keeps_size = convolution.kernel_size == (side, side) and convolution.padding == (side // 2, side // 2) and side % 2
    if not (plain and keeps_size and convolution.padding_mode == "zeros"):
        raise WeightsError(f"{convolution} has no exact counterpart; expected stride 1, odd kernels and zero padding")
    return side


def _power_of_two_above(values: Tensor) -> Tensor:
    """Return the smallest power of two that is at least as large, and at least 1."""
    power = torch.ones_like(values)
    for exponent in range(_EXPONENTS):
        power = torch.where(values > 2.0**exponent, 2.0 ** (exponent + 1), power)
    return power


def _scale_to_52_bits(values: Tensor) -> Tensor:
    """Return the largest power of two whose square takes whole numbers from 1 to 2⁵² to no more than that."""
    scale = torch.ones_like(values)
    for exponent in (16, 8, 4, 2, 1):
        scaled = scale * 2.0**exponent
        scale = torch.where(values * (scaled * scaled) <= 2.0**52, scaled, scale)
    return scale
