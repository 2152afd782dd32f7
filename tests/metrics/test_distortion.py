"""PSNR, PSNR-B, SSIM and MS-SSIM against scikit-image or the papers' formulas in numpy, and at their limits."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional

from dirac_enhance.errors import InvalidImageError, MetricError
from dirac_enhance.metrics import ms_ssim, psnr, psnr_b, round_to_8_bits, ssim, ssim_uniform_8x8

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]


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


def psnr_b_of_the_paper(picture: Tensor, original: Tensor) -> float:
    """PSNR-B pair by pair: (3, H, W) multiples of 1/255, from Yim and Bovik's definition and BT.601 in numpy."""
    restored = (picture.double().numpy() * 255).round()
    error = np.mean((restored - (original.double().numpy() * 255).round()) ** 2)
    red, green, blue = restored
    luma = np.rint(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)
    height, width = luma.shape
    across = inside = 0.0
    for line, other in ((luma, width), (luma.T, height)):
        for column in range(other - 1):
            squares = float(((line[:, column + 1] - line[:, column]) ** 2).sum())
            if column % 8 == 7:
                across += squares
            else:
                inside += squares
    pairs_across = height * (width / 8 - 1) + width * (height / 8 - 1)
    pairs_inside = height * (width - 1) + width * (height - 1) - pairs_across
    excess = across / pairs_across - inside / pairs_inside
    blocking = max(excess, 0) * math.log2(8) / math.log2(min(height, width))
    return 10 * math.log10(255**2 / (error + blocking))


