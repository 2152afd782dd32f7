from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dirac_enhance.diffusion.process import (
    noise_from_residual,
    q_posterior_mean_variance,
    q_sample,
    residual_from_noise,
)


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def draw(*, seed: int) -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed))


def test_no_noise_left_gives_the_residual_and_no_signal_left_gives_the_noise() -> None:
    residual, noise = draw(seed=0), draw(seed=1)
    assert torch.equal(q_sample(residual, noise, alpha_bar_t=scalar(1.0)), residual)
    assert torch.equal(q_sample(residual, noise, alpha_bar_t=scalar(0.0)), noise)


def test_unit_variance_is_preserved_at_every_timestep() -> None:
    residual, noise = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(0))
    for alpha_bar in (0.01, 0.5, 0.99):
        assert float(q_sample(residual, noise, alpha_bar_t=scalar(alpha_bar)).var()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("alpha_bar", [5e-5, 0.5, 0.9999])
def test_residual_and_noise_convert_into_each_other(alpha_bar: float) -> None:
    residual, noise = draw(seed=0).double(), draw(seed=1).double()
    r_t = q_sample(residual, noise, alpha_bar_t=scalar(alpha_bar))
    torch.testing.assert_close(noise_from_residual(residual, r_t, alpha_bar_t=scalar(alpha_bar)), noise)
    torch.testing.assert_close(residual_from_noise(noise, r_t, alpha_bar_t=scalar(alpha_bar)), residual)


def test_posterior_of_adjacent_timesteps_is_that_of_ddpm() -> None:
    # Ho et al. 2020, equation 7, written with β_t as there.
    beta_t, alpha_bar_s = 0.02, 0.7
    alpha_bar_t = alpha_bar_s * (1 - beta_t)
    r_0, r_t = draw(seed=0).double(), draw(seed=1).double()
    expected = (
        alpha_bar_s**0.5 * beta_t / (1 - alpha_bar_t) * r_0
        + (1 - beta_t) ** 0.5 * (1 - alpha_bar_s) / (1 - alpha_bar_t) * r_t
    )
    mean, variance = q_posterior_mean_variance(
        r_0, r_t, alpha_bar_t=scalar(alpha_bar_t), alpha_bar_s=scalar(alpha_bar_s)
    )
    torch.testing.assert_close(mean, expected)
    assert float(variance) == pytest.approx((1 - alpha_bar_s) / (1 - alpha_bar_t) * beta_t)


def test_posterior_of_distant_timesteps_is_bayes_rule() -> None:
    # For scalars: q(r_s | r_0)·q(r_t | r_s) on a grid, normalised numerically.
    alpha_bar_s, alpha_bar_t, r_0, r_t = 0.9, 0.3, 0.2, -0.4
    alpha = alpha_bar_t / alpha_bar_s
    grid = torch.linspace(-5, 5, 200_001, dtype=torch.float64)
    log_density = -((grid - alpha_bar_s**0.5 * r_0) ** 2) / (2 * (1 - alpha_bar_s)) - (r_t - alpha**0.5 * grid) ** 2 / (
        2 * (1 - alpha)
    )
    weights = log_density.softmax(dim=0)
    mean, variance = q_posterior_mean_variance(
        scalar(r_0), scalar(r_t), alpha_bar_t=scalar(alpha_bar_t), alpha_bar_s=scalar(alpha_bar_s)
    )
    expected = float((weights * grid).sum())
    assert float(mean) == pytest.approx(expected)
    assert float(variance) == pytest.approx(float((weights * (grid - expected) ** 2).sum()))


def test_posterior_before_the_first_timestep_is_the_residual_itself() -> None:
    r_0 = draw(seed=0)
    mean, variance = q_posterior_mean_variance(r_0, draw(seed=1), alpha_bar_t=scalar(0.9), alpha_bar_s=scalar(1.0))
    torch.testing.assert_close(mean, r_0)
    assert float(variance) == 0


def test_posterior_takes_a_timestep_for_each_sample() -> None:
    r_0, r_t = draw(seed=0), draw(seed=1)
    alpha_bar_t, alpha_bar_s = (torch.tensor(values).view(2, 1, 1, 1) for values in ([0.2, 0.6], [0.5, 0.9]))
    mean, variance = q_posterior_mean_variance(r_0, r_t, alpha_bar_t=alpha_bar_t, alpha_bar_s=alpha_bar_s)
    alone, _ = q_posterior_mean_variance(r_0[1:], r_t[1:], alpha_bar_t=scalar(0.6), alpha_bar_s=scalar(0.9))
    assert variance.shape == (2, 1, 1, 1)
    torch.testing.assert_close(mean[1:], alone)
