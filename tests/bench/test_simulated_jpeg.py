"""DDRM's simulated JPEG, against an independent implementation with scipy's DCT, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import fft

from dirac_enhance import InvalidImageError, RateFactorError, load_host
from dirac_enhance.bench.simulated_jpeg import decode, encode, quantisation_steps
from dirac_enhance_jpeg.quality import luminance_table

# The inverse of the colour matrix as functions/jpeg_torch.py of bahjat-kawar/ddrm-jpeg has it, in numbers.
RGB_FROM_YCBCR = np.array(
    [[1.0, -3.68199903e-05, 1.40198758], [1.0, -3.44113281e-01, -7.14103821e-01], [1.0, 1.77197812, -1.34583413e-04]]
)


def picture(height: int = 48, width: int = 64, seed: int = 0) -> torch.Tensor:
    """Smooth colours with some noise, (3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)[0]
    return (smooth + 0.03 * torch.randn(3, height, width, generator=generator)).clamp(0, 1)


def reference(pixels: NDArray[np.float64], quality: int) -> NDArray[np.float64]:
    """The same degradation block by block, in double precision."""
    steps = [np.array(table, dtype=np.float64) for table in quantisation_steps(quality)]
    red, green, blue = pixels * 255
    luma = 0.299 * red + 0.587 * green + 0.114 * blue - 128
    cb = (-0.1687 * red - 0.3313 * green + 0.5 * blue)[::2, ::2]
    cr = (0.5 * red - 0.4187 * green - 0.0813 * blue)[::2, ::2]
    planes = [_degrade(plane, table) for plane, table in ((luma, steps[0]), (cb, steps[1]), (cr, steps[1]))]
    full = [planes[0] + 128, *(np.kron(plane, np.ones((2, 2))) for plane in planes[1:])]
    return np.tensordot(RGB_FROM_YCBCR, np.stack(full), axes=1) / 255


def _degrade(plane: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.empty_like(plane)
    for row in range(0, plane.shape[0], 8):
        for column in range(0, plane.shape[1], 8):
            block = plane[row : row + 8, column : column + 8]
            levels = np.round(fft.dctn(block, norm="ortho") / steps)
            result[row : row + 8, column : column + 8] = fft.idctn(levels * steps, norm="ortho")
    return result


@pytest.mark.parametrize("quality", [5, 10, 50, 80])
def test_it_agrees_with_an_independent_implementation(quality: int) -> None:
    pixels = picture()

    decoded = decode(encode(pixels, quality=quality))

    difference = (decoded.double() - torch.from_numpy(reference(pixels.double().numpy(), quality))).abs()
    # A coefficient halfway between two levels may fall either way in single precision: a few blocks at most.
    assert (difference > 1e-4).double().mean() < 0.05
    assert difference.median() < 1e-5
    assert decoded.dtype == torch.float32


def test_coding_again_changes_no_coefficient() -> None:
    coded = encode(picture(), quality=10)

    again = encode(decode(coded), quality=10)

    assert torch.equal(again.luminance, coded.luminance)
    assert torch.equal(again.chrominance, coded.chrominance)


def test_chroma_is_decimated_and_repeated_without_filter() -> None:
    pixels = picture()
    other = pixels.clone()
    other[:, 1::2, :] = torch.rand(other[:, 1::2, :].shape, generator=torch.Generator().manual_seed(9))

    assert torch.equal(encode(pixels, quality=50).chrominance, encode(other, quality=50).chrominance)
    decoded = decode(encode(pixels, quality=50)).double()
    blue_difference = decoded[2] - decoded.mul(torch.tensor([0.299, 0.587, 0.114]).double()[:, None, None]).sum(dim=0)
    assert torch.allclose(blue_difference[::2, ::2], blue_difference[1::2, 1::2], atol=1e-6)


def test_nothing_is_rounded_or_clamped() -> None:
    levels = decode(encode(picture(), quality=10)) * 255

    assert ((levels - levels.round()).abs() > 0.1).double().mean() > 0.5
    assert levels.min() < 0
    assert levels.max() > 255


def test_a_flat_picture_keeps_its_colour_within_half_a_step() -> None:
    flat = torch.full((3, 16, 16), 100 / 255)

    luminance_steps, _ = quantisation_steps(90)
    error = (decode(encode(flat, quality=90)) - flat).abs().max() * 255

    assert error <= luminance_steps[0, 0] / 8 / 2 + 0.02, "DC is eight times the mean of a block"


@pytest.mark.parametrize("quality", [5, 10, 20, 40, 50, 75, 90, 100])
def test_its_steps_are_those_of_libjpeg_where_the_scale_is_whole(quality: int) -> None:
    assert tuple(quantisation_steps(quality)[0].flatten().int().tolist()) == luminance_table(quality)


def test_it_is_not_real_jpeg() -> None:
    codec = load_host().codec("jpeg").codec
    pixels = picture()

    real = codec.decode(codec.encode(pixels, rate_factor=10)).pixels  # type: ignore[attr-defined] # it encodes

    assert (decode(encode(pixels, quality=10)).clamp(0, 1) - real).abs().mean() * 255 > 0.5


@pytest.mark.parametrize("shape", [(3, 40, 48), (3, 48, 40), (1, 48, 48), (48, 48), (3, 0, 16)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidImageError, match="H and W multiples of 16"):
        encode(torch.zeros(shape), quality=10)


@pytest.mark.parametrize("quality", [0, 101])
def test_other_qualities_are_refused(quality: int) -> None:
    with pytest.raises(RateFactorError, match=f"quality {quality} given; expected a whole number from 1 to 100"):
        encode(torch.zeros(3, 16, 16), quality=quality)
