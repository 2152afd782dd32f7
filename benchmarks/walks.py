"""Walks along any trajectory of one decoded picture, with what the network is given and takes in view."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.sampler import sample_residual
from dirac_enhance.diffusion.threshold import limit_residual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from dirac_enhance import BaseReconstruction, Enhancer
    from dirac_enhance.diffusion.predictor import Predictor, RateFactor
    from dirac_enhance.diffusion.solver import Solver
    from dirac_enhance.diffusion.trajectory import Evaluation

_REMEMBERED = 8


def walk(
    enhancer: Enhancer,
    base: BaseReconstruction,
    evaluations: Sequence[Evaluation],
    *,
    seed: int,
    solver: Solver = "ddim",
    predictor: Predictor | None = None,
) -> Iterator[tuple[Evaluation, Tensor, Tensor]]:
    """Walk along any trajectory, as `Enhancer.trajectory` does along those of its settings.

    Args:
        enhancer: whose schedule and thresholds count.
        base: x̃.
        evaluations: where the network is evaluated.
        seed: of the noise.
        solver: of the updates in between.
        predictor: instead of the enhancer's own.

    Returns:
        An iterator over the evaluations, each with its r̂_0, (1, 3, H', W') in [−1, 1], padded to the stride and read by
        the next updates, and the picture, (3, H, W) in [0, 1].
    """
    height, width = enhancer.padded_size(base)
    padding = (0, width - base.width, 0, height - base.height)
    residuals = sample_residual(
        predictor or enhancer.predictor,
        F.pad(base.pixels[None], padding, mode="replicate").to(enhancer.device).mul(2).sub_(1),
        schedule=enhancer.schedule,
        evaluations=evaluations,
        noise=NoiseField(seed),
        rate_factor=base.rate_factor,
        solver=solver,
        constrain=limit_residual(enhancer.metadata.thresholds, [base.rate_factor]),
    )
    for evaluation, residual in residuals:
        pixels = torch.add(base.pixels, residual[0, :, : base.height, : base.width].cpu(), alpha=0.5).clamp_(0, 1)
        yield evaluation, residual, pixels


class Observer:
    """A predictor that passes on to another, and keeps the last r_t it was given, (1, 3, H', W')."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.noised_residual = torch.empty(0)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        """As `Predictor`."""
        self.noised_residual = noised_residual.clone()
        return self._predictor.predict(noised_residual, base_reconstruction, timestep, rate_factor)


@dataclass(slots=True, eq=False)
class Memory:
    """A predictor for one picture that evaluates the network once where walks have their beginning in common.

    Args:
        predictor: the one remembered; it is not asked again for the same r_t and t while they are among the last ones.
        device: where it runs.
        seconds: that it took, or had taken, for everything asked since this was set to 0: of the processor on a CPU, so
            that other work of the machine does not count, by the clock elsewhere.
    """

    predictor: Predictor
    device: torch.device
    seconds: float = 0.0
    _known: OrderedDict[tuple[int, bytes], tuple[Tensor, float]] = field(default_factory=OrderedDict)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        """As `Predictor`."""
        samples = noised_residual.cpu().numpy().tobytes()
        key = (timestep, hashlib.blake2b(samples, digest_size=16).digest())
        if key not in self._known:
            start = self._now()
            predicted = self.predictor.predict(noised_residual, base_reconstruction, timestep, rate_factor)
            self._known[key] = (predicted, self._now() - start)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        predicted, seconds = self._known[key]
        self.seconds += seconds
        return predicted.clone()

    def _now(self) -> float:
        if self.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()
