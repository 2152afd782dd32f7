"""The reservoir's guarantees, and the kernel distance against its definition and torch-fidelity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from dirac_enhance.errors import MetricError
from dirac_enhance.metrics import FeatureReservoir, KernelDistance, kernel_distance
from dirac_enhance.metrics.kernel import squared_mmd

if TYPE_CHECKING:
    from torch import Tensor


def random_features(count: int, width: int = 8, *, seed: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + 0.1 * seed


def test_everything_is_kept_in_order_up_to_the_capacity() -> None:
    reservoir, features = FeatureReservoir(20), random_features(20, seed=0)
    for start in range(0, 20, 6):
        reservoir.add(features[start : start + 6])
    assert torch.equal(reservoir.features, features)


def test_memory_is_bounded_and_the_sample_does_not_depend_on_the_batches() -> None:
    features = torch.arange(500.0)[:, None]
    samples = []
    for batch in (1, 37, 500):
        reservoir = FeatureReservoir(16)
        for start in range(0, 500, batch):
            reservoir.add(features[start : start + batch])
        assert reservoir.seen == 500
        assert reservoir.features.untyped_storage().nbytes() == 16 * 4
        samples.append(reservoir.features)
    assert torch.equal(samples[0], samples[1])
    assert torch.equal(samples[0], samples[2])
    assert len(set(samples[0].flatten().tolist())) == 16


def test_late_features_are_as_likely_to_be_kept_as_early_ones() -> None:
    reservoir = FeatureReservoir(1000)
    reservoir.add(torch.arange(4000.0)[:, None])
    quarters = torch.histc(reservoir.features, bins=4, min=0, max=4000)
    # Hypergeometric: 250 a quarter, standard deviation 12.
    assert bool(((quarters - 250).abs() < 50).all())


def test_a_reservoir_for_nothing_is_refused() -> None:
    with pytest.raises(MetricError, match="reservoir of 0 features"):
        FeatureReservoir(0)


def test_squared_mmd_is_its_definition_pair_by_pair() -> None:
    x, y = random_features(4, 3, seed=1).double(), random_features(5, 3, seed=2).double()

    def kernel(a: Tensor, b: Tensor) -> float:
        return ((a @ b).item() / 3 + 1) ** 3

    within_x = sum(kernel(x[i], x[j]) for i in range(4) for j in range(4) if i != j) / (4 * 3)
    within_y = sum(kernel(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    between = sum(kernel(a, b) for a in x for b in y) / (4 * 5)
    assert squared_mmd(x, y) == pytest.approx(within_x + within_y - 2 * between, rel=1e-12)


def test_distance_agrees_with_torch_fidelity_draw_by_draw() -> None:
    metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
    features, originals = random_features(90, seed=3), random_features(110, seed=4)
    settings = {"kid_subsets": 9, "kid_subset_size": 40, "verbose": False}
    expected = metric_kid.kid_features_to_metric(originals.double(), features.double(), **settings)
    found = kernel_distance(features, originals, subsets=9, subset_size=40)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    assert found.std == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-9)
    assert (found.subsets, found.subset_size) == (9, 40)


def test_the_mean_over_subsets_estimates_the_distance_of_everything() -> None:
    features, originals = random_features(400, seed=1), random_features(400, seed=9)
    in_parts = kernel_distance(features, originals, subsets=100, subset_size=200)
    everything = kernel_distance(features, originals)
    assert everything == KernelDistance(squared_mmd(features, originals), 0.0, 1, 400)
    assert in_parts.mean == pytest.approx(everything.mean, abs=5 * in_parts.std / 100**0.5)


def test_the_smaller_side_bounds_the_subsets() -> None:
    assert kernel_distance(random_features(30, seed=1), random_features(50, seed=2), subsets=3).subset_size == 30


def test_sets_of_one_kind_are_at_about_zero_and_may_be_below() -> None:
    distances = [kernel_distance(random_features(60, seed=0), random_features(60, seed=0).flip(0)).mean]
    generator = torch.Generator().manual_seed(5)
    for _ in range(20):
        first, second = torch.randn(2, 60, 8, generator=generator)
        distances.append(kernel_distance(first, second).mean)
    assert min(distances) < 0
    assert abs(sum(distances) / len(distances)) < 0.05


def test_fewer_than_two_features_are_refused() -> None:
    with pytest.raises(MetricError, match="subsets of 1 of 1 and 30 features"):
        kernel_distance(random_features(1, seed=1), random_features(30, seed=2))
