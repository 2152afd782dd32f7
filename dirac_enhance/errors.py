"""The errors dirac-enhance raises: each message says what was given, what was expected and what to do next."""

from __future__ import annotations


class DiracError(Exception):
    """Base of every error this package raises on purpose; the command line prints its message without a traceback."""


class UnknownCodecError(DiracError):
    """A codec id, suffix or header that no loaded plugin answers to."""


class DuplicateCodecError(DiracError):
    """Two distributions registered the same codec id."""


class PluginError(DiracError):
    """A plugin failed to load, or broke its contract while it was used."""


class CodecOptionError(DiracError):
    """A codec option that is not declared, or whose value cannot be read as its type."""


class RateFactorError(DiracError):
    """A rate factor outside the codec's range or not whole where it must be, or none in it that gives a wanted size."""


class InvalidBitstreamError(DiracError):
    """Coded bytes that are empty, truncated or not of the codec's format."""


class InvalidImageError(DiracError):
    """An image file or tensor that cannot be read, written or processed."""


class OutputExistsError(DiracError):
    """An output file is already there and overwriting was not asked for."""


class OutputPathError(DiracError):
    """Names of results that clash with each other or with an input, or a file where a folder is needed."""


class WeightsError(DiracError):
    """Enhancer weights that are missing, damaged or made for another architecture."""


class WeightsChecksumError(WeightsError):
    """A weights file whose sha256 differs from its manifest row."""


class MetricError(DiracError):
    """Figures that cannot be computed: too few pictures, features that do not fit, or a library that is missing."""


class DeviceError(DiracError):
    """A device or precision that this machine cannot provide."""


class SamplingError(DiracError):
    """A sampling setting outside its range."""


class TrainingError(DiracError):
    """Training data, settings or a checkpoint that training cannot go on with."""


class BenchmarkError(DiracError):
    """A set of pictures, a protocol, a table or a peer that a benchmark cannot go on with."""


class RestorerError(BenchmarkError):
    """A peer's restorer that is not installed, fails, exceeds its time or leaves no usable picture."""


class DiracWarning(UserWarning):
    """Base of every warning this package gives on purpose."""


class WeightsMismatchWarning(DiracWarning):
    """Enhancer weights trained for another codec than the one in use."""


class PluginWarning(DiracWarning):
    """A plugin that failed at something the others can do without it."""
