"""PSNR and SSIM against scikit-image, and at their limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from dirac_enhance.errors import InvalidImageError
from dirac_enhance.metrics import psnr, round_to_8_bits, ssim

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@pytest.fixture
def originals() -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(57.0), indexing="ij")
    waves = torch.stack([torch.sin(rows / 5), torch.cos(columns / 7), torch.sin((rows + columns) / 9)])
    return round_to_8_bits(0.5 + 0.4 * torch.stack([waves, waves.flip(0) * 0.6]))


@pytest.fixture
def pictures(originals: Tensor) -> Tensor:
    noise = torch.randn(originals.shape, generator=torch.Generator().manual_seed(0))
    return round_to_8_bits(originals + 0.05 * noise)


def test_psnr_agrees_with_skimage_for_each_picture(pictures: Tensor, originals: Tensor) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    expected = [
        metrics.peak_signal_noise_ratio(original.double().numpy(), picture.double().numpy(), data_range=1)
        for picture, original in zip(pictures, originals, strict=True)
    ]
    torch.testing.assert_close(psnr(pictures, originals), torch.tensor(expected, dtype=torch.float64))


def test_ssim_agrees_with_skimage_for_each_picture(pictures: Tensor, originals: Tensor) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    expected = [
        metrics.structural_similarity(
            original.double().numpy(),
            picture.double().numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=0,
        )
        for picture, original in zip(pictures, originals, strict=True)
    ]
    torch.testing.assert_close(ssim(pictures, originals).double(), torch.tensor(expected), rtol=0, atol=2e-5)


def test_psnr_of_one_level_everywhere_is_the_textbook_value() -> None:
    black = torch.zeros(1, 3, 8, 8)
    assert psnr(black + 1 / 255, black).item() == pytest.approx(20 * math.log10(255), abs=1e-5)


def test_equal_pictures_have_infinite_psnr_and_ssim_one(originals: Tensor) -> None:
    assert bool(psnr(originals, originals).isinf().all())
    torch.testing.assert_close(ssim(originals, originals), torch.ones(2))


def test_rounding_clamps_and_gives_multiples_of_one_level() -> None:
    rounded = round_to_8_bits(torch.tensor([-0.2, 0.0, 0.5, 0.501, 1.0, 1.7]))
    torch.testing.assert_close(rounded * 255, torch.tensor([0.0, 0.0, 128.0, 128.0, 255.0, 255.0]))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_pictures_of_other_shapes_are_refused(metric: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(InvalidImageError, match=r"\(1, 3, 16, 16\) beside originals of shape \(1, 3, 16, 17\)"):
        metric(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 17))
    with pytest.raises(InvalidImageError, match=r"must be \(N, 3, H, W\)"):
        metric(torch.zeros(3, 16, 16), torch.zeros(3, 16, 16))


def test_ssim_names_its_smallest_side() -> None:
    with pytest.raises(InvalidImageError, match="at least 11"):
        ssim(torch.zeros(1, 3, 10, 16), torch.zeros(1, 3, 10, 16))
