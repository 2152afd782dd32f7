"""Solvers of the probability-flow equation: from r_t and r̂_0 to the noised residual of an earlier timestep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from dirac_enhance.errors import SamplingError

Solver = Literal["ddim", "dpm-solver++"]
"""DDIM, the paper's, of first order; or DPM-Solver++(2M), of second order from the third evaluation on."""


@dataclass(frozen=True, slots=True)
class Update:
    """r_s = noised_residual·r_t + predicted_residual·r̂_0 + previous_residual·r̂_0' + noise·z, as float64 weights.

    Args:
        noised_residual: weight of r_t.
        predicted_residual: weight of r̂_0, predicted at t.
        previous_residual: weight of r̂_0', predicted one evaluation before; 0 in a solver of first order.
        noise: weight of fresh noise z; 0 where η is 0.
    """

    noised_residual: float
    predicted_residual: float
    previous_residual: float = 0.0
    noise: float = 0.0


def plan_updates(alpha_bar: Sequence[float], *, solver: Solver, eta: float) -> tuple[Update, ...]:
    """List the updates between evaluations.

    Args:
        alpha_bar: ᾱ_t of each evaluation in (0, 1), rising.
        solver: which.
        eta: η in [0, 1] of DDIM; DPM-Solver++ takes 0 only.

    Returns:
        One fewer than there are evaluations.

    Raises:
        SamplingError: if there is no such solver, or it does not take `eta`.
    """
    if not 0 <= eta <= 1:
        raise SamplingError(f"eta {eta:g} given; expected a number from 0 (deterministic) to 1 (ancestral)")
    if solver == "ddim":
        return tuple(ddim_update(alpha_bar_t=t, alpha_bar_s=s, eta=eta) for t, s in pairwise(alpha_bar))
    if solver != "dpm-solver++":
        raise SamplingError(f"solver '{solver}' given; expected 'ddim' or 'dpm-solver++'")
    if eta > 0:
        raise SamplingError(f"eta {eta:g} given, but dpm-solver++ is deterministic; leave eta at 0, or take ddim")
    return tuple(
        dpm_solver_update(alpha_bar_t=t, alpha_bar_s=s, alpha_bar_previous=previous)
        for previous, (t, s) in zip((None, *alpha_bar), pairwise(alpha_bar), strict=False)
    )


def ddim_update(*, alpha_bar_t: float, alpha_bar_s: float, eta: float) -> Update:
    """Return the weights of the DDIM update from t to an earlier s (Song et al. 2021, equations 12 and 16).

    With ε̂ = (r_t − √ᾱ_t r̂_0)/√(1 − ᾱ_t) the paper's r_s = √ᾱ_s r̂_0 + √(1 − ᾱ_s − σ²) ε̂ + σ z, where
    σ = η·√((1 − ᾱ_s)/(1 − ᾱ_t))·√(1 − ᾱ_t/ᾱ_s). η = 0 is deterministic, η = 1 draws from q(r_s | r_t, r̂_0).

    Args:
        alpha_bar_t: ᾱ_t in (0, 1).
        alpha_bar_s: ᾱ_s in (ᾱ_t, 1].
        eta: η in [0, 1].
    """
    sigma = eta * math.sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)) * math.sqrt(1 - alpha_bar_t / alpha_bar_s)
    direction = math.sqrt(max(0.0, 1 - alpha_bar_s - sigma**2)) / math.sqrt(1 - alpha_bar_t)
    return Update(direction, math.sqrt(alpha_bar_s) - direction * math.sqrt(alpha_bar_t), noise=sigma)


def dpm_solver_update(*, alpha_bar_t: float, alpha_bar_s: float, alpha_bar_previous: float | None) -> Update:
    """Return the weights of the DPM-Solver++(2M) update from t to an earlier s (Lu et al. 2022, algorithm 2).

    In λ = ln(√ᾱ/√(1 − ᾱ)), half the log-SNR, the step is h = λ_s − λ_t, the one before it h', and
    r_s = √(1 − ᾱ_s)/√(1 − ᾱ_t) r_t − √ᾱ_s (e^−h − 1) D, where D = (1 + h/2h') r̂_0 − h/2h' r̂_0' is r̂_0
    extrapolated to the middle of the step. Without a step before, D = r̂_0, and the update is DDIM's at η = 0.

    Args:
        alpha_bar_t: ᾱ_t in (0, 1).
        alpha_bar_s: ᾱ_s in (ᾱ_t, 1).
        alpha_bar_previous: ᾱ in (0, ᾱ_t) of the evaluation before, or None where there is none.
    """
    h = _half_log_snr(alpha_bar_s) - _half_log_snr(alpha_bar_t)
    shrunk = math.sqrt(1 - alpha_bar_s) / math.sqrt(1 - alpha_bar_t)
    gained = -math.sqrt(alpha_bar_s) * math.expm1(-h)
    if alpha_bar_previous is None:
        return Update(shrunk, gained)
    ahead = h / (2 * (_half_log_snr(alpha_bar_t) - _half_log_snr(alpha_bar_previous)))
    return Update(shrunk, gained * (1 + ahead), previous_residual=-gained * ahead)


def _half_log_snr(alpha_bar: float) -> float:
    return math.log(alpha_bar / (1 - alpha_bar)) / 2
