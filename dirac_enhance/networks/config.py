"""UNetConfig: the frozen description from which a UNet is built and by which weights are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from dirac_enhance.errors import WeightsError

Normalisation = Literal["group", "position", "none"]
Skips = Literal["concatenate", "add"]


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Shape of a U-Net.

    Args:
        channels: width of each level, from full resolution down; each level halves height and width.
        blocks_per_level: residual blocks of an encoder level; a decoder level has as many, and one more where skips
            are concatenated.
        middle_blocks: residual blocks at the bottleneck.
        conditioning_channels: channels of x̃ beside the three of r_t; 0 makes an unconditional network.
        patch: pixel-unshuffle factor before the first convolution, pixel-shuffle after the last.
        skips: "concatenate" hands every encoder feature to a decoder block of its own (the paper's); "add" adds each
            level's last one to what comes up from below, at half the arithmetic.
        normalisation: "group" takes statistics over the plane (the paper's), "position" over the channels of each
            position; "none" leaves features as they are.
        attention: self-attention over the whole plane in the bottleneck (the paper's).
        scale_shift: the embedding scales and shifts each block's normalised features, instead of adding to them.
        residual_std: standard deviation s, in residual units, that input and output are scaled by; a row (rate
            factor, s) for each of a few rising rate factors, log s interpolated between them; empty for no scaling.
        residual_std_log_spaced: whether over the logarithm of the rate factor, which then is positive, or over the
            rate factor itself.
        rate_range: smallest and largest rate factor of the codec, for networks told the rate factor; else None.
        rate_log_spaced: whether the rate factor is laid out logarithmically between the two.

    Raises:
        WeightsError: if the numbers do not describe a network.
    """

    channels: tuple[int, ...]
    blocks_per_level: int
    middle_blocks: int = 2
    conditioning_channels: int = 3
    patch: int = 1
    skips: Skips = "concatenate"
    normalisation: Normalisation = "position"
    attention: bool = False
    scale_shift: bool = True
    residual_std: tuple[tuple[float, float], ...] = ()
    rate_range: tuple[float, float] | None = None
    rate_log_spaced: bool = False
    residual_std_log_spaced: bool = True

    def __post_init__(self) -> None:
        sizes = (*self.channels, self.blocks_per_level, self.middle_blocks, self.patch, self.conditioning_channels + 1)
        if not self.channels or any(type(size) is not int or size < 1 for size in sizes):
            raise WeightsError(f"not a network: {self}")
        if self.normalisation not in get_args(Normalisation):
            raise WeightsError(f"normalisation '{self.normalisation}' given; expected {get_args(Normalisation)}")
        if self.skips not in get_args(Skips):
            raise WeightsError(f"skips '{self.skips}' given; expected {get_args(Skips)}")
        lowest = 0.0 if self.residual_std_log_spaced else float("-inf")
        if not all(rate > lowest and std > 0 for rate, std in self.residual_std):
            raise WeightsError(f"residual_std {self.residual_std} given; expected rows of positive numbers")

    @property
    def stride(self) -> int:
        """Height and width of a picture must be multiples of this."""
        return self.patch << (len(self.channels) - 1)

    @property
    def local(self) -> bool:
        """Whether an output pixel depends on a bounded neighbourhood only."""
        return self.normalisation != "group" and not self.attention

    @property
    def receptive_radius(self) -> int | None:
        """Upper bound, in pixels, on how far an output pixel looks; None where it sees the whole plane."""
        if not self.local:
            return None
        last = len(self.channels) - 1
        reach = 2 * self.patch  # first and last convolution
        for level in range(len(self.channels)):
            pixel = self.patch * 2**level
            blocks = 2 * self.blocks_per_level + (self.skips == "concatenate")
            blocks += self.middle_blocks if level == last else 0
            reach += 2 * pixel * blocks
            if level < last:
                reach += 2 * pixel  # the strided convolution, and the one after upsampling
        return reach + self.stride  # a pixel anywhere in its stride cell

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> UNetConfig:
        """Rebuild a config from `to_dict`, or from its JSON.

        Raises:
            WeightsError: if fields are unknown, missing or wrong.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise WeightsError(f"the weights' network has unknown settings: {', '.join(unknown)}; update dirac-enhance")
        try:
            return cls(**{key: _freeze(value) for key, value in values.items()})
        except (TypeError, ValueError) as cause:
            raise WeightsError(f"the weights' network settings are incomplete: {cause}") from cause


def _freeze(value: Any) -> Any:
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value
