"""Distances from an original that need no learned network: PSNR and SSIM, one value for each picture."""

from __future__ import annotations

from torch import Tensor

from dirac_enhance.errors import InvalidImageError

_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5


def round_to_8_bits(pixels: Tensor) -> Tensor:
    """Round to the nearest of 256 levels, as a file with 8 bits a sample would; results are measured after this.

    Args:
        pixels: any shape, float32 in [0, 1]; values outside are clamped.

    Returns:
        Multiples of 1/255, the shape of `pixels`.
    """
    return (pixels.clamp(0, 1) * 255).round() / 255


def psnr(pictures: Tensor, originals: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over all RGB samples; average these for a set, not their mean squared errors.

    Nothing is rounded here: give what `round_to_8_bits` returns to follow the literature's protocol.

    Args:
        pictures, originals: (N, 3, H, W) in [0, 1].

    Returns:
        (N,) float64 in decibels, infinite where both are equal.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
    """
    _check_pair(pictures, originals, smallest_side=1)
    return -10 * (pictures.double() - originals.double()).square().mean(dim=(1, 2, 3)).log10()


def ssim(pictures: Tensor, originals: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004): Gaussian 11×11 window, σ 1.5, each of R, G and B, inner pixels only.

    Papers that use a uniform 8×8 window print values about .02 higher; never mix the two.

    Args:
        pictures, originals: (N, 3, H, W) in [0, 1], each side at least 11; not rounded here, as in `psnr`.

    Returns:
        (N,) float32, 1 where both are equal.

    Raises:
        InvalidImageError: if the shapes are not as above or differ.
    """
    # Not torchmetrics, which averages over a reflected border too: .004 off on small pictures, and half as fast.
    from pytorch_msssim import ssim as similarity

    _check_pair(pictures, originals, smallest_side=_SSIM_WINDOW)
    values: Tensor = similarity(
        pictures, originals, data_range=1.0, size_average=False, win_size=_SSIM_WINDOW, win_sigma=_SSIM_SIGMA
    )
    return values


def _check_pair(pictures: Tensor, originals: Tensor, *, smallest_side: int) -> None:
    shape = tuple(pictures.shape)
    if shape != tuple(originals.shape) or len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < smallest_side:
        raise InvalidImageError(
            f"pictures of shape {shape} beside originals of shape {tuple(originals.shape)}; "
            f"both must be (N, 3, H, W) with H and W at least {smallest_side}"
        )
