"""The contract between a base codec and the rest: what a codec offers and what its decoder returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dirac_enhance.errors import CodecOptionError, InvalidImageError, RateFactorError

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

    from dirac_enhance.window import Window

HEADER_BYTES = 4096
"""How many leading bytes of a file `Codec.detect` is given."""

OptionValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class CodecOption:
    """One documented setting of a codec, set by `--codec-option NAME=VALUE` or `codec.with_options(name=value)`.

    Args:
        name: as typed on the command line, in kebab-case; `with_options` takes it with underscores.
        kind: `str`, `int`, `float` or `bool`.
        default: the value in force when nothing is said.
        help: one line for the user.
        choices: the values allowed; empty means any value of that kind.
        vary_in_training: training draws this option from `choices` for a part of its pairs, so that one
            enhancer covers all of them.
    """

    name: str
    kind: type[str] | type[int] | type[float] | type[bool]
    default: OptionValue
    help: str
    choices: tuple[OptionValue, ...] = ()
    vary_in_training: bool = False

    @property
    def keyword(self) -> str:
        """The option's name as a Python keyword."""
        return self.name.replace("-", "_")

    def parse(self, text: str) -> OptionValue:
        """Read a value from the command line.

        Raises:
            CodecOptionError: if `text` is not of the option's kind or not among its choices.
        """
        try:
            value = _parse_bool(text) if self.kind is bool else self.kind(text)
        except ValueError as cause:
            raise CodecOptionError(
                f"codec option '{self.name}' takes a value of type {self.kind.__name__}, not '{text}'"
            ) from cause
        return self.check(value)

    def check(self, value: OptionValue) -> OptionValue:
        """Return `value` unchanged if it is of the option's kind and among its choices.

        Raises:
            CodecOptionError: otherwise.
        """
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:
            raise CodecOptionError(f"codec option '{self.name}' takes {self.kind.__name__}, not {value!r}")
        if self.choices and value not in self.choices:
            allowed = ", ".join(str(choice) for choice in self.choices)
            raise CodecOptionError(f"codec option '{self.name}' is one of {allowed}, not '{value}'")
        return value


def _parse_bool(text: str) -> bool:
    values = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return values[text.lower()]
    except KeyError:
        raise ValueError(text) from None


@dataclass(frozen=True, slots=True)
class RateRange:
    """The rate factors an encoder accepts, ends included, and how to walk between them.

    Args:
        minimum: smallest rate factor accepted.
        maximum: largest rate factor accepted.
        integer: only whole numbers are.
        log_spaced: equal ratios, rather than equal differences, change the picture by like amounts.
        higher_is_better: whether a larger rate factor gives a better picture and a larger file.
        usual: the part of the range people use, which training and benchmarks draw from; None for all of it.

    Raises:
        ValueError: if `minimum` is not below `maximum`, `usual` is not within them, or a log-spaced range reaches zero.
    """

    minimum: float
    maximum: float
    integer: bool
    log_spaced: bool
    higher_is_better: bool
    usual: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.minimum < self.maximum:
            raise ValueError(f"rate range from {self.minimum} to {self.maximum} is empty")
        low, high = self.bounds
        if not self.minimum <= low < high <= self.maximum:
            raise ValueError(f"usual rates from {low} to {high} are not within {self.minimum} to {self.maximum}")
        if self.log_spaced and self.minimum <= 0:
            raise ValueError(f"a log-spaced rate range must be positive, but starts at {self.minimum}")

    @property
    def bounds(self) -> tuple[float, float]:
        """The usual range, or the whole one."""
        return self.usual or (self.minimum, self.maximum)

    def place(self, fraction: float) -> float:
        """Return the rate factor that lies `fraction` (0 … 1) of the way through `bounds`, rounded if need be."""
        low, high = self.bounds
        rate = low * (high / low) ** fraction if self.log_spaced else low + (high - low) * fraction
        return float(round(rate)) if self.integer else rate

    def check(self, rate_factor: float) -> float:
        """Return `rate_factor` unchanged if an encoder may be given it.

        Raises:
            RateFactorError: if it is out of range, not finite, or not whole where whole numbers are needed.
        """
        whole = not self.integer or float(rate_factor).is_integer()
        if not (math.isfinite(rate_factor) and whole and self.minimum <= rate_factor <= self.maximum):
            kind = "a whole number" if self.integer else "a number"
            raise RateFactorError(
                f"rate factor {rate_factor:g} given; expected {kind} from {self.minimum:g} to {self.maximum:g}"
            )
        return rate_factor


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What a picture file says beside its pixels, carried unchanged from input to output.

    Args:
        icc_profile: colour profile of `BaseReconstruction.pixels`; None means sRGB.
        exif: the raw EXIF block without its "Exif\\0\\0" prefix, orientation tag still as in the file.
        xmp: the raw XMP packet.
        dpi: horizontal and vertical resolution, dots per inch.
        orientation: EXIF orientation 1…8, applied when the result is written, not before.
        grayscale: the source had one luminance channel, repeated to three here.
        bit_depth: bits per sample of the source.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int = 1
    grayscale: bool = False
    bit_depth: int = 8


