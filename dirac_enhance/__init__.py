"""Receiver-side enhancement of compressed photographs by residual diffusion: the public API, light to import."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dirac_enhance.atomic import create_folder
from dirac_enhance.codec import (
    HEADER_BYTES,
    BaseReconstruction,
    Codec,
    CodecOption,
    Consistency,
    EncodingCodec,
    ImageMetadata,
    OptionValue,
    RateRange,
    ReportingCodec,
    check_options,
)
from dirac_enhance.errors import (
    BenchmarkError,
    CodecOptionError,
    DeviceError,
    DiracError,
    DiracWarning,
    DuplicateCodecError,
    InvalidBitstreamError,
    InvalidImageError,
    MetricError,
    OutputExistsError,
    OutputPathError,
    PluginError,
    PluginWarning,
    RateFactorError,
    RestorerError,
    SamplingError,
    TrainingError,
    UnknownCodecError,
    WeightsChecksumError,
    WeightsError,
    WeightsMismatchWarning,
)
from dirac_enhance.hookspecs import RegisterCodec, hookimpl
from dirac_enhance.pixel_limit import MAX_PIXELS, check_pixel_count
from dirac_enhance.window import Window

if TYPE_CHECKING:
    from dirac_enhance.colour_profile import cmyk_to_srgb, srgb_profile
    from dirac_enhance.device import resolve_device
    from dirac_enhance.enhancer import Enhancer, TrajectoryPoint, load_enhancer
    from dirac_enhance.host import CodecHost, PluginFailure, RegisteredCodec, load_host
    from dirac_enhance.weights import WeightsFile, WeightsMetadata, bundled_weights

__all__ = [
    "HEADER_BYTES",
    "MAX_PIXELS",
    "BaseReconstruction",
    "BenchmarkError",
    "Codec",
    "CodecHost",
    "CodecOption",
    "CodecOptionError",
    "Consistency",
    "DeviceError",
    "DiracError",
    "DiracWarning",
    "DuplicateCodecError",
    "EncodingCodec",
    "Enhancer",
    "ImageMetadata",
    "InvalidBitstreamError",
    "InvalidImageError",
    "MetricError",
    "OptionValue",
    "OutputExistsError",
    "OutputPathError",
    "PluginError",
    "PluginFailure",
    "PluginWarning",
    "RateFactorError",
    "RateRange",
    "RegisterCodec",
    "RegisteredCodec",
    "ReportingCodec",
    "RestorerError",
    "SamplingError",
    "TrainingError",
    "TrajectoryPoint",
    "UnknownCodecError",
    "WeightsChecksumError",
    "WeightsError",
    "WeightsFile",
    "WeightsMetadata",
    "WeightsMismatchWarning",
    "Window",
    "bundled_weights",
    "check_options",
    "check_pixel_count",
    "cmyk_to_srgb",
    "create_folder",
    "hookimpl",
    "load_enhancer",
    "load_host",
    "resolve_device",
    "srgb_profile",
]

_OWNERS = {
    "CodecHost": "host",
    "Enhancer": "enhancer",
    "PluginFailure": "host",
    "RegisteredCodec": "host",
    "TrajectoryPoint": "enhancer",
    "WeightsFile": "weights",
    "WeightsMetadata": "weights",
    "bundled_weights": "weights",
    "cmyk_to_srgb": "colour_profile",
    "load_enhancer": "enhancer",
    "load_host": "host",
    "resolve_device": "device",
    "srgb_profile": "colour_profile",
}
"""Names imported on first use, because their module, or what it imports, costs time."""


if not TYPE_CHECKING:  # a type checker would take any name to be there

    def __getattr__(name: str) -> object:
        """Import the owner of a public name on first use (PEP 562)."""
        if name not in _OWNERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_OWNERS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
