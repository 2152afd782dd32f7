from __future__ import annotations

import torch

from dirac_enhance.diffusion.threshold import limit_residual, threshold_residual
from dirac_enhance.window import Window

RESIDUAL = torch.linspace(-1, 1, 3 * 4 * 5).view(1, 3, 4, 5)
WINDOW = Window(0, 0, 4, 5)
ROWS = ((10.0, 0.5), (20.0, 0.25), (80.0, 0.1))


def test_the_full_range_changes_nothing() -> None:
    assert torch.equal(threshold_residual(RESIDUAL, limit=1), RESIDUAL)


def test_tighter_range_never_enlarges_the_residual_and_keeps_what_fits() -> None:
    clipped = threshold_residual(RESIDUAL, limit=0.25)
    assert float(clipped.abs().max()) <= 0.25
    small = RESIDUAL.abs() <= 0.25
    assert torch.equal(clipped[small], RESIDUAL[small])
    assert torch.equal(clipped.sign(), RESIDUAL.sign())


def test_the_row_with_the_nearest_rate_factor_counts() -> None:
    for rate_factor, limit in ((1, 0.5), (14, 0.5), (15, 0.5), (16, 0.25), (49, 0.25), (51, 0.1), (1000, 0.1)):
        constrained = limit_residual(ROWS, [rate_factor])(RESIDUAL, WINDOW)
        assert torch.equal(constrained, threshold_residual(RESIDUAL, limit=limit))


def test_nothing_happens_without_thresholds_or_without_a_rate_factor() -> None:
    assert limit_residual(None, [10.0])(RESIDUAL, WINDOW) is RESIDUAL
    assert limit_residual(ROWS, [None])(RESIDUAL, WINDOW) is RESIDUAL


def test_each_picture_of_a_batch_is_limited_at_its_own_rate_factor() -> None:
    constrained = limit_residual(ROWS, [80.0, None, 20.0])(RESIDUAL.expand(3, -1, -1, -1), WINDOW)
    assert torch.equal(constrained[0], threshold_residual(RESIDUAL[0], limit=0.1))
    assert torch.equal(constrained[1], RESIDUAL[0])
    assert torch.equal(constrained[2], threshold_residual(RESIDUAL[0], limit=0.25))
