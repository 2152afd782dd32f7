from __future__ import annotations

import math

import pytest
import torch

from dirac_enhance.diffusion.schedule import NoiseSchedule, linear_schedule
from dirac_enhance.errors import SamplingError


def test_linear_schedule_is_the_running_product_of_ddpm() -> None:
    expected, alpha_bar = [], 1.0
    for t in range(1000):
        alpha_bar *= 1 - (1e-4 + (0.02 - 1e-4) * t / 999)
        expected.append(alpha_bar)
    actual = linear_schedule().alpha_bar
    assert actual.dtype == torch.float64
    assert actual.tolist() == pytest.approx(expected, rel=1e-12)


def test_noise_to_signal_rises_from_a_hundredth_to_far_above_one() -> None:
    ratio = linear_schedule().noise_to_signal
    assert float(ratio[0]) == pytest.approx(math.sqrt(1e-4 / (1 - 1e-4)))
    assert float(ratio[-1]) > 100
    assert bool((ratio.diff() > 0).all())


@pytest.mark.parametrize(
    "alpha_bar",
    [
        torch.tensor([0.9, 0.9], dtype=torch.float64),
        torch.tensor([1.0, 0.5], dtype=torch.float64),
        torch.tensor([0.5, 0.0], dtype=torch.float64),
        torch.tensor([0.9, 0.5]),
    ],
)
def test_a_sequence_that_does_not_fall_within_bounds_is_refused(alpha_bar: torch.Tensor) -> None:
    with pytest.raises(SamplingError, match="falling float64"):
        NoiseSchedule(alpha_bar)


def test_betas_out_of_order_are_refused() -> None:
    with pytest.raises(SamplingError, match="beta_start"):
        linear_schedule(beta_start=0.02, beta_end=1e-4)
