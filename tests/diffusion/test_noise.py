from __future__ import annotations

import math

import pytest
import torch

from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.errors import SamplingError
from dirac_enhance.window import Window

MASK = (1 << 64) - 1


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x64-10, written from Salmon et al. 2011."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = c0 * 0xD2E7470EE14C6C93, c2 * 0xCA5A826395121157
        c0, c1, c2, c3 = (p1 >> 64) ^ c1 ^ k0, p1 & MASK, (p0 >> 64) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c0, c1, c2, c3


def normal_at(field: NoiseField, *, step: int, channel: int, row: int, column: int) -> float:
    word = philox((column // 4 + 1, row, channel, step), (field.seed, field.sample))[column % 4]
    radius = math.sqrt(-2 * math.log(((word >> 32) + 0.5) / 2**32))
    return radius * math.cos(2 * math.pi * (word & 0xFFFFFFFF) / 2**32)


def test_the_reference_generator_passes_the_authors_known_answers() -> None:
    # Random123's kat_vectors, philox 4x64 with ten rounds.
    zeros = philox((0, 0, 0, 0), (0, 0))
    assert zeros == (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)
    ones = philox((MASK, MASK, MASK, MASK), (MASK, MASK))
    assert ones == (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)


@pytest.mark.parametrize("field", [NoiseField(0, 0), NoiseField(12345, 7), NoiseField(MASK, MASK)])
def test_every_value_is_the_one_its_address_has_in_an_independent_implementation(field: NoiseField) -> None:
    window = Window(6000, 4095, 3, 7)
    expected = [
        [[normal_at(field, step=3, channel=c, row=6000 + y, column=4095 + x) for x in range(7)] for y in range(3)]
        for c in range(3)
    ]
    torch.testing.assert_close(field.normal(3, window), torch.tensor(expected), rtol=2e-7, atol=1e-12)


def test_values_stay_what_they_were_in_the_first_release() -> None:
    expected = torch.tensor(
        [[[-0.96626586, 0.16684814, -0.116970874, 0.57444465], [-0.52304816, 0.7977905, 0.59425086, -0.31050593]]]
    )
    assert torch.equal(NoiseField(7, 1).normal(2, Window(5, 3, 2, 4), channels=1), expected)


@pytest.mark.parametrize(
    "window", [Window(0, 0, 1, 1), Window(17, 3, 1, 60), Window(31, 5, 40, 2), Window(2, 1, 77, 88)]
)
def test_any_window_is_the_crop_of_a_larger_one_bit_by_bit(window: Window) -> None:
    field = NoiseField(3, 2)
    whole = field.normal(1, Window(0, 0, 80, 90))
    rows, columns = window.slices
    assert torch.equal(field.normal(1, window), whole[:, rows, columns])


def test_windows_larger_than_a_band_are_crops_too() -> None:
    field = NoiseField(0)
    wide = field.normal(0, Window(0, 0, 3, 70_000), channels=1)
    tall = field.normal(0, Window(0, 69_000, 40, 900), channels=1)
    assert torch.equal(wide[:, :, 69_000:69_900], tall[:, :3])


def test_fewer_channels_are_the_first_ones() -> None:
    field, window = NoiseField(5), Window(4, 4, 8, 8)
    assert torch.equal(field.normal(0, window, channels=1), field.normal(0, window)[:1])


def test_mean_deviation_and_tails_are_those_of_a_standard_normal() -> None:
    values = NoiseField(11).normal(0, Window(0, 0, 700, 700)).flatten().double()
    count = len(values)
    assert abs(float(values.mean())) < 4 / math.sqrt(count)
    assert float(values.var()) == pytest.approx(1, abs=4 * math.sqrt(2 / count))
    assert float((values**3).mean()) == pytest.approx(0, abs=4 * math.sqrt(15 / count))
    assert float((values**4).mean()) == pytest.approx(3, abs=4 * math.sqrt(96 / count))
    for limit in (0.5, 1.0, 2.0, 3.0):
        beyond = math.erfc(limit / math.sqrt(2))
        tolerance = 4 * math.sqrt(beyond / count)
        assert float((values.abs() > limit).double().mean()) == pytest.approx(beyond, abs=tolerance)


def test_neighbours_channels_steps_samples_and_seeds_are_independent() -> None:
    window = Window(0, 0, 256, 256)
    field = NoiseField(0, 0).normal(0, window)
    others = {
        "right": (field[:, :, :-1], field[:, :, 1:]),
        "below": (field[:, :-1], field[:, 1:]),
        "channel": (field[0], field[1]),
        "step": (field, NoiseField(0, 0).normal(1, window)),
        "sample": (field, NoiseField(0, 1).normal(0, window)),
        "seed": (field, NoiseField(1, 0).normal(0, window)),
        "transposed": (field, field.transpose(1, 2)),
    }
    for name, (one, other) in others.items():
        correlation = float((one * other).mean())
        bound = 5 if name != "transposed" else 8  # its pairs come twice, and the diagonal with itself
        assert abs(correlation) < bound / math.sqrt(one.numel()), name


def test_drawing_does_not_touch_the_global_generators() -> None:
    state = torch.get_rng_state()
    NoiseField(0).normal(0, Window(0, 0, 4, 4))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("seed", "sample"), [(-1, 0), (0, -1), (1 << 64, 0)])
def test_seeds_out_of_range_are_refused(seed: int, sample: int) -> None:
    with pytest.raises(SamplingError, match=r"expected a whole number from 0 to 2\^64 - 1"):
        NoiseField(seed, sample)


@pytest.mark.parametrize(
    ("step", "window"), [(-1, Window(0, 0, 1, 1)), (0, Window(-1, 0, 1, 1)), (0, Window(0, -1, 1, 1))]
)
def test_negative_addresses_are_refused(step: int, window: Window) -> None:
    with pytest.raises(SamplingError, match="start at 0"):
        NoiseField(0).normal(step, window)
