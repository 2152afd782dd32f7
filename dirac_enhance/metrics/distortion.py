"""Distances from an original that need no learned network: PSNR, PSNR-B, SSIM, MS-SSIM; one value for each picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn import functional

from dirac_enhance.errors import InvalidImageError, MetricError

if TYPE_CHECKING:
    from types import ModuleType

_BLOCK = 8
"""Side of a JPEG block, in pixels."""
# The studio-range luma of ITU-R BT.601.
_LUMA = (65.481, 128.553, 24.966)
_LUMA_OFFSET = 16

_GAUSSIAN: dict[str, Any] = {"data_range": 1.0, "size_average": False, "win_size": 11, "win_sigma": 1.5}
"""The window of Wang et al., as pytorch-msssim takes it."""
_SMALLEST_SIDE_OF_MS_SSIM = 161
"""Halved four times it still holds one window of 11."""
_UNIFORM_WINDOW = 8
# (K₁ L)² and (K₂ L)² of Wang et al. with L = 1.
_C1 = 0.01**2
_C2 = 0.03**2


def round_to_8_bits(pixels: Tensor) -> Tensor:
    """Round to the nearest of 256 levels, as a file with 8 bits a sample would; results are measured after this.

    Args:
        pixels: any shape, float32 in [0, 1]; values outside are clamped.

    Returns:
        Multiples of 1/255, the shape of `pixels`.
    """
    return (pixels.clamp(0, 1) * 255).round() / 255


def psnr(pictures: Tensor, originals: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over all samples; average these for a set, not their mean squared errors.

    Nothing is rounded here: give what `round_to_8_bits` returns to follow the literature's protocol.

    Args:
        pictures, originals: (N, C, H, W) in [0, 1], C 1 or 3.

    Returns:
        (N,) float64 in decibels, infinite where both are equal.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
    """
    _check_pair(pictures, originals, smallest_side=1)
    return -10 * _mean_squared_error(pictures, originals).log10()


def psnr_b(pictures: Tensor, originals: Tensor) -> Tensor:
    """PSNR lowered by blocking: the blocking effect factor of the pictures is added to the mean squared error.

    Yim and Bovik 2011, "Quality assessment of deblocked images". **The order of the arguments
    matters**: blocking is looked for in the pictures, never in the originals. The error is taken over all samples,
    blocking on the luma, as the tables of FBCNN and SwinIR do (jiaxi-jiang/FBCNN:utils/utils_image.py@54d1831).
    torchjpeg's (Queuecumber/torchjpeg:src/torchjpeg/metrics/_psnrb.py@0e1a1f2) is the mean of each channel's own; on
    gray pictures whose sides are multiples of 8 it is this one. torchmetrics takes gray pictures only and counts the
    pairs across block borders differently.

    Args:
        pictures, originals: (N, C, H, W) in [0, 1], C 1 or 3, each side at least 9; not rounded here, as in `psnr`.

    Returns:
        (N,) float64 in decibels, at most `psnr`, infinite where both are equal and nothing is blocked.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
    """
    _check_pair(pictures, originals, smallest_side=_BLOCK + 1)
    return -10 * (_mean_squared_error(pictures, originals) + blocking_effect_factor(pictures)).log10()


def blocking_effect_factor(pictures: Tensor) -> Tensor:
    """How much more neighbours differ across the borders of 8×8 blocks than inside them (Yim and Bovik 2011).

    Of the luma of 8-bit pictures: BT.601's 16 … 235, rounded, for colour; the samples themselves for gray. Blocks
    begin at the first row and column. The numbers of pairs are the paper's, N_H (N_V / 8 − 1) across borders, also
    where a side is no multiple of 8 and this is no whole number.

    Args:
        pictures: (N, C, H, W) in [0, 1], C 1 or 3, each side at least 9.

    Returns:
        (N,) float64, at least 0, as a squared error of values in [0, 1].
    """
    luma = _luma(pictures)
    height, width = luma.shape[1:]
    down, right = luma.diff(dim=1).square().sum(dim=2), luma.diff(dim=2).square().sum(dim=1)
    across = down[:, _BLOCK - 1 :: _BLOCK].sum(dim=1) + right[:, _BLOCK - 1 :: _BLOCK].sum(dim=1)
    inside = down.sum(dim=1) + right.sum(dim=1) - across
    pairs = height * (width - 1) + width * (height - 1)
    pairs_across = height * (width / _BLOCK - 1) + width * (height / _BLOCK - 1)
    excess = across / pairs_across - inside / (pairs - pairs_across)
    return math.log2(_BLOCK) / math.log2(min(height, width)) * excess.clamp(min=0) / 255**2


