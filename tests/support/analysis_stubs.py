"""What the analyses of sampling run on in tests: a small enhancer without a network, a distance without a backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.enhancer import Enhancer
from dirac_enhance.weights import WeightsMetadata

if TYPE_CHECKING:
    import pytest
    from torch import Tensor

    from dirac_enhance.diffusion.predictor import RateFactor


class FormulaPredictor:
    """Predicts by a formula in r_t and t, and counts how often it was asked."""

    def __init__(self, formula: Callable[[Tensor, int], Tensor]) -> None:
        self.formula = formula
        self.asked = 0

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        self.asked += 1
        return self.formula(noised_residual, timestep)


class MeanDistance:
    """Stands for LPIPS: the mean absolute difference."""

    def to(self, device: str) -> MeanDistance:
        return self

    def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return (pictures,)

    def distance(self, features: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> Tensor:
        return (features[0] - others[0]).abs().mean()


def shrink(noised_residual: Tensor, timestep: int) -> Tensor:
    """A formula that neither vanishes nor stays the same."""
    return 0.02 * (1 + timestep / 1000) * torch.tanh(5 * noised_residual)


def formula_enhancer(formula: Callable[[Tensor, int], Tensor] = shrink) -> Enhancer:
    """An enhancer for JPEG that predicts by a formula."""
    metadata = WeightsMetadata(
        codec_id="jpeg",
        network={},
        schedule={},
        trained_timesteps=(0, 999),
        late_start=80,
        spacing="log-snr",
        evaluations=2,
        thresholds=((10.0, 0.5),),
    )
    predictor = FormulaPredictor(formula)
    return Enhancer(predictor, linear_schedule(), metadata, "0" * 64, 8, torch.device("cpu"), torch.float32)


def use_stubs(monkeypatch: pytest.MonkeyPatch, enhancer: Enhancer) -> None:
    """Let the analyses load this enhancer, and `MeanDistance` for LPIPS."""
    import analysis_setup

    monkeypatch.setattr(analysis_setup, "load_enhancer", lambda _codec, **_settings: enhancer)
    monkeypatch.setattr(analysis_setup, "load_lpips", lambda _name, **_settings: MeanDistance())
