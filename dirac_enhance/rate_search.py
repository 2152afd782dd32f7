"""Rate search: the rate factor at which a codec spends a wanted number of bits per pixel on a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirac_enhance.errors import PluginError, RateFactorError

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.codec import EncodingCodec, RateRange

TOLERANCE = 0.005
"""Relative difference from the wanted bits per pixel at which a search ends early."""

_RESOLUTION = 2**-20
"""Share of a range at which two of its rate factors count as one, where they need not be whole numbers."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A coded picture: the whole file's content, the rate factor it was coded at, and its size in bits per pixel."""

    content: bytes
    rate_factor: float
    bits_per_pixel: float


def _ignore_attempt(_attempt: Encoding) -> None:
    pass


def encode_at(codec: EncodingCodec, pixels: Tensor, *, rate_factor: float) -> Encoding:
    """Encode (3, H, W) float32 pixels in [0, 1] at a rate factor.

    Raises:
        RateFactorError: if it is not within the codec's range.
        InvalidImageError: if the pixels cannot be coded.
        PluginError: if the codec returns anything but a file's content.
    """
    content: object = codec.encode(pixels, rate_factor=codec.rate_range.check(rate_factor))
    if not isinstance(content, bytes) or not content:
        raise PluginError(f"codec '{codec.id}' encoded to {content!r:.40}; expected the bytes of a file")
    return Encoding(content, rate_factor, 8 * len(content) / (pixels.shape[-2] * pixels.shape[-1]))


def search_rate(
    codec: EncodingCodec, pixels: Tensor, *, target_bpp: float, attempt: Callable[[Encoding], None] = _ignore_attempt
) -> Encoding:
    """Encode a picture at the rate factor whose file comes nearest to a wanted size.

    Bisects the codec's `rate_range`, between whole numbers where it has those and geometrically where it is
    log-spaced, until a file is within `TOLERANCE` or none lies between the two nearest. The ends of the range are
    coded only if the search gets there: an encoder may take minutes for a picture. Sizes need not rise strictly with
    the rate factor; of all files that were coded the nearest is returned.

    Args:
        codec: the encoder, its options set.
        pixels: (3, H, W) float32 in [0, 1].
        target_bpp: wanted size of the whole file in bits per pixel, above 0.
        attempt: called after each encoding.

    Raises:
        RateFactorError: if the target is out of the codec's reach for this picture, or not a positive number.
        InvalidImageError: if the pixels cannot be coded.
    """
    if not (math.isfinite(target_bpp) and target_bpp > 0):
        raise RateFactorError(f"{target_bpp:g} bpp wanted; expected a number above 0")
    rates = codec.rate_range
    tried: dict[float, Encoding] = {}

    def encode(rate_factor: float) -> Encoding:
        if rate_factor not in tried:
            tried[rate_factor] = encode_at(codec, pixels, rate_factor=rate_factor)
            attempt(tried[rate_factor])
        return tried[rate_factor]

    def miss(encoding: Encoding) -> float:
        return abs(encoding.bits_per_pixel - target_bpp)

    # Invariant: as far as sizes follow the rate, `below` codes to at most the target and `above` to at least that.
    below, above = rates.minimum, rates.maximum
    if not rates.higher_is_better:
        below, above = above, below
    while (middle := _between(rates, below, above)) is not None:
        encoding = encode(middle)
        if miss(encoding) <= TOLERANCE * target_bpp:
            return encoding
        if encoding.bits_per_pixel < target_bpp:
            below = middle
        else:
            above = middle
    nearest = min((encode(below), encode(above), *tried.values()), key=miss)
    _check_reach(tuple(tried.values()), nearest, target_bpp=target_bpp)
    return nearest


def _between(rates: RateRange, one: float, other: float) -> float | None:
    """Return the rate factor half-way between two, None if there is none."""
    low, high = sorted((one, other))
    scale = math.log if rates.log_spaced else float
    apart = scale(high) - scale(low) > _RESOLUTION * (scale(rates.maximum) - scale(rates.minimum))
    if not (high - low > 1 if rates.integer else apart):
        return None
    middle = math.sqrt(low * high) if rates.log_spaced else (low + high) / 2
    return min(max(float(round(middle)), low + 1), high - 1) if rates.integer else middle


def _check_reach(tried: tuple[Encoding, ...], nearest: Encoding, *, target_bpp: float) -> None:
    """Refuse a search whose target lies outside all sizes; its last attempt was then an end of the range."""
    sizes = [encoding.bits_per_pixel for encoding in tried]
    within = min(sizes) <= target_bpp <= max(sizes)
    if within or abs(nearest.bits_per_pixel - target_bpp) <= TOLERANCE * target_bpp:
        return
    extreme = "least" if target_bpp < nearest.bits_per_pixel else "most"
    raise RateFactorError(
        f"{target_bpp:g} bpp is out of reach: this picture takes at {extreme} {nearest.bits_per_pixel:.4g} bpp,"
        f" at rate factor {nearest.rate_factor:g}; pass another --bpp, or --rate-factor {nearest.rate_factor:g}"
    )
