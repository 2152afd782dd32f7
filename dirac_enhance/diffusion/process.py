"""The forward process q(r_t | r_0) and its posterior, in closed form."""

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
