"""The optimisation's schedule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.settings import TrainingSettings

SETTINGS = TrainingSettings(iterations=1000, learning_rate=1e-3, warmup=100, cooldown=0.2)


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    rates = [SETTINGS.learning_rate_at(i, progress=i / 1000) for i in (0, 49, 99, 500, 800, 900, 1000)]
    assert rates == pytest.approx([1e-5, 5e-4, 1e-3, 1e-3, 1e-3, 5e-4, 0])


def test_without_a_cooldown_it_stays_up() -> None:
    assert replace(SETTINGS, cooldown=0).learning_rate_at(500, progress=1) == 1e-3


def test_averaging_warms_up() -> None:
    assert SETTINGS.ema_decay_at(0) == pytest.approx(0.1)
    assert SETTINGS.ema_decay_at(90) == pytest.approx(0.91)
    assert SETTINGS.ema_decay_at(10**7) == 0.9999


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iterations": None}, "--minutes M or --iterations N"),
        ({"batch_size": 0}, "out of range"),
        ({"minutes": -1.0}, "out of range"),
        ({"minutes": 0.0}, "out of range"),
        ({"iterations": 0}, "out of range"),
        ({"workers": -1}, "out of range"),
        ({"cooldown": 1.5}, "out of range"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        replace(SETTINGS, **change)  # type: ignore[arg-type]
