"""Running mean and covariance against numpy, the Fréchet distance against closed forms and torch-fidelity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dirac_enhance.errors import MetricError
from dirac_enhance.metrics import Gaussian, RunningGaussian, frechet_distance


def random_features(count: int, width: int, *, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(count, width, generator=generator, dtype=torch.float64) @ mixing + seed


def gaussian_of(features: Tensor, *, batch: int = 7) -> Gaussian:
    running = RunningGaussian()
    for start in range(0, len(features), batch):
        running.add(features[start : start + batch])
    return running.gaussian()


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_mean_and_covariance_are_those_of_numpy_in_whichever_batches(batch: int) -> None:
    features = random_features(50, 6, seed=1)
    found = gaussian_of(features, batch=batch)
    torch.testing.assert_close(found.mean, torch.from_numpy(features.numpy().mean(axis=0)))
    torch.testing.assert_close(found.covariance, torch.from_numpy(np.cov(features.numpy(), rowvar=False)))


def test_covariance_survives_a_mean_a_million_times_larger() -> None:
    features = random_features(64, 3, seed=2)
    expected = np.cov(features.numpy(), rowvar=False)
    torch.testing.assert_close(gaussian_of(features + 1e6).covariance, torch.from_numpy(expected), rtol=1e-6, atol=1e-6)


def test_memory_does_not_grow_with_the_number_of_features() -> None:
    running = RunningGaussian()
    for seed in range(5):
        running.add(random_features(100, 4, seed=seed))
        kept = [value for value in vars(running).values() if isinstance(value, Tensor)]
        assert sum(tensor.untyped_storage().nbytes() for tensor in kept) == 8 * (4 + 4 * 4)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_features_have_no_covariance(count: int) -> None:
    running = RunningGaussian()
    if count:
        running.add(torch.zeros(count, 3))
    with pytest.raises(MetricError, match=f"at least 2 features, not {count}"):
        running.gaussian()


def diagonal(mean: list[float], deviations: list[float]) -> Gaussian:
    deviation = torch.tensor(deviations, dtype=torch.float64)
    return Gaussian(torch.tensor(mean, dtype=torch.float64), deviation.square().diag())


def test_distance_of_commuting_gaussians_is_the_closed_form() -> None:
    first, second = diagonal([1, 2, 3], [1, 2, 0]), diagonal([0, 4, 3], [3, 0.5, 1])
    # ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)²
    assert frechet_distance(first, second) == pytest.approx((1 + 4) + (4 + 2.25 + 1), abs=1e-12)


def test_distance_of_two_gaussians_in_the_plane_is_the_closed_form() -> None:
    first = Gaussian(torch.zeros(2).double(), torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double())
    second = Gaussian(torch.ones(2).double(), torch.tensor([[5.0, -2.0], [-2.0, 1.0]]).double())
    # In two dimensions Tr (Σ₁ Σ₂)^½ = √(Tr Σ₁ Σ₂ + 2 √(det Σ₁ det Σ₂)).
    root = ((10 - 2 - 2 + 2) + 2 * (3 * 1) ** 0.5) ** 0.5
    assert frechet_distance(first, second) == pytest.approx(2 + 4 + 6 - 2 * root, abs=1e-12)


def test_distance_is_symmetric_and_zero_to_itself_also_where_the_covariance_is_singular() -> None:
    few, others = (gaussian_of(random_features(5, 40, seed=seed)) for seed in (1, 2))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9 * few.covariance.trace().item())
    assert frechet_distance(few, others) == pytest.approx(frechet_distance(others, few), rel=1e-9)
    constant = gaussian_of(torch.ones(4, 40))
    expected = (few.mean - 1).square().sum() + few.covariance.trace()
    assert frechet_distance(constant, few) == pytest.approx(expected.item(), rel=1e-12)


def test_distance_of_a_shifted_sample_is_the_square_of_the_shift() -> None:
    features = random_features(200, 8, seed=3)
    assert frechet_distance(gaussian_of(features), gaussian_of(features + 2)) == pytest.approx(8 * 2**2, rel=1e-9)


@pytest.mark.parametrize("count", [300, 12])
def test_distance_agrees_with_torch_fidelity(count: int) -> None:
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    first, second = random_features(count, 16, seed=4), random_features(300, 16, seed=5)
    statistics = [metric_fid.fid_features_to_statistics(features) for features in (first, second)]
    expected = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(gaussian_of(first), gaussian_of(second)) == pytest.approx(expected, rel=1e-5)
