"""The forward process q(r_t | r_0), its posterior, and the conversions between residual and noise, in closed form."""

from __future__ import annotations

from torch import Tensor


def q_sample(residual: Tensor, noise: Tensor, *, alpha_bar_t: Tensor) -> Tensor:
    """Draw r_t from q(r_t | r_0) = N(√ᾱ_t r_0, (1 − ᾱ_t) I) (DIRAC section A.1).

    Args:
        residual: r_0, any shape, [−1, 1] units.
        noise: standard normal, the shape of `residual`.
        alpha_bar_t: ᾱ_t in [0, 1], broadcastable to `residual`.

    Returns:
        r_t, the shape and type of `residual`.
    """
    alpha_bar_t = alpha_bar_t.double()
    return alpha_bar_t.sqrt().to(residual.dtype) * residual + (1 - alpha_bar_t).sqrt().to(residual.dtype) * noise


def q_posterior_mean_variance(
    residual: Tensor, noised_residual: Tensor, *, alpha_bar_t: Tensor, alpha_bar_s: Tensor
) -> tuple[Tensor, Tensor]:
    """Return mean and variance of q(r_s | r_t, r_0) for any earlier timestep s < t (DDPM, Ho et al. 2020, equation 7).

    The paper's equation has s = t − 1; with α = ᾱ_t/ᾱ_s in place of 1 − β_t it holds for timesteps further apart.

    Args:
        residual: r_0, any shape, [−1, 1] units.
        noised_residual: r_t, the shape of `residual`.
        alpha_bar_t: ᾱ_t in (0, 1), broadcastable to `residual`.
        alpha_bar_s: ᾱ_s in (ᾱ_t, 1], broadcastable to `residual`; at 1 the posterior is r_0 itself.

    Returns:
        The mean, in the shape and type of `residual`, and the variance, in the shape of the ᾱ.
    """
    alpha_bar_t, alpha_bar_s = alpha_bar_t.double(), alpha_bar_s.double()
    alpha = alpha_bar_t / alpha_bar_s
    weight_0 = alpha_bar_s.sqrt() * (1 - alpha) / (1 - alpha_bar_t)
    weight_t = alpha.sqrt() * (1 - alpha_bar_s) / (1 - alpha_bar_t)
    variance = (1 - alpha) * (1 - alpha_bar_s) / (1 - alpha_bar_t)
    dtype = residual.dtype
    return weight_0.to(dtype) * residual + weight_t.to(dtype) * noised_residual, variance.to(dtype)


def noise_from_residual(residual: Tensor, noised_residual: Tensor, *, alpha_bar_t: Tensor) -> Tensor:
    """Return ε̂ = (r_t − √ᾱ_t r̂_0)/√(1 − ᾱ_t), the noise that a predicted residual leaves in r_t (DIRAC section 3.2).

    Args:
        residual: r̂_0, any shape, [−1, 1] units.
        noised_residual: r_t, the shape of `residual`.
        alpha_bar_t: ᾱ_t in [0, 1), broadcastable to `residual`.

    Returns:
        ε̂ in units of its standard deviation, the shape and type of `residual`.
    """
    alpha_bar_t = alpha_bar_t.double()
    signal, deviation = alpha_bar_t.sqrt().to(residual.dtype), (1 - alpha_bar_t).sqrt().to(residual.dtype)
    return (noised_residual - signal * residual) / deviation


def residual_from_noise(noise: Tensor, noised_residual: Tensor, *, alpha_bar_t: Tensor) -> Tensor:
    """Return r̂_0 = (r_t − √(1 − ᾱ_t) ε̂)/√ᾱ_t, the inverse of `noise_from_residual`; it explodes as ᾱ_t → 0.

    Args:
        noise: ε̂, any shape.
        noised_residual: r_t, the shape of `noise`.
        alpha_bar_t: ᾱ_t in (0, 1], broadcastable to `noise`.

    Returns:
        r̂_0 in [−1, 1] units, not clipped, the shape and type of `noise`.
    """
    alpha_bar_t = alpha_bar_t.double()
    signal, deviation = alpha_bar_t.sqrt().to(noise.dtype), (1 - alpha_bar_t).sqrt().to(noise.dtype)
    return (noised_residual - deviation * noise) / signal
