"""The codec's rate factor λ: which values there are, and what they mean."""

from __future__ import annotations

from dirac_enhance import RateRange

RATE_RANGE = RateRange(0.0005, 0.05, integer=False, log_spaced=True, higher_is_better=True, usual=(0.001, 0.03))
"""λ of L = λ·255²·MSE + bits per pixel, pixels in [0, 1]: a larger λ weighs the error more, so the rate is higher."""
