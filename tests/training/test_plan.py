"""What a training plan refuses before it reads any data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dirac_enhance import RateRange, TrainingError
from dirac_enhance.training.plan import TrainingPlan, build_run
from dirac_enhance.training.settings import TrainingSettings

if TYPE_CHECKING:
    from tests.training.conftest import SteppedCodec


@pytest.mark.parametrize("asked_for", [None, (0.0, 9.0)])
def test_rate_factors_that_begin_at_zero_are_refused(
    codec: SteppedCodec, tmp_path: Path, asked_for: tuple[float, float] | None
) -> None:
    @dataclass(frozen=True)
    class FromZero(type(codec)):  # type: ignore[misc] # a class known when the test runs
        rate_range = RateRange(0, 9, integer=True, log_spaced=False, higher_is_better=True)

    plan = TrainingPlan(
        tmp_path, tmp_path / "run", TrainingSettings(iterations=1), network="tiny", rate_bounds=asked_for
    )
    with pytest.raises(TrainingError, match="from 0 to 9; training spaces them by ratio, so pass --rates from above 0"):
        build_run(plan, FromZero())
    assert not (tmp_path / "run").exists()
