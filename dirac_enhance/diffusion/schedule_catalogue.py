"""The named noise schedules of `dirac-enhance train --schedule NAME`, written as weights' metadata holds them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

DEFAULT_SCHEDULE = "linear"
"""The paper's, which it found best (DIRAC section C.3)."""


def _named(name: str, **constants: float) -> Mapping[str, Any]:
    return MappingProxyType({"name": name, "num_timesteps": 1000, **constants})


SCHEDULES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # DIRAC section A.2. Without its name, as weights had it before there were others.
        "linear": MappingProxyType({"num_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}),
        # Nichol and Dhariwal 2021, equation 17.
        "cosine": _named("cosine", offset=0.008),
        # DIRAC section C.3, ᾱ = (1 − uᵃ)ᵇ. The paper leaves a and b open; these are ours. Early decay lies below the
        # linear schedule at every timestep, yet begins at σ = .016, below the residuals of JPEG at quality 95. The late
        # ones lie above the cosine schedule at every timestep, and b = 2 makes the second of them end flat.
        "early-decay": _named("early-decay", a=1.5, b=8.0),
        "late-decay": _named("late-decay", a=4.0, b=1.0),
        "smooth-late-decay": _named("smooth-late-decay", a=4.0, b=2.0),
    }
)