def blocked(originals: Tensor) -> Tensor:
    """Every 8×8 block, the cut ones at the end too, becomes its first pixel."""
    rows, columns = (torch.arange(size) // 8 * 8 for size in originals.shape[2:])
    return originals[:, :, rows][:, :, :, columns]


def test_psnr_b_agrees_with_a_transcription_of_the_paper(pictures: Tensor, originals: Tensor) -> None:
    for restored in (pictures, blocked(originals), (pictures + blocked(originals)) / 2):
        rounded = round_to_8_bits(restored)
        expected = [psnr_b_of_the_paper(*pair) for pair in zip(rounded, originals, strict=True)]
        torch.testing.assert_close(psnr_b(rounded, originals), torch.tensor(expected, dtype=torch.float64))


def test_psnr_b_of_a_gray_chequerboard_of_blocks_is_its_closed_form() -> None:
    board = (torch.arange(32)[:, None] // 8 + torch.arange(32) // 8) % 2
    picture, original = board[None, None] * 0.2, torch.full((1, 1, 32, 32), 0.1)
    # Every pair across a border differs by .2, no other does; 3 of 31 pairs in a line, η = log 8 / log 32.
    assert psnr_b(picture, original).item() == pytest.approx(-10 * math.log10(0.01 + 0.04 * 3 / 5), abs=1e-5)


def test_psnr_b_looks_for_blocks_in_the_pictures_and_not_in_the_originals(originals: Tensor) -> None:
    on_the_grid = blocked(originals)
    off_the_grid = on_the_grid.roll(shifts=(3, 3), dims=(2, 3))
    assert bool((psnr_b(on_the_grid, off_the_grid) < psnr(on_the_grid, off_the_grid) - 0.5).all())
    torch.testing.assert_close(psnr_b(off_the_grid, on_the_grid), psnr(off_the_grid, on_the_grid))


def windowed_similarity(first: Array, second: Array, window: Array) -> tuple[float, float]:
    """SSIM and its contrast-structure part of two planes, window by window, as Wang et al. define them."""
    x, y = (np.lib.stride_tricks.sliding_window_view(plane, window.shape) for plane in (first, second))

    def mean(values: Array) -> Array:
        return np.asarray(np.einsum("hwij,ij->hw", values, window))

    variances = mean(x**2) - mean(x) ** 2 + mean(y**2) - mean(y) ** 2
    structure = (2 * (mean(x * y) - mean(x) * mean(y)) + 0.03**2) / (variances + 0.03**2)
    luminance = (2 * mean(x) * mean(y) + 0.01**2) / (mean(x) ** 2 + mean(y) ** 2 + 0.01**2)
    return float((luminance * structure).mean()), float(structure.mean())


def test_uniform_ssim_agrees_with_a_transcription_of_the_paper(pictures: Tensor, originals: Tensor) -> None:
    uniform = np.full((8, 8), 1 / 64)
    expected = [
        np.mean([windowed_similarity(x, y, uniform)[0] for x, y in zip(*pair, strict=True)])
        for pair in zip(pictures.double().numpy(), originals.double().numpy(), strict=True)
    ]
    torch.testing.assert_close(ssim_uniform_8x8(pictures, originals), torch.tensor(expected))
    assert bool((ssim_uniform_8x8(pictures, originals) - ssim(pictures, originals)).abs().max() > 1e-3)


def test_ms_ssim_agrees_with_a_transcription_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    original = functional.interpolate(torch.rand(1, 1, 22, 24, generator=generator), size=(176, 192), mode="bicubic")
    original = original.clamp(0, 1)
    picture = (original + 0.1 * torch.randn(original.shape, generator=generator)).clamp(0, 1)
    offsets = np.arange(11) - 5
    gaussian = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    x, y = picture[0, 0].double().numpy(), original[0, 0].double().numpy()
    expected = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        whole, structure = windowed_similarity(x, y, gaussian / gaussian.sum())
        expected *= (whole if scale == 4 else structure) ** weight
        if scale < 4:
            x, y = (plane.reshape(plane.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for plane in (x, y))
    assert ms_ssim(picture, original).item() == pytest.approx(expected, abs=2e-5)


def test_ms_ssim_agrees_with_torchmetrics_for_each_picture() -> None:
    """In colour, where the transcription above has one plane."""
    image = pytest.importorskip("torchmetrics.functional.image")
    generator = torch.Generator().manual_seed(0)
    originals = functional.interpolate(torch.rand(2, 3, 22, 24, generator=generator), size=(176, 192), mode="bicubic")
    originals = originals.clamp(0, 1)
    pictures = (originals + 0.1 * torch.randn(originals.shape, generator=generator)).clamp(0, 1)
    expected = image.multiscale_structural_similarity_index_measure(
        pictures, originals, gaussian_kernel=True, kernel_size=11, sigma=1.5, data_range=1.0, reduction=None
    )
    torch.testing.assert_close(ms_ssim(pictures, originals), expected, rtol=0, atol=1e-4)


def test_gray_pictures_give_what_three_equal_channels_give(pictures: Tensor, originals: Tensor) -> None:
    gray, gray_originals = pictures[:, :1], originals[:, :1]
    for metric in (psnr, ssim, ssim_uniform_8x8):
        in_colour = metric(gray.expand(-1, 3, -1, -1), gray_originals.expand(-1, 3, -1, -1))
        torch.testing.assert_close(metric(gray, gray_originals), in_colour)


def test_psnr_of_one_level_everywhere_is_the_textbook_value() -> None:
    black = torch.zeros(1, 3, 8, 8)
    assert psnr(black + 1 / 255, black).item() == pytest.approx(20 * math.log10(255), abs=1e-5)


def test_equal_pictures_have_infinite_psnr_and_similarity_one(originals: Tensor) -> None:
    assert bool(psnr(originals, originals).isinf().all())
    flat = torch.full((2, 3, 16, 16), 0.5)
    assert bool(psnr_b(flat, flat).isinf().all())
    for metric in (ssim, ssim_uniform_8x8):
        torch.testing.assert_close(metric(originals, originals).float(), torch.ones(2))
    large = originals.tile(1, 1, 4, 4)
    torch.testing.assert_close(ms_ssim(large, large), torch.ones(2))


def test_rounding_clamps_and_gives_multiples_of_one_level() -> None:
    rounded = round_to_8_bits(torch.tensor([-0.2, 0.0, 0.5, 0.501, 1.0, 1.7]))
    torch.testing.assert_close(rounded * 255, torch.tensor([0.0, 0.0, 128.0, 128.0, 255.0, 255.0]))


@pytest.mark.parametrize("metric", [psnr, psnr_b, ssim, ssim_uniform_8x8, ms_ssim])
def test_pictures_of_other_shapes_are_refused(metric: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(InvalidImageError, match=r"\(1, 3, 16, 16\) beside originals of shape \(1, 3, 16, 17\)"):
        metric(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 17))
    with pytest.raises(InvalidImageError, match=r"must be \(N, C, H, W\) with C 1 or 3"):
        metric(torch.zeros(3, 16, 16), torch.zeros(3, 16, 16))


@pytest.mark.parametrize(("metric", "smallest"), [(psnr_b, 9), (ssim, 11), (ssim_uniform_8x8, 8), (ms_ssim, 161)])
def test_a_metric_names_its_smallest_side(metric: Callable[[Tensor, Tensor], Tensor], smallest: int) -> None:
    just_right = torch.full((1, 3, smallest, 200), 0.5)
    assert metric(just_right, just_right).item() >= 1
    too_small = just_right[:, :, 1:]
    with pytest.raises(InvalidImageError, match=f"at least {smallest}$"):
        metric(too_small, too_small)


@pytest.mark.parametrize("metric", [ssim, ms_ssim])
def test_a_missing_library_is_named(
    metric: Callable[[Tensor, Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    gray = torch.zeros(1, 1, 161, 161)
    with pytest.raises(MetricError, match=r"pip install 'dirac-enhance\[metrics\]'"):
        metric(gray, gray)