class Consistency(Protocol):
    """What a codec's bits allow: a set of pictures that would all have been coded to the same bytes."""

    def project(self, pixels: Tensor, window: Window) -> Tensor:
        """Return the nearest allowed picture inside `window`.

        Args:
            pixels: (3, h, w) float32 in [0, 1], the content of `window` in coded orientation.
            window: where `pixels` lies in the whole picture.

        Returns:
            A tensor of the same shape and range.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class BaseReconstruction:
    """What a base codec decoded, in coded orientation (x̃ in the DIRAC paper, section 3.1).

    Args:
        pixels: (3, H, W) float32 in [0, 1].
        alpha: (H, W) float32 in [0, 1], or None.
        rate_factor: the codec's own quality number, or None where the bits do not say.
        coded_bytes: length of the coded file in bytes; 0 where there is none, as in `from_pixels`.
        metadata: colour profile, EXIF and the like.
        consistency: projection onto what the bits allow, or None.
        details: what else the codec knows of the file, name to text, as `dirac-enhance info` shows it; both lower-case
            and short, as in {"chroma subsampling": "4:2:0"}. Read by people, never by code.

    Raises:
        InvalidImageError: if a tensor has the wrong shape or type, or `details` are not text.
    """

    pixels: Tensor
    coded_bytes: int
    alpha: Tensor | None = None
    rate_factor: float | None = None
    metadata: ImageMetadata = field(default_factory=ImageMetadata)
    consistency: Consistency | None = None
    details: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        shape = tuple(self.pixels.shape)
        if len(shape) != 3 or shape[0] != 3 or 0 in shape:
            raise InvalidImageError(f"pixels of shape {shape}; a base reconstruction has (3, height, width)")
        if not self.pixels.is_floating_point() or self.pixels.element_size() != 4:
            raise InvalidImageError(f"pixels of type {self.pixels.dtype}; a base reconstruction has float32 in [0, 1]")
        if self.alpha is not None and tuple(self.alpha.shape) != shape[1:]:
            raise InvalidImageError(f"alpha of shape {tuple(self.alpha.shape)} beside pixels of shape {shape}")
        details: object = self.details
        if not isinstance(details, Mapping) or not all(
            isinstance(text, str) for fact in details.items() for text in fact
        ):
            raise InvalidImageError(f"details {details!r}; a base reconstruction has a mapping of text to text")

    @classmethod
    def from_pixels(cls, pixels: Tensor, *, metadata: ImageMetadata | None = None) -> BaseReconstruction:
        """Take pixels that some decoder has already put out: a video frame, a screenshot, another program's result.

        Their rate factor is unknown, so that an enhancer judges it by the picture alone.

        Args:
            pixels: (C, H, W), uint8, or floating point in [0, 1]; 1 channel is grayscale, 2 are grayscale and alpha,
                3 RGB, 4 RGB and alpha.
            metadata: colour profile and the like; `grayscale` is set by the number of channels.

        Raises:
            InvalidImageError: if they are of another shape or type, or a value is outside the range.
        """
        import numpy as np
        import torch

        shape = tuple(pixels.shape)
        if len(shape) != 3 or not 1 <= shape[0] <= 4 or 0 in shape:
            raise InvalidImageError(f"pixels of shape {shape}; expected (channels, height, width) with 1 to 4 channels")
        if pixels.dtype == torch.uint8:
            planes = torch.from_numpy(pixels.cpu().numpy() / np.float32(255))  # on this thread alone, unlike torch's
        elif pixels.is_floating_point():
            planes = pixels.detach().to(torch.float32)
        else:
            raise InvalidImageError(f"pixels of type {pixels.dtype}; expected uint8, or floating point in [0, 1]")
        samples = planes.cpu().numpy()
        lowest, highest = float(samples.min()), float(samples.max())
        if not (lowest >= 0 and highest <= 1):  # false for NaN, too
            raise InvalidImageError(f"pixels from {lowest:g} to {highest:g}; expected floating point in [0, 1]")
        grayscale, has_alpha = shape[0] < 3, shape[0] in (2, 4)
        return cls(
            planes[:1].repeat(3, 1, 1) if grayscale else planes[:3].contiguous(),
            coded_bytes=0,
            alpha=planes[-1].contiguous() if has_alpha else None,
            metadata=replace(metadata or ImageMetadata(), grayscale=grayscale),
        )

    @property
    def height(self) -> int:
        """Rows, in coded orientation."""
        return int(self.pixels.shape[1])

    @property
    def width(self) -> int:
        """Columns, in coded orientation."""
        return int(self.pixels.shape[2])

    @property
    def bits_per_pixel(self) -> float:
        """Size of the coded file in bits per pixel."""
        return 8 * self.coded_bytes / (self.height * self.width)


@runtime_checkable
class Codec(Protocol):
    """A base codec that can decode; all that receiver-side enhancement needs."""

    @property
    def id(self) -> str:
        """Short lower-case name, as in `--codec jpeg`."""
        ...

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """Lower-case file suffixes with their dot; the first is the usual one."""
        ...

    @property
    def options(self) -> tuple[CodecOption, ...]:
        """The settings this codec declares."""
        ...

    def with_options(self, **values: OptionValue) -> Self:
        """Return a codec like this one with these options set.

        Raises:
            CodecOptionError: if an option is not declared or its value not allowed.
        """
        ...

    def detect(self, header: bytes) -> bool:
        """Say whether a file that starts with these bytes (the first 4096) is of this codec.

        No false negatives; false positives rare. Never raises.
        """
        ...

    def decode(self, data: bytes) -> BaseReconstruction:
        """Decode a whole file.

        Raises:
            InvalidBitstreamError: if `data` is empty, truncated or of another format.
        """
        ...


@runtime_checkable
class EncodingCodec(Codec, Protocol):
    """A base codec that can also encode; training, benchmarks and rate search need it."""

    @property
    def rate_range(self) -> RateRange:
        """The rate factors `encode` accepts."""
        ...

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        """Encode (3, H, W) float32 pixels in [0, 1] to a whole file.

        Raises:
            RateFactorError: if `rate_factor` is outside `rate_range`.
            InvalidImageError: if the pixels cannot be coded.
        """
        ...


@runtime_checkable
class ReportingCodec(Codec, Protocol):
    """A base codec that depends on what may or may not be on the machine: programs, libraries, their versions."""

    def status(self) -> tuple[str, ...]:
        """Say in one line each what was found, which version it is, and how to get what is missing.

        `dirac-enhance codecs` prints it, so it takes a moment at most, and loads nothing heavy. Never raises.
        """
        ...


def check_options(options: tuple[CodecOption, ...], values: dict[str, OptionValue]) -> dict[str, OptionValue]:
    """Check keyword `values` against the declared `options`; for a codec's `with_options`.

    Raises:
        CodecOptionError: if a name is not declared or a value not allowed.
    """
    declared = {option.keyword: option for option in options}
    for keyword in values:
        if keyword not in declared:
            known = ", ".join(option.name for option in options) or "none"
            raise CodecOptionError(f"unknown codec option '{keyword.replace('_', '-')}'; this codec's options: {known}")
    return {keyword: declared[keyword].check(value) for keyword, value in values.items()}
