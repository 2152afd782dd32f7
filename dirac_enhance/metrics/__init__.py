"""How far a picture is from its original: distortion (PSNR, SSIM) and perceptual distance (LPIPS); imports torch."""

from __future__ import annotations

from dirac_enhance.metrics.distortion import psnr, round_to_8_bits, ssim
from dirac_enhance.metrics.perceptual import LPIPS, load_lpips

__all__ = ["LPIPS", "load_lpips", "psnr", "round_to_8_bits", "ssim"]
