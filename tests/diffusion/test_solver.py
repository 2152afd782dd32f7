from __future__ import annotations

import math
import re
from dataclasses import astuple
from typing import Any

import pytest
import torch
from torch import Tensor

from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.diffusion.sampler import sample_residual
from dirac_enhance.diffusion.schedule import NoiseSchedule, linear_schedule
from dirac_enhance.diffusion.solver import Solver, ddim_update, dpm_solver_update, plan_updates
from dirac_enhance.diffusion.trajectory import Evaluation
from dirac_enhance.errors import SamplingError

ALPHA_BARS = [float(linear_schedule().alpha_bar[t]) for t in (990, 190, 60, 15, 4)]


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_a_ddim_update_keeps_the_noise_s_deviation(eta: float) -> None:
    # r_t = √ᾱ_t r_0 + √(1 − ᾱ_t) ε must become the same with s for t: signal and variance apart.
    update = ddim_update(alpha_bar_t=0.3, alpha_bar_s=0.8, eta=eta)
    assert update.noised_residual * math.sqrt(0.3) + update.predicted_residual == pytest.approx(math.sqrt(0.8))
    assert (update.noised_residual**2) * (1 - 0.3) + update.noise**2 == pytest.approx(1 - 0.8)
    assert (update.noise == 0) == (eta == 0)


def test_a_ddim_update_to_no_noise_at_all_is_the_predicted_residual() -> None:
    update = ddim_update(alpha_bar_t=0.3, alpha_bar_s=1.0, eta=1.0)
    assert astuple(update) == (0, 1, 0, 0)


@pytest.mark.parametrize("t", range(4))
def test_dpm_solver_of_first_order_is_ddim(t: int) -> None:
    places = {"alpha_bar_t": ALPHA_BARS[t], "alpha_bar_s": ALPHA_BARS[t + 1]}
    first = dpm_solver_update(**places, alpha_bar_previous=None)
    assert astuple(first) == pytest.approx(astuple(ddim_update(**places, eta=0)), rel=1e-12)


def test_a_second_order_update_keeps_signal_and_noise_of_a_constant_prediction() -> None:
    # Where r̂_0 does not change there is nothing to extrapolate: any order makes the same exact step.
    first, second = (
        dpm_solver_update(alpha_bar_t=0.3, alpha_bar_s=0.8, alpha_bar_previous=previous) for previous in (None, 0.1)
    )
    assert second.noised_residual == first.noised_residual
    assert second.predicted_residual + second.previous_residual == pytest.approx(first.predicted_residual)
    assert second.previous_residual < 0


def test_a_second_order_update_is_exact_to_the_integral_of_a_linear_prediction_but_for_third_order() -> None:
    # r_s = σ_s/σ_t r_t + σ_s ∫ e^λ r̂_0(λ) dλ over [λ_t, λ_s] (Lu et al. 2022, proposition 4.1), by quadrature.
    def alpha_bar(half_log_snr: float) -> float:
        return 1 / (1 + math.exp(-2 * half_log_snr))

    def miss(h: float) -> float:
        update = dpm_solver_update(
            alpha_bar_t=alpha_bar(0.0), alpha_bar_s=alpha_bar(h), alpha_bar_previous=alpha_bar(-0.7 * h)
        )
        lambdas = torch.linspace(0, h, 10_001, dtype=torch.float64)
        integral = float(torch.trapezoid(lambdas.exp() * (0.2 + lambdas), lambdas))
        exact = math.sqrt(1 - alpha_bar(h)) * integral
        return abs(update.predicted_residual * 0.2 + update.previous_residual * (0.2 - 0.7 * h) - exact)

    assert miss(0.1) / miss(0.05) == pytest.approx(8, rel=0.1)


class _GaussianPosteriorMean:
    """E[r_0 | r_t] of r_0 ~ N(0, s²); remembers every r_t."""

    def __init__(self, schedule: NoiseSchedule, s: float) -> None:
        self.alpha_bar, self.s = schedule.alpha_bar, s
        self.noised: list[Tensor] = []

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        self.noised.append(noised_residual.clone())
        alpha_bar = float(self.alpha_bar[timestep])
        return math.sqrt(alpha_bar) * self.s**2 / (alpha_bar * self.s**2 + 1 - alpha_bar) * noised_residual


def _error(solver: Solver, updates: int, s: float = 0.1) -> float:
    """Relative error of r_t at the last evaluation, after so many updates even in log-SNR.

    Of a Gaussian residual the exact solution is known: r_t/√(ᾱ_t s² + 1 − ᾱ_t) does not change along it.
    """
    # Around the λ where the residual meets its noise, as there r̂_0 changes.
    half_log_snr = torch.linspace(math.log(1 / s) + 3, math.log(1 / s) - 3, updates + 1, dtype=torch.float64)
    schedule = NoiseSchedule(torch.sigmoid(2 * half_log_snr))
    predictor = _GaussianPosteriorMean(schedule, s)
    walk = sample_residual(
        predictor,
        torch.zeros(1, 3, 2, 3, dtype=torch.float64),
        schedule=schedule,
        evaluations=[Evaluation(1 + updates - t, t) for t in range(updates, -1, -1)],
        noise=NoiseField(1),
        solver=solver,
    )
    list(walk)
    deviation = (schedule.alpha_bar * s**2 + 1 - schedule.alpha_bar).sqrt()
    exact = predictor.noised[0] * float(deviation[0] / deviation[-1])
    return float((predictor.noised[-1] / exact - 1).abs().max())


@pytest.mark.parametrize(("solver", "factor"), [("ddim", 2.0), ("dpm-solver++", 4.0)])
def test_the_error_falls_with_the_solver_s_order_when_steps_double(solver: Solver, factor: float) -> None:
    coarse, middle, fine = (_error(solver, updates) for updates in (64, 128, 256))
    assert coarse / middle == pytest.approx(factor, rel=0.1)
    assert middle / fine == pytest.approx(factor, rel=0.05)


def test_the_second_order_solver_is_nearer_to_the_exact_solution_with_few_steps() -> None:
    assert _error("dpm-solver++", 8) < _error("ddim", 8) / 3


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_solvers_part_at_the_third_evaluation(count: int) -> None:
    alpha_bar = ALPHA_BARS[:count]
    ddim, dpm = (plan_updates(alpha_bar, solver=solver, eta=0) for solver in ("ddim", "dpm-solver++"))
    assert len(ddim) == len(dpm) == count - 1
    assert [update.previous_residual != 0 for update in dpm] == [index > 0 for index in range(count - 1)]
    assert all(update.previous_residual == 0 for update in ddim)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": "heun"}, "solver 'heun' given; expected 'ddim' or 'dpm-solver++'"),
        ({"eta": 0.5}, "eta 0.5 given, but dpm-solver++ is deterministic; leave eta at 0"),
        ({"eta": 2.0}, "eta 2 given; expected a number from 0"),
    ],
)
def test_settings_a_solver_does_not_have_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SamplingError, match=re.escape(message)):
        plan_updates(ALPHA_BARS, **{"solver": "dpm-solver++", "eta": 0.0, **settings})
