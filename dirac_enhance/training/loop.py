"""The training loop: batches in, averaged weights out, a checkpoint at every interval."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dirac_enhance.diffusion.objective import LATE_START, perceptual_weight, residual_loss, sample_timesteps
from dirac_enhance.diffusion.process import noise_from_residual, q_sample
from dirac_enhance.diffusion.schedule import NoiseSchedule, linear_schedule
from dirac_enhance.errors import TrainingError
from dirac_enhance.metrics.perceptual import LPIPS
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training.batches import PairBatch, PairSource, endless_batches
from dirac_enhance.training.checkpoint import BEST_NAME, FILE_NAME, Checkpoint, load_checkpoint, save_checkpoint
from dirac_enhance.training.optimizer import OptimizerPair, build_optimizer
from dirac_enhance.training.processes import ProcessGroup, process_group
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.validation import score
from dirac_enhance.training.weighting import RatePower

Validate = Callable[[UNet], dict[str, Any]]
REPORT_SECONDS = 20.0
RATE_EXPONENTS = {"power": 1.0, "root": 0.5, "none": 0.0}


@dataclass(slots=True, eq=False)
class _State:
    """What changes during a run."""

    network: UNet
    averaged: UNet
    optimizer: OptimizerPair
    iteration: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float = -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """One training: what is trained on what, and where it is kept.

    Args:
        pairs: where the training pairs come from.
        network: shape of the network.
        settings: of the optimisation.
        folder: where the checkpoint goes.
        rate_power: of the codec's residuals, by which the squared error of each pair is weighed.
        lpips: the perceptual term's metric; None where `settings.lpips_weight` is 0.
        validate: called with the averaged network; returns a row for the history.
        report: called with a line of progress now and then.
        device: where to train.
        precision: of the network's arithmetic; the loss is float32.
        compiled: whether to run the network through torch.compile.
    """

    pairs: PairSource
    network: UNetConfig
    settings: TrainingSettings
    folder: Path
    rate_power: RatePower
    lpips: LPIPS | None = None
    validate: Validate | None = None
    report: Callable[[str], None] = print
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: torch.dtype = torch.bfloat16
    compiled: bool = False

    @property
    def leads(self) -> bool:
        """Whether this process, of those torchrun started, writes the files."""
        return os.environ.get("RANK", "0") == "0"

    def __post_init__(self) -> None:
        if self.settings.lpips_weight > 0 and self.lpips is None:
            raise TrainingError(
                "the LPIPS term needs its backbone; pass --lpips-backbone FILE (squeezenet1_1 features), "
                "or --lpips-weight 0"
            )
        if self.settings.keep_best != "no" and self.validate is None:
            raise TrainingError(
                "the best weights are known by validation only; pass --validation FOLDER, or --held-out"
            )

    def start(self, *, initial: Mapping[str, Tensor] | None = None) -> Path:
        """Train from the beginning, or from the tensors of earlier weights.

        Returns:
            The checkpoint to export: the last one, or the best where `settings.keep_best` asks for it.
        """
        if (self.folder / FILE_NAME).exists():
            raise TrainingError(f"{self.folder} holds a training already; pass --resume or another -o FOLDER")
        return _train(self, None, initial)

    def resume(self) -> Path:
        """Go on from the folder's checkpoint.

        Raises:
            TrainingError: if there is none, or it is of another codec or network.
        """
        checkpoint = load_checkpoint(self.folder)
        stored = UNetConfig.from_dict(checkpoint.network)
        asked = replace(
            self.network,
            residual_std=stored.residual_std,
            residual_std_log_spaced=stored.residual_std_log_spaced,
        )
        if checkpoint.codec_id != self.pairs.codec.id or asked != stored:
            raise TrainingError(
                f"the checkpoint in {self.folder} trains {stored} for codec '{checkpoint.codec_id}'; asked for "
                f"{self.network} and codec '{self.pairs.codec.id}'; ask for the same or pass another -o FOLDER"
            )
        return _train(replace(self, network=stored), checkpoint, None)

    def best_so_far(self) -> float:
        """Return the score of the best checkpoint in the folder, or −∞ where there is none."""
        if self.settings.keep_best == "no" or not (self.folder / BEST_NAME).exists():
            return -math.inf
        return score(load_checkpoint(self.folder / BEST_NAME).history[-1], by=self.settings.keep_best)


def _train(run: TrainingRun, checkpoint: Checkpoint | None, initial: Mapping[str, Tensor] | None) -> Path:
    with process_group(run.device) as group:
        state = _build_state(run.network, run.settings, group.device)
        _restore(state, checkpoint, initial)
        if checkpoint is not None:
            state.best = run.best_so_far()
        return _Loop(run, group, state, linear_schedule()).run()


class _Loop:
    """The loop of one process, its randomness and its clock."""

    def __init__(self, run: TrainingRun, group: ProcessGroup, state: _State, schedule: NoiseSchedule) -> None:
        self.training_run, self.group, self.state, self.schedule = run, group, state, schedule
        self.settings = run.settings
        seed = (self.settings.seed, group.rank, state.iteration)
        self.generator = torch.Generator(group.device).manual_seed(hash(seed) % 2**63)
        self.timesteps = torch.Generator().manual_seed(hash((*seed, 1)) % 2**63)
        self.batches: Iterator[PairBatch] = endless_batches(
            run.pairs, batch_size=self.settings.batch_size, workers=self.settings.workers, seed=seed
        )
        if run.compiled:
            state.network.compile()  # in place, so that parameter names stay
        self.trained = group.distribute(state.network)
        self.alpha_bar = schedule.alpha_bar.to(group.device)
        self.lpips = run.lpips.to(group.device) if run.lpips is not None else None
        self.started, self.start_iteration = time.monotonic(), state.iteration

    def run(self) -> Path:
        """Iterate until a limit is reached; leave a checkpoint."""
        state, settings = self.state, self.settings
        keeps_best = settings.keep_best != "no"
        if keeps_best and state.iteration == 0:
            self._validate()
        reported, losses = time.monotonic(), torch.zeros(2)
        while not self.group.agree(self.progress() >= 1):
            losses = 0.98 * losses + 0.02 * self._step(next(self.batches))
            state.iteration += 1
            if self.group.leads and time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                self._report(losses / (1 - 0.98 ** (state.iteration - self.start_iteration)))
            if state.iteration % settings.validation_interval == 0:
                self._validate()
            if state.iteration % settings.interval == 0:
                self._save()
        if state.iteration % settings.validation_interval:
            self._validate()
        last = self._save()
        best = self.training_run.folder / BEST_NAME
        return best if keeps_best and best.exists() else last

    def progress(self) -> float:
        """How much of this run is over, 0 … 1, by whichever limit is nearer."""
        by_time = (time.monotonic() - self.started) / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        by_count = self.state.iteration / self.settings.iterations if self.settings.iterations else 0.0
        return max(by_time, by_count)

    def _step(self, batch: PairBatch) -> Tensor:
        state, settings = self.state, self.settings
        for group in state.optimizer.param_groups:
            group["lr"] = settings.learning_rate_at(state.iteration, progress=self.progress())
        squared, perceptual = self._losses(batch)
        loss = squared + settings.lpips_weight * perceptual
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), settings.gradient_clip)
        state.optimizer.step()
        _average(state.averaged, state.network, decay=settings.ema_decay_at(state.iteration))
        return torch.stack((squared.detach(), perceptual.detach())).cpu()

    def _losses(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Squared error and LPIPS of one batch (DIRAC equation 1)."""
        device = self.group.device
        original, base = (
            plane.to(device, non_blocking=True).float().div(127.5).sub(1)
            for plane in (batch.original, batch.base_reconstruction)
        )
        residual = original - base
        timestep = sample_timesteps(len(base), schedule=self.schedule, generator=self.timesteps).to(device)
        known = batch.known_rate_factor.to(device)
        noised_residual = self._noise(residual, base, timestep, known)
        with self._autocast():
            predicted = self.trained(noised_residual, base, timestep, known)
        exponent = RATE_EXPONENTS[self.settings.rate_weighting]
        weight = self.training_run.rate_power.weight(batch.rate_factor, exponent=exponent)
        squared = residual_loss(predicted, residual, weight=weight.to(device))
        return squared, self._perceptual(base + predicted, original, perceptual_weight(timestep))

    def _noise(self, residual: Tensor, base: Tensor, timestep: Tensor, rate_factor: Tensor) -> Tensor:
        """Draw r_t; for a part of the pairs from the network's own first estimate, as sampling comes to it.

        A sampler's r_t carries that estimate instead of r_0; trained on r_0 alone, the network takes noise for detail
        (exposure bias; Ning et al., arXiv 2301.11706, mend it by perturbing the input).
        """
        noise = torch.randn(residual.shape, generator=self.generator, device=residual.device)
        alpha_bar_t = self.alpha_bar[timestep].view(-1, 1, 1, 1)
        noised = q_sample(residual, noise, alpha_bar_t=alpha_bar_t)
        drawn = torch.rand(len(timestep), generator=self.timesteps).to(timestep.device) < self.settings.own_estimates
        own = (drawn & (timestep < LATE_START)).nonzero()[:, 0]
        if len(own) == 0:
            return noised
        alpha_bar_start = self.alpha_bar[LATE_START]
        start = (1 - alpha_bar_start).sqrt().float() * noise[own]
        with torch.no_grad(), self._autocast():
            first = self.state.network(start, base[own], torch.full_like(own, LATE_START), rate_factor[own])
        first = first.clamp(-1, 1)
        implied = noise_from_residual(first, start, alpha_bar_t=alpha_bar_start)
        return noised.index_copy(0, own, q_sample(first, implied, alpha_bar_t=alpha_bar_t[own]))

    def _perceptual(self, enhanced: Tensor, original: Tensor, weight: Tensor) -> Tensor:
        if self.lpips is None:
            return torch.zeros((), device=enhanced.device)
        drawn = torch.randperm(len(weight), generator=self.timesteps)[
            : math.ceil(self.settings.lpips_share * len(weight))
        ]
        drawn = drawn.to(weight.device)
        counted = drawn[weight[drawn] > 0]
        if len(counted) == 0:
            return torch.zeros((), device=enhanced.device)
        with self._autocast():
            with torch.no_grad():
                target = self.lpips.features(_channels_last(original[counted]))
            distance = self.lpips.distance(self.lpips.features(_channels_last(enhanced[counted])), target)
        return (weight[counted] * distance).sum() / len(drawn)

    def _autocast(self) -> AbstractContextManager[Any]:
        lower = self.training_run.precision != torch.float32
        return torch.autocast(
            self.group.device.type, dtype=self.training_run.precision if lower else None, enabled=lower
        )

    def _report(self, losses: Tensor) -> None:
        elapsed = time.monotonic() - self.started
        speed = (self.state.iteration - self.start_iteration) / elapsed
        left = elapsed * (1 / max(self.progress(), 1e-9) - 1)
        self.training_run.report(
            f"iteration {self.state.iteration} | {speed:.2f} it/s | squared error {losses[0]:.5f} | "
            f"LPIPS {losses[1]:.4f} | {_clock(left)} left"
        )

    def _validate(self) -> None:
        if self.training_run.validate is None or not self.group.leads:
            return
        state = self.state
        row = {"iteration": state.iteration, **self.training_run.validate(state.averaged)}
        state.history.append(row)
        self.training_run.report("validation " + " | ".join(f"{key} {value:.6g}" for key, value in row.items()))
        if self.settings.keep_best != "no" and (scored := score(row, by=self.settings.keep_best)) > state.best:
            state.best = scored
            self._save(BEST_NAME)

    def _save(self, name: str = FILE_NAME) -> Path:
        path = self.training_run.folder / name
        if not self.group.leads:
            return path
        state = self.state
        return save_checkpoint(
            self.training_run.folder,
            Checkpoint(
                codec_id=self.training_run.pairs.codec.id,
                network=self.training_run.network.to_dict(),
                weights=state.network.state_dict(),
                averaged=state.averaged.state_dict(),
                optimizer=state.optimizer.state_dict(),
                iteration=state.iteration,
                seconds=state.seconds + time.monotonic() - self.started,
                recipe=self._recipe(),
                history=state.history,
            ),
            name=name,
        )

    def _recipe(self) -> dict[str, Any]:
        return {
            "settings": {**asdict(self.settings), "iterations": self.state.iteration},
            "pairs": asdict(self.training_run.pairs.recipe),
            "data": self.training_run.pairs.pool.describe(),
            "processes": self.group.size,
            "precision": str(self.training_run.precision).removeprefix("torch."),
        }


