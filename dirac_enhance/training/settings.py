"""TrainingSettings: the numbers of a training run, kept in its checkpoints and in the exported weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dirac_enhance.diffusion.objective import FIRST_SHARE
from dirac_enhance.diffusion.schedule_catalogue import DEFAULT_SCHEDULE, SCHEDULES
from dirac_enhance.errors import TrainingError

RateWeighting = Literal["power", "root", "none"]
KeepBest = Literal["no", "gain", "lpips"]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """The optimisation's settings.

    Args:
        schedule: name of the noise schedule, one of `SCHEDULES`.
        batch_size: pairs an iteration and process.
        learning_rate: of Muon and AdamW, after the warm-up and before the cool-down.
        warmup: iterations of linear rise.
        cooldown: share of this run, at its end, in which the learning rate falls linearly to zero.
        lpips_weight: weight of the LPIPS term.
        lpips_share: share of the batch, drawn at random, that the LPIPS term is computed on.
        first_share: share of each batch at t = 990, which steps 1 evaluates; at least one pair.
        last_share: share of each batch at the last evaluation of log-SNR spacing, noised from the network's own first
            estimate: what `--steps 100` ends with, and what the LPIPS term most bears on.
        own_estimates: share of the pairs, among timesteps after the late start, that are noised from the network's own
            first estimate.
        rate_weighting: "power" divides the squared error by the mean residual power at the pair's rate factor, so
            that all rates count alike; "root" by that power's square root; "none" is the plain mean squared error.
        gradient_clip: largest norm of the gradient.
        ema_decay: decay of the averaged weights, after its warm-up min(decay, (1 + i)/(10 + i)).
        iterations: stop at this iteration; None for no limit.
        minutes: stop this run after so many minutes; None for no limit.
        interval: iterations between checkpoints.
        validation_interval: iterations between validations.
        keep_best: which weights are exported: "no" for the last ones; else those of the validation, the one before the
            first iteration included, with the largest PSNR gain of steps 1, or the lowest LPIPS of steps 100.
        workers: processes that make pairs.
        seed: of pairs, timesteps, noise and initialisation.

    Raises:
        TrainingError: if neither limit is given, a number is out of range, or there is no such schedule.
    """

    schedule: str = DEFAULT_SCHEDULE
    batch_size: int = 16
    learning_rate: float = 5e-4
    warmup: int = 200
    cooldown: float = 0.25
    lpips_weight: float = 0.01
    lpips_share: float = 0.5
    first_share: float = FIRST_SHARE
    last_share: float = 0.0
    own_estimates: float = 0.5
    rate_weighting: RateWeighting = "root"
    gradient_clip: float = 1.0
    ema_decay: float = 0.9999
    iterations: int | None = None
    minutes: float | None = None
    interval: int = 500
    validation_interval: int = 2000
    keep_best: KeepBest = "no"
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.iterations is None and self.minutes is None:
            raise TrainingError("no end given to the training; pass --minutes M or --iterations N")
        if self.schedule not in SCHEDULES:
            raise TrainingError(f"no noise schedule '{self.schedule}'; the schedules are {', '.join(SCHEDULES)}")
        iterations, minutes = (1 if limit is None else limit for limit in (self.iterations, self.minutes))
        counts_fit = min(self.batch_size, self.interval, self.validation_interval, iterations) >= 1
        shares_fit = 0 <= self.cooldown <= 1 and 0 < self.lpips_share <= 1
        shares_fit &= min(self.first_share, self.last_share) >= 0 and self.first_share + self.last_share <= 0.75
        if not (counts_fit and shares_fit and minutes > 0 and self.workers >= 0):
            raise TrainingError(f"a training setting is out of range: {self}")

    def learning_rate_at(self, iteration: int, *, progress: float) -> float:
        """Learning rate at an iteration, `progress` (0 … 1) of this run being over."""
        rise = min(1.0, (iteration + 1) / max(self.warmup, 1))
        fall = min(1.0, (1 - progress) / self.cooldown) if self.cooldown > 0 else 1.0
        return self.learning_rate * rise * max(fall, 0.0)

    def last_of(self, count: int) -> int:
        """How many pairs of a batch, its last ones, `last_share` is."""
        return int(count * self.last_share)

    def ema_decay_at(self, iteration: int) -> float:
        """Decay of the averaged weights at an iteration."""
        return min(self.ema_decay, (1 + iteration) / (10 + iteration))
