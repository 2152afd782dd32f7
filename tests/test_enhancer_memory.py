"""An enhancer whose device has too little memory for the planes of a small picture: they move to host memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

import random_weights
from dirac_enhance import BaseReconstruction, Enhancer
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.diffusion.schedule import linear_schedule

METADATA = replace(random_weights.METADATA, network={}, evaluations=3)
DEVICE = torch.device("cuda", 7)


class HalvingPredictor:
    """Predicts half of what it is given, so that each evaluation depends on those before."""

    def predict(self, r_t: Tensor, base: Tensor, timestep: int, rate_factor: RateFactor) -> Tensor:
        return r_t * 0.5 + base * 0.1


@dataclass
class FakeDevice(TorchFunctionMode):
    """Takes host memory for the device's, in which the n-th allocation of a kind fails; counts those asked for."""

    kind: Any
    last: int
    asked: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is self.kind:
            self.asked += 1
            if self.asked == self.last:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        if func is Tensor.to and args[1:] == (DEVICE,):
            return args[0].clone()
        return func(*args, **(kwargs or {}))


@pytest.fixture
def enhancer() -> Enhancer:
    return Enhancer(HalvingPredictor(), linear_schedule(), METADATA, "0" * 64, 8, DEVICE, torch.float32)


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        pytest.param(Tensor.to, 1, id="moving the picture"),
        pytest.param(torch.zeros_like, 1, id="making room for the noise"),
        pytest.param(Tensor.add_, 2, id="between two evaluations"),
    ],
)
def test_too_little_memory_moves_the_planes_and_changes_nothing(enhancer: Enhancer, kind: Any, last: int) -> None:
    base = BaseReconstruction(torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(1)), 1000)
    expected = replace(enhancer, device=torch.device("cpu")).enhance(base)
    positions = [point.position for point in replace(enhancer, device=torch.device("cpu")).trajectory(base)]

    with FakeDevice(kind, last) as device:
        assert torch.equal(enhancer.enhance(base), expected)
        assert device.asked >= last
    with FakeDevice(kind, last):
        assert [point.position for point in enhancer.trajectory(base)] == positions
