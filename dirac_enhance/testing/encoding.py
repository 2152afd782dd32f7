"""What `encode` promises: files its own decoder reads, over the whole rate range, and refusals of all else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dirac_enhance.codec import HEADER_BYTES, BaseReconstruction, EncodingCodec
from dirac_enhance.errors import InvalidImageError, RateFactorError
from dirac_enhance.testing.decoding import decode, equal
from dirac_enhance.testing.form import detect
from dirac_enhance.testing.outcomes import WHATEVER, fail, refuse, succeed

if TYPE_CHECKING:
    from torch import Tensor

_HEIGHT, _WIDTH = 40, 56
_ODD_SIZES = ((1, 1), (3, 17), (37, 1))
_LARGEST_ERROR = 0.1
"""Root mean square, in [0, 1] units, that a picture may be off at the best rate factor: 20 dB."""


@dataclass(frozen=True, slots=True)
class _RoundTrip:
    data: bytes
    base: BaseReconstruction
    error: float


def check_rates(codec: EncodingCodec) -> None:
    """Check coding at both ends of the rate range and between, and that the better end is the better one."""
    rates = codec.rate_range
    chosen = {rates.minimum, rates.place(0), rates.place(0.5), rates.place(1), rates.maximum}
    trips = []
    for rate in sorted(chosen, reverse=not rates.higher_is_better):
        pixels = _draw_picture(_HEIGHT, _WIDTH)
        trips.append(_round_trip(codec, pixels, rate=rate))
        if not equal(pixels, _draw_picture(_HEIGHT, _WIDTH)):
            fail(f"encode at rate factor {rate:g}", "to leave the given pixels unchanged", "changed ones")
        if _encode(codec, pixels, rate=rate) != trips[-1].data:
            fail(f"encode of the same pixels at rate factor {rate:g}, again", "the same bytes", "others")
    worst, best = trips[0], trips[-1]
    if best.error > _LARGEST_ERROR:
        fail(
            "encode and decode at the best rate factor",
            "the picture given",
            f"one that is off by {best.error:.2f} (RMS)",
        )
    if len(worst.data) > len(best.data) or worst.error < best.error:
        came = f"{len(worst.data)} bytes, off by {worst.error:.3f}, and {len(best.data)} bytes, off by {best.error:.3f}"
        fail("the worst and the best rate factor", "the best to give the larger file and the better picture", came)
    _check_reported([trip.base.rate_factor for trip in trips], higher_is_better=rates.higher_is_better)


def _check_reported(rate_factors: list[float | None], *, higher_is_better: bool) -> None:
    """An estimate may be off, but not upside down: the network is told it as if it were what `encode` was given."""
    told = [rate for rate in rate_factors if rate is not None]
    if told != sorted(told, reverse=not higher_is_better):
        fail("rate factors that decode reports, from the worst to the best", "them in that order", repr(told))


def check_odd_sizes(codec: EncodingCodec) -> None:
    """Check that thin and tiny pictures come back in their size, or are refused."""
    rate = codec.rate_range.place(1)
    for height, width in _ODD_SIZES:
        pixels = _draw_picture(height, width)
        if not _is_refused(codec, pixels, rate=rate):
            _round_trip(codec, pixels, rate=rate)


def _is_refused(codec: EncodingCodec, pixels: Tensor, *, rate: float) -> bool:
    try:
        codec.encode(pixels, rate_factor=rate)
    except InvalidImageError:
        return True
    except WHATEVER:  # told by the round trip
        return False
    return False


def check_refused_pixels(codec: EncodingCodec) -> None:
    """Check that rate factors outside the range, and what is no picture, are refused."""
    rates, pixels = codec.rate_range, _draw_picture(_HEIGHT, _WIDTH)
    for rate in (rates.minimum - 1, rates.maximum + 1, float("nan"), *((rates.minimum + 0.5,) * rates.integer)):
        refuse(f"encode at rate factor {rate:g}", RateFactorError, codec.encode, pixels, rate_factor=rate)
    wrong = {
        "one channel": pixels[:1],
        "pixels in the order (height, width, 3)": pixels.permute(1, 2, 0),
        "a picture without rows": pixels[:, :0],
        "pixels that are NaN": pixels * float("nan"),
    }
    for what, picture in wrong.items():
        refuse(f"encode of {what}", InvalidImageError, codec.encode, picture, rate_factor=rates.place(1))


def _round_trip(codec: EncodingCodec, pixels: Tensor, *, rate: float) -> _RoundTrip:
    of = f"{pixels.shape[2]}×{pixels.shape[1]} pixels encoded at rate factor {rate:g}"
    data = _encode(codec, pixels, rate=rate)
    if not detect(codec, data[:HEADER_BYTES], of=of):
        fail(f"detect on the header of {of}", "True", "False")
    base = decode(codec, data, of=of)
    if base.pixels.shape != pixels.shape:
        fail(f"decode of {of}", f"shape {tuple(pixels.shape)}", str(tuple(base.pixels.shape)))
    return _RoundTrip(data, base, float((base.pixels.cpu() - pixels).square().mean().sqrt()))


def _encode(codec: EncodingCodec, pixels: Tensor, *, rate: float) -> bytes:
    what = f"encode of {pixels.shape[2]}×{pixels.shape[1]} pixels at rate factor {rate:g}"
    data: object = succeed(what, codec.encode, pixels, rate_factor=rate)
    if not isinstance(data, bytes):
        fail(what, "bytes", type(data).__name__)
    return data


def _draw_picture(height: int, width: int) -> Tensor:
    """Draw (3, height, width) float32: red grows to the right, green downwards, blue is a bright square in a corner."""
    import torch

    rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None, :]
    corner = 0.1 + 0.7 * ((rows < 0.4) & (columns < 0.4)).float()
    return torch.stack([columns.expand(height, width), rows.expand(height, width), corner])
