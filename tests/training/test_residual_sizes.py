"""How large residuals are at each rate factor, and the thresholds measured from them."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.batches import PairBatch
from dirac_enhance.training.images import load_pool
from dirac_enhance.training.pairs import PairMaker, PairRecipe
from dirac_enhance.training.rate_groups import group_by_rate
from dirac_enhance.training.residual_sizes import ResidualSizes, count_residuals, measure_residual_sizes

if TYPE_CHECKING:
    from tests.training.conftest import QuantisingCodec, SteppedCodec


def batch_of(magnitudes: dict[float, list[int]], *, known: bool = True) -> PairBatch:
    """One pair of 10×10 pixels a rate factor: the magnitudes in turn, in both directions."""
    base = torch.full((len(magnitudes), 3, 10, 10), 100, dtype=torch.uint8)
    rows = [torch.tensor(row).repeat(math.ceil(300 / len(row)))[:300].view(3, 10, 10) for row in magnitudes.values()]
    signs = torch.tensor([1, -1]).repeat(150).view(3, 10, 10)
    original = torch.stack([(100 + signs * row).byte() for row in rows])
    rates = torch.tensor(list(magnitudes))
    return PairBatch(original, base, rates, rates if known else torch.full_like(rates, math.nan))


def test_a_threshold_holds_the_percentage_asked_for_and_no_more() -> None:
    sizes = measure_residual_sizes(batch_of({10.0: list(range(20)), 50.0: [0, 0, 0, 0, 0, 0, 0, 0, 1, 7]}))
    assert [round(127.5 * limit, 6) for _, limit in sizes.thresholds(50)] == [9.5, 0.5]
    assert [round(127.5 * limit, 6) for _, limit in sizes.thresholds(90)] == [17.5, 1.5]
    assert [round(127.5 * limit, 6) for _, limit in sizes.thresholds(90.1)] == [18.5, 7.5]
    assert [round(127.5 * limit, 6) for _, limit in sizes.thresholds(100)] == [19.5, 7.5]
    assert [rate for rate, _ in sizes.thresholds(50)] == [10.0, 50.0]


def test_the_counts_are_those_of_all_samples_whatever_their_sign() -> None:
    (counts,) = measure_residual_sizes(batch_of({10.0: [3, 5]})).counts.values()
    assert (sum(counts), counts[3], counts[5]) == (300, 150, 150)


def test_a_range_is_never_empty_and_never_beyond_one() -> None:
    sizes = ResidualSizes({1.0: (1,) + (0,) * 255, 2.0: (0,) * 255 + (1,)})
    assert [limit for _, limit in sizes.thresholds(99.9)] == [0.5 / 127.5, 1.0]


def test_signed_counts_tell_the_channels_apart() -> None:
    original = torch.tensor([[[255]], [[0]], [[9]]], dtype=torch.uint8)
    base = torch.tensor([[[0]], [[255]], [[9]]], dtype=torch.uint8)
    assert count_residuals(original, base).nonzero().tolist() == [[0, 510], [1, 0], [2, 255]]


def test_pairs_whose_rate_factor_nobody_knows_do_not_count() -> None:
    sizes = measure_residual_sizes(batch_of({10.0: [3]}, known=False))
    assert sizes.counts == {}
    with pytest.raises(TrainingError, match="leave out --thresholds"):
        sizes.thresholds(99)


@pytest.mark.parametrize("percentile", [0, -1, 100.5])
def test_a_percentage_out_of_range_is_refused(percentile: float) -> None:
    with pytest.raises(TrainingError, match="above 0 and up to 100"):
        ResidualSizes({1.0: (1,)}).thresholds(percentile)


def test_any_codec_has_twenty_thresholds_that_shrink_as_its_rate_grows(
    photographs: Path, codec: SteppedCodec, qp_codec: QuantisingCodec
) -> None:
    pool, generator = load_pool(photographs, smallest_side=48), np.random.default_rng(0)
    fine = PairMaker(pool, codec, PairRecipe(crop_size=32, rate_bounds=(4, 32), varied_options=0, recompressed=0))
    coarse = PairMaker(pool, qp_codec, PairRecipe(crop_size=32, rate_bounds=(20, 45), recompressed=0))
    for maker, log_spaced in ((fine, True), (coarse, False)):
        rows = measure_residual_sizes(maker.draw_batch(generator, 300), log_spaced=log_spaced).thresholds(99)
        assert 15 <= len(rows) <= 20
        assert all(one < other for (one, _), (other, _) in pairwise(rows))
        limits = [limit for _, limit in rows]
        larger_first = limits if maker is fine else limits[::-1]
        assert larger_first[0] > 3 * larger_first[-1]


def test_groups_are_equally_filled_and_one_rate_factor_is_one_group() -> None:
    groups = group_by_rate(torch.tensor([5.0] * 30 + [float(rate) for rate in range(10, 40)]), log_spaced=False)
    assert {len(indices) for rate, indices in groups.items() if rate > 5} == {3}
    assert len(groups[5.0]) == 30
    assert list(groups) == sorted(groups)
    assert group_by_rate(torch.tensor([4.0, 16.0] * 20)[:2], log_spaced=True).keys() == {4.0, 16.0}
