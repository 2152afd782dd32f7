"""The contract's own values: options, rate ranges and base reconstructions."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch

from dirac_enhance import (
    BaseReconstruction,
    CodecOption,
    CodecOptionError,
    ImageMetadata,
    InvalidImageError,
    RateFactorError,
    RateRange,
    check_options,
)

QUALITY = RateRange(1, 100, integer=True, log_spaced=True, higher_is_better=True, usual=(5, 95))
LAMBDA = RateRange(0.0, 4.0, integer=False, log_spaced=False, higher_is_better=False)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(str, "fast", "fast"), (int, "-3", -3), (float, "2", 2.0), (bool, "Yes", True), (bool, "0", False)],
)
def test_an_option_is_read_from_text_as_its_kind(kind: Any, text: str, value: object) -> None:
    read = CodecOption("speed-limit", kind, kind(), "how fast").parse(text)
    assert (type(read), read) == (kind, value)


@pytest.mark.parametrize(("kind", "text"), [(int, "2.5"), (float, "much"), (bool, "perhaps")])
def test_text_of_another_kind_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(CodecOptionError, match=f"'speed' takes a value of type {kind.__name__}, not '{text}'"):
        CodecOption("speed", kind, kind(), "how fast").parse(text)


def test_values_are_checked_against_declared_names_kinds_and_choices() -> None:
    options = (CodecOption("chroma-planes", int, 3, "how many", (1, 3)), CodecOption("gain", float, 1.0, "how much"))
    assert check_options(options, {"chroma_planes": 1, "gain": 2}) == {"chroma_planes": 1, "gain": 2.0}
    with pytest.raises(CodecOptionError, match="'chroma-planes' is one of 1, 3, not '2'"):
        check_options(options, {"chroma_planes": 2})
    with pytest.raises(CodecOptionError, match="'chroma-planes' takes int, not True"):
        check_options(options, {"chroma_planes": True})
    with pytest.raises(CodecOptionError, match="unknown codec option 'tile-size'; this codec's options: chroma-planes"):
        check_options(options, {"tile_size": 8})


def test_a_rate_range_is_walked_by_ratios_or_by_differences() -> None:
    assert [QUALITY.place(fraction) for fraction in (0, 0.5, 1)] == [5, round(math.sqrt(5 * 95)), 95]
    assert [LAMBDA.place(fraction) for fraction in (0, 0.25, 1)] == [0, 1, 4]


@pytest.mark.parametrize("rate_factor", [0, 101, 50.5, math.nan, math.inf])
def test_a_rate_factor_out_of_range_is_refused(rate_factor: float) -> None:
    assert QUALITY.check(100) == 100
    with pytest.raises(RateFactorError, match="expected a whole number from 1 to 100"):
        QUALITY.check(rate_factor)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [((5, 5, None), "is empty"), ((1, 9, (0, 5)), "are not within 1 to 9"), ((0, 9, None), "must be positive")],
)
def test_a_rate_range_that_cannot_be_is_refused(bounds: tuple[float, float, Any], message: str) -> None:
    low, high, usual = bounds
    with pytest.raises(ValueError, match=message):
        RateRange(low, high, integer=True, log_spaced=True, higher_is_better=True, usual=usual)


def test_a_base_reconstruction_is_frozen_and_knows_its_size_and_rate() -> None:
    base = BaseReconstruction(torch.zeros(3, 4, 10), coded_bytes=15)
    assert (base.height, base.width, base.bits_per_pixel) == (4, 10, 3.0)
    assert (base.alpha, base.rate_factor, base.consistency, base.metadata.orientation) == (None, None, None, 1)
    with pytest.raises(FrozenInstanceError):
        base.coded_bytes = 1  # type: ignore[misc] # that is the point


@pytest.mark.parametrize(
    ("pixels", "alpha", "message"),
    [
        (torch.zeros(4, 10), None, "has \\(3, height, width\\)"),
        (torch.zeros(3, 0, 10), None, "has \\(3, height, width\\)"),
        (torch.zeros(3, 4, 10, dtype=torch.uint8), None, "has float32"),
        (torch.zeros(3, 4, 10, dtype=torch.float64), None, "has float32"),
        (torch.zeros(3, 4, 10), torch.zeros(10, 4), "alpha of shape \\(10, 4\\)"),
    ],
)
def test_tensors_of_another_form_are_refused(pixels: torch.Tensor, alpha: torch.Tensor | None, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message):
        BaseReconstruction(pixels, coded_bytes=1, alpha=alpha)


@pytest.mark.parametrize("details", ["4:2:0", {"chroma": 420}, {1: "layer"}, None])
def test_details_that_are_not_text_are_refused(details: Any) -> None:
    assert BaseReconstruction(torch.zeros(3, 1, 1), coded_bytes=1, details={"chroma": "4:2:0"}).details
    with pytest.raises(InvalidImageError, match="a mapping of text to text"):
        BaseReconstruction(torch.zeros(3, 1, 1), coded_bytes=1, details=details)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32, torch.float64])
def test_decoded_pixels_become_a_base_reconstruction(channels: int, dtype: torch.dtype) -> None:
    levels = torch.randint(0, 256, (channels, 5, 7), generator=torch.Generator().manual_seed(1))
    pixels = levels.to(dtype) if dtype == torch.uint8 else levels.to(dtype) / 255

    base = BaseReconstruction.from_pixels(pixels, metadata=ImageMetadata(orientation=6))

    tolerance = 1e-3 if dtype == torch.float16 else 1e-6
    assert (base.rate_factor, base.coded_bytes, base.bits_per_pixel) == (None, 0, 0)
    assert (base.metadata.grayscale, base.metadata.orientation) == (channels < 3, 6)
    assert torch.allclose(base.pixels, (levels[:1] if channels < 3 else levels[:3]) / 255, atol=tolerance)
    assert (base.alpha is not None) == (channels in (2, 4))
    if base.alpha is not None:
        assert torch.allclose(base.alpha, levels[-1] / 255, atol=tolerance)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(5, 7, 3), r"pixels of shape \(5, 7, 3\); expected \(channels, height, width\) with 1 to 4"),
        (torch.zeros(3, 0, 7), r"pixels of shape \(3, 0, 7\)"),
        (torch.zeros(3, 7), r"pixels of shape \(3, 7\)"),
        (torch.zeros(3, 5, 7, dtype=torch.int64), "pixels of type torch.int64; expected uint8, or floating point"),
        (torch.full((3, 5, 7), 255.0), r"pixels from 255 to 255; expected floating point in \[0, 1\]"),
        (torch.full((3, 5, 7), float("nan")), "pixels from nan to nan"),
    ],
)
def test_pixels_of_another_shape_type_or_range_are_refused(pixels: torch.Tensor, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message):
        BaseReconstruction.from_pixels(pixels)
