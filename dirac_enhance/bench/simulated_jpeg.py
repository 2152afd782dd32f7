"""DDRM's imitation of JPEG, a base of its own: floating-point DCT, nearest chroma, nothing rounded to 8 bits.

It follows `functions/jpeg_torch.py` of bahjat-kawar/ddrm-jpeg@e3704ce, that of Kawar et al. (arXiv 2209.11888), so that
their figures can be reproduced. It differs from libjpeg in each of these and in the colour matrix, which has the
standard's four digits only. What it gives is not comparable to a real JPEG: see the protocol `ddrm-jpeg`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sqrt
from typing import TYPE_CHECKING

from dirac_enhance import InvalidImageError, RateFactorError

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 8
_UNIT = 16
"""Sides must be multiples of this: one block of chroma covers 16×16 pixels."""

# ITU-T T.81 (09/1992), tables K.1 and K.2, row by row.
_LUMINANCE_STEPS = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE_STEPS = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
_YCBCR_FROM_RGB = ((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedJpeg:
    """The quantised coefficients of one picture: all that a decoder of this base gets.

    Args:
        luminance: (H, W) whole numbers as float32, the 8×8 block of each place holding its 64 coefficients.
        chrominance: (2, H/2, W/2) likewise, Cb then Cr.
        quality: 1…100, as libjpeg scales its standard tables.
    """

    luminance: Tensor
    chrominance: Tensor
    quality: int


def encode(pixels: Tensor, *, quality: int) -> SimulatedJpeg:
    """Quantise a picture's DCT coefficients.

    Args:
        pixels: (3, H, W) float32 in [0, 1], H and W multiples of 16.
        quality: 1…100.

    Raises:
        InvalidImageError: if the shape is another.
        RateFactorError: if `quality` is outside its range.
    """
    import torch

    _check(pixels, quality)
    planes = torch.einsum("ij,jhw->ihw", torch.tensor(_YCBCR_FROM_RGB), pixels.float() * 255)
    luminance = _dct_blocks(planes[:1] - 128)  # the chroma planes are centred already
    chrominance = _dct_blocks(planes[1:, ::2, ::2])
    luminance_steps, chrominance_steps = quantisation_steps(quality)
    return SimulatedJpeg(
        luminance=_from_blocks((luminance / luminance_steps).round())[0],
        chrominance=_from_blocks((chrominance / chrominance_steps).round()),
        quality=quality,
    )


def decode(coded: SimulatedJpeg) -> Tensor:
    """Decode to the base reconstruction that DDRM starts from.

    Returns:
        (3, H, W) float32, around [0, 1]: quantisation overshoots, and nothing is clamped or rounded here.
    """
    import torch

    luminance_steps, chrominance_steps = quantisation_steps(coded.quality)
    luminance = _inverse_dct_blocks(_to_blocks(coded.luminance[None]) * luminance_steps) + 128
    chrominance = _inverse_dct_blocks(_to_blocks(coded.chrominance) * chrominance_steps)
    repeated = chrominance.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    rgb_from_ycbcr = torch.linalg.inv(torch.tensor(_YCBCR_FROM_RGB, dtype=torch.float64)).float()
    return torch.einsum("ij,jhw->ihw", rgb_from_ycbcr, torch.cat([luminance, repeated])) / 255


def quantisation_steps(quality: int) -> tuple[Tensor, Tensor]:
    """Return the (8, 8) steps of luminance and of chrominance, scaled as libjpeg scales the standard's tables.

    Below 50 the scale 5000 / quality keeps its fraction, which libjpeg drops: at quality 30 some steps differ by one.
    """
    import torch

    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    tables = torch.tensor([_LUMINANCE_STEPS, _CHROMINANCE_STEPS], dtype=torch.float32).view(2, _BLOCK, _BLOCK)
    luminance, chrominance = ((tables * scale + 50) / 100).floor().clamp(1, 255)
    return luminance, chrominance


def _check(pixels: Tensor, quality: int) -> None:
    shape = tuple(pixels.shape)
    if len(shape) != 3 or shape[0] != 3 or 0 in shape or shape[1] % _UNIT or shape[2] % _UNIT:
        raise InvalidImageError(
            f"pixels of shape {shape}; simulated JPEG takes (3, H, W), H and W multiples of {_UNIT}"
        )
    if not 1 <= quality <= 100:
        raise RateFactorError(f"quality {quality} given; expected a whole number from 1 to 100")


def _to_blocks(planes: Tensor) -> Tensor:
    """(C, H, W) to (C, H/8, W/8, 8, 8)."""
    return planes.unfold(1, _BLOCK, _BLOCK).unfold(2, _BLOCK, _BLOCK)


def _from_blocks(blocks: Tensor) -> Tensor:
    """(C, H/8, W/8, 8, 8) to (C, H, W)."""
    channels, rows, columns, _, _ = blocks.shape
    return blocks.permute(0, 1, 3, 2, 4).reshape(channels, rows * _BLOCK, columns * _BLOCK)


def _dct_blocks(planes: Tensor) -> Tensor:
    basis = _dct_matrix()
    return basis @ _to_blocks(planes) @ basis.T


def _inverse_dct_blocks(coefficients: Tensor) -> Tensor:
    basis = _dct_matrix()
    return _from_blocks(basis.T @ coefficients @ basis)


def _dct_matrix() -> Tensor:
    """The orthonormal DCT-II of 8 samples, (8, 8): frequencies by samples (T.81, A.3.3)."""
    import torch

    rows = [
        [
            sqrt((1 if frequency == 0 else 2) / _BLOCK) * cos((2 * sample + 1) * frequency * pi / (2 * _BLOCK))
            for sample in range(_BLOCK)
        ]
        for frequency in range(_BLOCK)
    ]
    return torch.tensor(rows)
