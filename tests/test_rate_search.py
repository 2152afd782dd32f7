"""Rate search against codecs whose sizes are known, and against every rate factor of the JPEG codec."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
import torch
from torch import Tensor

from dirac_enhance import EncodingCodec, RateFactorError, RateRange
from dirac_enhance.rate_search import TOLERANCE, Encoding, encode_at, search_rate
from dirac_enhance_jpeg import JpegCodec

PIXELS = torch.zeros(3, 100, 80)  # 8000 pixels: a file of n thousand bytes takes n bpp


@dataclass
class SizedCodec:
    """Encodes to as many thousand bytes as `size` says; the part of a codec that rate search uses."""

    rate_range: RateRange
    size: Callable[[float], float]
    encoded: list[float] = field(default_factory=list)

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        self.encoded.append(self.rate_range.check(rate_factor))
        return bytes(round(1000 * self.size(rate_factor)))


def search(codec: SizedCodec, target: float) -> Encoding:
    return search_rate(cast("EncodingCodec", codec), PIXELS, target_bpp=target)


QUALITY = RateRange(1, 100, integer=True, log_spaced=True, higher_is_better=True, usual=(5, 95))
QP = RateRange(0, 63, integer=True, log_spaced=False, higher_is_better=False)
LAMBDA = RateRange(1e-4, 1.0, integer=False, log_spaced=True, higher_is_better=True)
STEP = RateRange(0.0, 8.0, integer=False, log_spaced=False, higher_is_better=False)


@pytest.mark.parametrize(
    ("rates", "size", "target", "rate_factor"),
    [
        (QUALITY, lambda q: q / 10, 4.2, 42),
        (QUALITY, lambda q: q / 10, 0.1, 1),
        (QUALITY, lambda q: q / 10, 10, 100),
        (QUALITY, lambda q: q / 10, 0.16, 2),
        (QP, lambda qp: 2 ** ((63 - qp) / 6), 4 * 2**0.5, 48),
        (QP, lambda qp: 2 ** ((63 - qp) / 6), 1.0, 63),
        (LAMBDA, lambda rate: 1 + math.log10(rate) / 8, 0.75, 0.01),
        (STEP, lambda step: 9 - step, 3.5, 5.5),
    ],
)
def test_finds_the_rate_factor_of_a_size(
    rates: RateRange, size: Callable[[float], float], target: float, rate_factor: float
) -> None:
    codec = SizedCodec(rates, size)

    found = search(codec, target)

    assert found.rate_factor == pytest.approx(rate_factor, rel=0.07)
    assert abs(found.bits_per_pixel - min((size(rate_factor), target), key=lambda each: abs(each - target))) < 0.05
    assert found.bits_per_pixel == 8 * len(found.content) / 8000
    assert len(codec.encoded) == len(set(codec.encoded))


def test_jpeg_search_finds_the_nearest_of_all_qualities() -> None:
    codec, pixels = JpegCodec(), torch.rand(3, 48, 40, generator=torch.Generator().manual_seed(1))
    sizes = [encode_at(codec, pixels, rate_factor=quality).bits_per_pixel for quality in range(1, 101)]

    for target in (0.95 * sizes[30] + 0.05 * sizes[31], sizes[0], sizes[99], 6.0):
        nearest = min(abs(size - target) for size in sizes)
        miss = abs(search_rate(codec, pixels, target_bpp=target).bits_per_pixel - target)
        assert miss <= max(nearest, TOLERANCE * target)


def test_slow_encoder_is_asked_seldom() -> None:
    codec = SizedCodec(QP, lambda qp: 2 ** ((63 - qp) / 6))

    search(codec, 7.3)

    assert len(codec.encoded) <= 8
    assert not {0.0, 63.0} & set(codec.encoded)


def test_continuous_search_ends_where_sizes_come_in_jumps() -> None:
    codec = SizedCodec(STEP, lambda step: 9 if step < 3 else 1)

    assert search(codec, 4).bits_per_pixel == 1
    assert len(codec.encoded) < 30


def test_every_attempt_is_reported() -> None:
    codec, attempts = SizedCodec(QUALITY, lambda q: q / 10), list[Encoding]()

    search_rate(cast("EncodingCodec", codec), PIXELS, target_bpp=4.25, attempt=attempts.append)

    assert [attempt.rate_factor for attempt in attempts] == codec.encoded


@pytest.mark.parametrize(
    ("rates", "target", "message"),
    [
        (QUALITY, 0.05, r"0\.05 bpp is out of reach: this picture takes at least 0\.1 bpp, at rate factor 1;"),
        (QUALITY, 11, r"11 bpp is out of reach: this picture takes at most 10 bpp, at rate factor 100; pass another"),
        (QUALITY, 0, "0 bpp wanted; expected a number above 0"),
        (QUALITY, math.inf, "inf bpp wanted"),
        (QUALITY, math.nan, "nan bpp wanted"),
    ],
)
def test_target_out_of_reach_is_refused(rates: RateRange, target: float, message: str) -> None:
    with pytest.raises(RateFactorError, match=message):
        search(SizedCodec(rates, lambda rate: rate / 10), target)


def test_worst_and_best_end_are_told_apart_where_lower_is_better() -> None:
    codec = SizedCodec(QP, lambda qp: 10 - qp / 10)

    with pytest.raises(RateFactorError, match=r"takes at least 3\.7 bpp, at rate factor 63"):
        search(codec, 1)
    with pytest.raises(RateFactorError, match=r"takes at most 10 bpp, at rate factor 0"):
        search(codec, 12)