def ssim(pictures: Tensor, originals: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004): Gaussian 11×11 window, σ 1.5, each of R, G and B, inner pixels only.

    The convention of FBCNN and SwinIR; `ssim_uniform_8x8` is the other one. Never mix the two.

    Args:
        pictures, originals: (N, C, H, W) in [0, 1], C 1 or 3, each side at least 11; not rounded here, as in `psnr`.

    Returns:
        (N,) float32, 1 where both are equal.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
        MetricError: if pytorch-msssim is not installed.
    """
    # Not torchmetrics, which averages over a reflected border too: .004 off on small pictures, and half as fast.
    _check_pair(pictures, originals, smallest_side=_GAUSSIAN["win_size"])
    values: Tensor = _pytorch_msssim().ssim(pictures, originals, **_GAUSSIAN)
    return values


def ssim_uniform_8x8(pictures: Tensor, originals: Tensor) -> Tensor:
    """Structural similarity with a uniform 8×8 window: the convention of torchjpeg and QGAC.

    Queuecumber/torchjpeg:src/torchjpeg/metrics/_ssim.py@0e1a1f2: inner pixels only, population variances, each channel
    by itself, then their mean.

    Of one and the same JPEG it may be hundredths above `ssim`, or below.

    Args:
        pictures, originals: (N, C, H, W) in [0, 1], C 1 or 3, each side at least 8; not rounded here, as in `psnr`.

    Returns:
        (N,) float64, 1 where both are equal.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
    """
    _check_pair(pictures, originals, smallest_side=_UNIFORM_WINDOW)
    x, y = pictures.double(), originals.double()
    mean_x, mean_y = _windowed_mean(x), _windowed_mean(y)
    variances = _windowed_mean(x * x) - mean_x**2 + _windowed_mean(y * y) - mean_y**2
    covariance = _windowed_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (luminance * (2 * covariance + _C2) / (variances + _C2)).mean(dim=(1, 2, 3))


def ms_ssim(pictures: Tensor, originals: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang et al. 2003, equation 7): five scales, the paper's weights.

    The Gaussian window of `ssim`; negative factors count as 0, because they have no real power.

    Args:
        pictures, originals: (N, C, H, W) in [0, 1], C 1 or 3, each side at least 161; not rounded here, as in `psnr`.

    Returns:
        (N,) float32 in [0, 1], 1 where both are equal.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
        MetricError: if pytorch-msssim is not installed.
    """
    _check_pair(pictures, originals, smallest_side=_SMALLEST_SIDE_OF_MS_SSIM)
    values: Tensor = _pytorch_msssim().ms_ssim(pictures, originals, **_GAUSSIAN)
    return values


def _mean_squared_error(pictures: Tensor, originals: Tensor) -> Tensor:
    return (pictures.double() - originals.double()).square().mean(dim=(1, 2, 3))


def _luma(pictures: Tensor) -> Tensor:
    """(N, C, H, W) in [0, 1] to (N, H, W) float64, whole levels of 255; rounded before, too, so that ties are exact."""
    levels = (pictures.double() * 255).round()
    if levels.shape[1] == 1:
        return levels[:, 0]
    red, green, blue = levels.unbind(dim=1)
    return (_LUMA_OFFSET + (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue) / 255).round()


def _windowed_mean(planes: Tensor) -> Tensor:
    return functional.avg_pool2d(planes, _UNIFORM_WINDOW, stride=1)


def _pytorch_msssim() -> ModuleType:
    try:
        import pytorch_msssim
    except ImportError as cause:
        raise MetricError("SSIM needs pytorch-msssim; run `pip install 'dirac-enhance[metrics]'`") from cause
    module: ModuleType = pytorch_msssim
    return module


def _check_pair(pictures: Tensor, originals: Tensor, *, smallest_side: int) -> None:
    shape = tuple(pictures.shape)
    fits = len(shape) == 4 and shape[1] in (1, 3) and min(shape[2:]) >= smallest_side
    if shape != tuple(originals.shape) or not fits:
        raise InvalidImageError(
            f"pictures of shape {shape} beside originals of shape {tuple(originals.shape)}; both must be "
            f"(N, C, H, W) with C 1 or 3 and H and W at least {smallest_side}"
        )
