"""Training pairs: originals, reconstructions and rate factors that belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from dirac_enhance.training.batches import endless_batches
from dirac_enhance.training.images import load_pool
from dirac_enhance.training.pairs import PairMaker, PairRecipe, draw_rate_factor
from dirac_enhance.training.weighting import REFERENCE_POWER, RatePower, measure_rate_power

if TYPE_CHECKING:
    from tests.training.conftest import QuantisingCodec, SteppedCodec

PLAIN = PairRecipe(
    crop_size=32, rate_bounds=(4, 32), varied_options=0, recompressed=0, shifted=0, rate_hidden=0, gray=0
)


@pytest.fixture
def maker(photographs: Path, codec: SteppedCodec) -> PairMaker:
    return PairMaker(load_pool(photographs, smallest_side=48), codec, PLAIN)


def test_a_plain_pair_is_a_crop_and_its_reconstruction(maker: PairMaker, codec: SteppedCodec) -> None:
    batch = maker.draw_batch(np.random.default_rng(0), 6)
    assert batch.original.shape == batch.base_reconstruction.shape == (6, 3, 32, 32)
    for original, base, rate in zip(batch.original, batch.base_reconstruction, batch.rate_factor, strict=True):
        coded = codec.encode(original.float() / 255, rate_factor=rate.item())
        assert torch.equal((codec.decode(coded).pixels * 255).round().byte(), base)


def test_the_same_seed_draws_the_same_pairs(maker: PairMaker) -> None:
    one, other = (maker.draw_batch(np.random.default_rng(7), 3) for _ in range(2))
    assert torch.equal(one.base_reconstruction, other.base_reconstruction)
    assert torch.equal(one.rate_factor, other.rate_factor)


def test_rate_factors_are_half_log_uniform_half_uniform(maker: PairMaker) -> None:
    rates = maker.draw_batch(np.random.default_rng(1), 1500).rate_factor
    assert rates.min() >= 4
    assert rates.max() <= 32
    middle = (4 * 32) ** 0.5
    expected = (0.5 + (middle - 4) / (32 - 4)) / 2
    assert (rates < middle).float().mean().item() == pytest.approx(expected, abs=0.05)


def test_rate_factors_that_are_not_log_spaced_are_uniform_even_from_zero(qp_codec: QuantisingCodec) -> None:
    generator = np.random.default_rng(1)
    rates = [draw_rate_factor(generator, qp_codec.rate_range, bounds=(0, 40)) for _ in range(1500)]
    assert (min(rates), max(rates)) == (0, 40)
    assert np.mean(rates) == pytest.approx(20, abs=1)
    assert np.mean([rate < 10 for rate in rates]) == pytest.approx(0.25, abs=0.05)


def test_a_hidden_rate_factor_is_known_to_the_loss_only(maker: PairMaker) -> None:
    batch = replace(maker, recipe=replace(PLAIN, rate_hidden=1)).draw_batch(np.random.default_rng(0), 4)
    assert batch.known_rate_factor.isnan().all()
    assert batch.rate_factor.isfinite().all()


def test_a_shifted_pair_is_still_aligned_with_its_original(maker: PairMaker) -> None:
    batch = replace(maker, recipe=replace(PLAIN, shifted=1, rate_bounds=(31, 32))).draw_batch(
        np.random.default_rng(0), 8
    )
    error = (batch.original.float() - batch.base_reconstruction.float()).abs().max()
    assert error <= 255 / 31 / 2 + 1.5
    assert batch.known_rate_factor.isnan().all()


def test_a_recompressed_pair_carries_the_damage_of_both(maker: PairMaker) -> None:
    once, twice = (
        replace(maker, recipe=replace(PLAIN, recompressed=probability)).draw_batch(np.random.default_rng(0), 400)
        for probability in (0, 1)
    )
    powers = [(b.original.float() - b.base_reconstruction.float()).square().mean() for b in (once, twice)]
    assert powers[1] > 1.3 * powers[0]


def test_a_rate_factor_is_not_told_where_an_earlier_coding_was_worse(maker: PairMaker) -> None:
    batch = replace(maker, recipe=replace(PLAIN, recompressed=1)).draw_batch(np.random.default_rng(0), 200)
    told = batch.known_rate_factor.isfinite()
    assert 0.3 < told.float().mean() < 0.7
    assert torch.equal(batch.known_rate_factor[told], batch.rate_factor[told])
    power = (batch.original.float() - batch.base_reconstruction.float()).square().mean(dim=(1, 2, 3))
    step = batch.rate_factor if not maker.codec.rate_range.higher_is_better else 1 / batch.rate_factor
    ratio = power / step.square()  # the worse coding explains the damage, told or not
    assert 0.5 < ratio[told].mean() / ratio[~told].mean() < 2


def test_where_lower_is_better_the_worse_of_two_codings_is_the_higher(
    photographs: Path, qp_codec: QuantisingCodec
) -> None:
    recipe = replace(PLAIN, recompressed=1, rate_bounds=(22, 45))
    batch = PairMaker(load_pool(photographs, smallest_side=48), qp_codec, recipe).draw_batch(
        np.random.default_rng(0), 60
    )
    told = batch.known_rate_factor.isfinite()
    assert 0.3 < told.float().mean() < 0.7
    assert torch.equal(batch.known_rate_factor[told], batch.rate_factor[told])
    assert batch.rate_factor[~told].mean() > batch.rate_factor[told].mean() - 5
    assert batch.rate_factor.mean() > 35  # of two uniform draws from 22 … 45, the larger


def test_options_declared_for_it_are_varied(maker: PairMaker) -> None:
    coarse = replace(PLAIN, varied_options=1, rate_bounds=(4, 4.4))
    batch = replace(maker, recipe=coarse).draw_batch(np.random.default_rng(0), 40)
    bias = (batch.original.float() - batch.base_reconstruction.float()).mean(dim=(1, 2, 3))
    assert (bias < -15).any()
    assert (bias > -15).any()


def test_gray_pairs_have_no_colour(maker: PairMaker) -> None:
    original = replace(maker, recipe=replace(PLAIN, gray=1)).draw_batch(np.random.default_rng(0), 2).original
    assert torch.equal(original[:, 0], original[:, 1])
    assert torch.equal(original[:, 0], original[:, 2])


def test_worker_processes_make_the_batches_that_one_process_makes(maker: PairMaker) -> None:
    here, there = (next(endless_batches(maker, batch_size=2, workers=workers, seed=(5,))) for workers in (0, 1))
    assert torch.equal(here.original, there.original)
    assert torch.equal(here.base_reconstruction, there.base_reconstruction)


def test_measured_power_falls_as_the_rate_rises_and_weighs_against_it(maker: PairMaker) -> None:
    power = measure_rate_power(maker.draw_batch(np.random.default_rng(0), 400))
    assert list(power.rates) == sorted(set(power.rates))
    assert power.powers[0] > 8 * power.powers[-1]
    low, high = power.weight(torch.tensor([4.0, 32.0]), exponent=1)
    assert high > 8 * low
    assert power.standard_deviations()[0] == (power.rates[0], power.powers[0] ** 0.5)


def test_power_is_measured_and_interpolated_over_rate_factors_from_zero(
    photographs: Path, qp_codec: QuantisingCodec
) -> None:
    maker = PairMaker(load_pool(photographs, smallest_side=48), qp_codec, replace(PLAIN, rate_bounds=(0, 45)))
    power = measure_rate_power(maker.draw_batch(np.random.default_rng(0), 400), log_spaced=False)
    assert power.powers[-1] > 8 * power.powers[0]
    weights = power.weight(torch.tensor([0.0, 22.0, 45.0, 63.0]), exponent=1)
    assert weights.isfinite().all()
    assert weights[0] >= weights[1] > weights[2] == weights[3]


def test_power_at_a_single_rate_factor_has_a_single_row(maker: PairMaker) -> None:
    batch = maker.draw_batch(np.random.default_rng(0), 24)
    power = measure_rate_power(replace(batch, rate_factor=torch.full((24,), 37.0)))
    assert len(power.rates) == len(power.powers) == 1
    one, other = power.weight(torch.tensor([22.0, 37.0]), exponent=1)
    assert one == other


def test_the_reference_power_weighs_one() -> None:
    power = RatePower((5.0, 20.0, 80.0), (4 * REFERENCE_POWER, REFERENCE_POWER, REFERENCE_POWER / 4))
    rates = torch.tensor([10.0, 20.0])
    torch.testing.assert_close(power.weight(rates, exponent=1), torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(power.weight(rates, exponent=0.5), torch.tensor([0.5**0.5, 1.0]))
    torch.testing.assert_close(power.weight(rates, exponent=0), torch.ones(2))
