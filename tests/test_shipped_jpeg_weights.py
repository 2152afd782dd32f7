"""The shipped JPEG enhancer on a photograph: pixels of unknown history, and tiles and batches at default precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy
import pytest
import torch
from torch import Tensor

from dirac_enhance import BaseReconstruction, Enhancer, load_enhancer
from dirac_enhance.metrics import psnr, round_to_8_bits
from dirac_enhance.sampling import SamplingSettings
from dirac_enhance_jpeg import JpegCodec

CODEC = JpegCodec()


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def enhancer() -> Enhancer:
    return load_enhancer("jpeg", device="cpu")


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """The portrait that comes with scikit-image, (3, 512, 512) float32 in [0, 1]."""
    data = pytest.importorskip("skimage.data")
    return torch.from_numpy(numpy.array(data.astronaut())).permute(2, 0, 1).float() / 255


def decoded(original: Tensor, quality: int) -> BaseReconstruction:
    return CODEC.decode(CODEC.encode(original, rate_factor=quality))


def decibels(pixels: Tensor, original: Tensor) -> float:
    return float(psnr(round_to_8_bits(pixels)[None], original[None]))


@pytest.mark.parametrize("steps", [1, 100])
@pytest.mark.parametrize("quality", [10, 40])
def test_pixels_of_unknown_quality_come_nearer_to_the_original(
    enhancer: Enhancer, portrait: Tensor, quality: int, steps: int
) -> None:
    """A screenshot of a JPEG: no codec runs, so nothing tells the rate factor."""
    original = portrait[:, 20:148, 160:288]
    screenshot = BaseReconstruction.from_pixels(decoded(original, quality).pixels)
    assert screenshot.rate_factor is None

    enhanced = enhancer.enhance(screenshot, steps=steps)

    assert decibels(enhanced, original) > decibels(screenshot.pixels, original) + 0.2


@pytest.mark.parametrize("tile", [64, 160])
def test_tiles_differ_by_at_most_one_level(enhancer: Enhancer, portrait: Tensor, tile: int) -> None:
    """The picture is wider than a tile and the 112 pixels that the network sees to either side."""
    base = decoded(portrait[:, 100:148, :], 10)
    tiled = load_enhancer("jpeg", device="cpu", tile=tile)

    whole, parts = (each.enhance(base, steps=100) for each in (enhancer, tiled))

    assert_at_most_a_level_apart(parts, whole)
    assert float((whole - base.pixels).abs().max()) > 10 / 255


def test_a_batch_of_three_differs_by_at_most_one_level(enhancer: Enhancer, portrait: Tensor) -> None:
    """Of different sizes that are padded to one, and of different quality or none that is known."""
    bases = [
        decoded(portrait[:, :72, 200:328], 10),
        decoded(portrait[:, 150:221, 200:327], 60),
        replace(decoded(portrait[:, 300:372, 100:228], 20), rate_factor=None),
    ]

    together = enhancer.enhance_batch(bases, SamplingSettings(steps=100))

    for base, pixels in zip(bases, together, strict=True):
        assert_at_most_a_level_apart(pixels, enhancer.enhance(base, steps=100))


def assert_at_most_a_level_apart(one: Tensor, other: Tensor) -> None:
    assert one.shape == other.shape
    assert float((one - other).abs().max()) <= 1 / 255
