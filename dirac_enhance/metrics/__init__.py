"""How far pictures are from their originals, one by one or as sets: tensors in, numbers out; light to import.

Pictures are (N, C, H, W) float32 in [0, 1], for LPIPS in [−1, 1], as in its paper. Results
are those of the literature only for pictures of 8 bits a sample: measure what `round_to_8_bits` returns.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dirac_enhance.metrics.distortion import (
        blocking_effect_factor,
        ms_ssim,
        psnr,
        psnr_b,
        round_to_8_bits,
        ssim,
        ssim_uniform_8x8,
    )
    from dirac_enhance.metrics.extractors import (
        AlexNetFeatures,
        FeatureExtractor,
        InceptionFeatures,
        load_alexnet_features,
        load_inception,
    )
    from dirac_enhance.metrics.gaussian import Gaussian, RunningGaussian, frechet_distance
    from dirac_enhance.metrics.kernel import FeatureReservoir, KernelDistance, kernel_distance
    from dirac_enhance.metrics.patch_distances import (
        PatchStatistics,
        frechet_distance_256,
        kernel_distance_256,
        patches_256,
    )
    from dirac_enhance.metrics.perceptual import LPIPS, Backbone, load_lpips

__all__ = [
    "LPIPS",
    "AlexNetFeatures",
    "Backbone",
    "FeatureExtractor",
    "FeatureReservoir",
    "Gaussian",
    "InceptionFeatures",
    "KernelDistance",
    "PatchStatistics",
    "RunningGaussian",
    "blocking_effect_factor",
    "frechet_distance",
    "frechet_distance_256",
    "kernel_distance",
    "kernel_distance_256",
    "load_alexnet_features",
    "load_inception",
    "load_lpips",
    "ms_ssim",
    "patches_256",
    "psnr",
    "psnr_b",
    "round_to_8_bits",
    "ssim",
    "ssim_uniform_8x8",
]

_OWNERS = {
    "AlexNetFeatures": "extractors",
    "Backbone": "perceptual",
    "FeatureExtractor": "extractors",
    "FeatureReservoir": "kernel",
    "Gaussian": "gaussian",
    "InceptionFeatures": "extractors",
    "KernelDistance": "kernel",
    "LPIPS": "perceptual",
    "PatchStatistics": "patch_distances",
    "RunningGaussian": "gaussian",
    "blocking_effect_factor": "distortion",
    "frechet_distance": "gaussian",
    "frechet_distance_256": "patch_distances",
    "kernel_distance": "kernel",
    "kernel_distance_256": "patch_distances",
    "load_alexnet_features": "extractors",
    "load_inception": "extractors",
    "load_lpips": "perceptual",
    "ms_ssim": "distortion",
    "patches_256": "patch_distances",
    "psnr": "distortion",
    "psnr_b": "distortion",
    "round_to_8_bits": "distortion",
    "ssim": "distortion",
    "ssim_uniform_8x8": "distortion",
}
"""Names imported on first use, because their module imports torch."""


if not TYPE_CHECKING:  # a type checker would take any name to be there

    def __getattr__(name: str) -> object:
        """Import the owner of a public name on first use (PEP 562)."""
        if name not in _OWNERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_OWNERS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