def _build_state(config: UNetConfig, settings: TrainingSettings, device: torch.device) -> _State:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = UNet(config).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = UNet(config).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged.load_state_dict(network.state_dict())
    averaged.requires_grad_(requires_grad=False).eval()
    optimizer = build_optimizer(network, learning_rate=settings.learning_rate)
    return _State(network, averaged, optimizer)


def _restore(state: _State, checkpoint: Checkpoint | None, initial: Mapping[str, Tensor] | None) -> None:
    if initial is not None:
        try:
            state.network.load_state_dict(initial)
            state.averaged.load_state_dict(initial)
        except RuntimeError as cause:
            raise TrainingError("the weights to start from are another network's; ask for that --network") from cause
    if checkpoint is not None:
        state.network.load_state_dict(checkpoint.weights)
        state.averaged.load_state_dict(checkpoint.averaged)
        try:
            state.optimizer.load_state_dict(checkpoint.optimizer)
        except (KeyError, ValueError) as cause:
            raise TrainingError(
                "the checkpoint is of an earlier version's optimiser; export it and pass the weights as --from-weights"
            ) from cause
        state.iteration, state.seconds = checkpoint.iteration, checkpoint.seconds
        state.history.extend(checkpoint.history)


@torch.no_grad()
def _average(averaged: UNet, network: UNet, *, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - decay)


def _channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
