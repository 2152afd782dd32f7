"""Latent scaling (DIRAC section B.2, equation 10): one network for many rates, by the size of the quantiser's step."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SCALE_UNIT = 4096
"""A scale is sent as a whole number k from 1 to 65535, and is k / `SCALE_UNIT`: 1/4096 to just under 16."""

LARGEST_CODE = 65535


class LatentScaling(nn.Module):
    """The scale s = exp(a·log λ + b) of the latents; a and b are learned.

    At a high rate the best step of a quantiser goes with λ^-½: so a starts at ½, and s at 1 where λ is `unit_rate`.
    """

    def __init__(self, *, unit_rate: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.5))
        self.b = nn.Parameter(torch.tensor(-0.5 * math.log(unit_rate)))

    def forward(self, rate_factor: Tensor) -> Tensor:
        """Return the scale for each λ, (N,) to (N,) float32: quantised, its gradient passed straight through."""
        exact = torch.exp(self.a * rate_factor.log() + self.b)
        return exact + (scale_of_code(code_of_scale(exact)) - exact).detach()


def code_of_scale(scale: Tensor) -> Tensor:
    """Return the 16-bit whole numbers that are sent for scales, the nearest ones from 1 to 65535; float32."""
    return (scale.detach() * SCALE_UNIT).round().clamp(1, LARGEST_CODE)


def scale_of_code(code: Tensor) -> Tensor:
    """Return the scales that the 16-bit numbers stand for; exact in float32."""
    return code / SCALE_UNIT
