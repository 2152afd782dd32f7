"""The codec's training loop: crops in, averaged weights out, a checkpoint at every interval."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dirac_enhance import TrainingError
from dirac_enhance.training.batches import endless_batches
from dirac_enhance.training.checkpoint import FILE_NAME, Checkpoint, load_checkpoint, save_checkpoint
from dirac_enhance.training.optimizer import OptimizerPair
from dirac_enhance.training.processes import ProcessGroup, process_group
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance_swint_charm.networks.config import CodecConfig
from dirac_enhance_swint_charm.networks.initialisation import initialise_by_klt
from dirac_enhance_swint_charm.networks.network import UNIT_RATE, SwintCharm
from dirac_enhance_swint_charm.training.crops import CropBatch, CropSource
from dirac_enhance_swint_charm.training.optimizer import build_optimizer

CODEC_ID = "swint-charm"
REPORT_SECONDS = 20.0
MEMORY = 0.98
"""Share of the past in the figures that are reported."""
KLT_PIXELS = 2**22
"""Pixels in the crops that the initial transform is fitted to."""

Validate = Callable[[SwintCharm], dict[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class CodecTraining:
    """One training of the codec: what is trained on what, and where it is kept.

    Args:
        crops: where the crops come from.
        config: shape of the network.
        settings: of the optimisation; what concerns pairs and LPIPS is not used.
        folder: where the checkpoint goes.
        validate: called with the averaged network; returns a row for the history.
        report: called with a line of progress now and then.
        device: where to train.
        precision: of the transforms' arithmetic; hyper-codec, prior and loss are float32.
    """

    crops: CropSource
    config: CodecConfig
    settings: TrainingSettings
    folder: Path
    validate: Validate | None = None
    report: Callable[[str], None] = print
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: torch.dtype = torch.bfloat16

    @property
    def leads(self) -> bool:
        """Whether this process, of those torchrun started, writes the files."""
        return os.environ.get("RANK", "0") == "0"

    def start(self) -> Path:
        """Train from the beginning; returns the last checkpoint.

        Raises:
            TrainingError: if the folder holds a training already.
        """
        if (self.folder / FILE_NAME).exists():
            raise TrainingError(f"{self.folder} holds a training already; pass --resume or another -o FOLDER")
        return self._train(None)

    def resume(self) -> Path:
        """Go on from the folder's checkpoint; returns the last one.

        Raises:
            TrainingError: if there is none, or it is of another network.
        """
        checkpoint = load_checkpoint(self.folder)
        if checkpoint.codec_id != CODEC_ID or CodecConfig.from_dict(checkpoint.network) != self.config:
            raise TrainingError(
                f"the checkpoint in {self.folder} trains {checkpoint.network} for codec '{checkpoint.codec_id}'; asked "
                f"for {self.config.to_dict()}; ask for the same --config or pass another -o FOLDER"
            )
        return self._train(checkpoint)

    def _train(self, checkpoint: Checkpoint | None) -> Path:
        with process_group(self.device) as group, torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            state = _restored(self, checkpoint, group.device) if checkpoint else _fresh(self, group.device)
            return _Loop(self, group, state).run()


@dataclass(slots=True, eq=False)
class _State:
    """What changes during a run."""

    network: SwintCharm
    averaged: SwintCharm
    optimizer: OptimizerPair
    iteration: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def _build(training: CodecTraining, network: SwintCharm, device: torch.device) -> _State:
    network = network.to(device)
    averaged = SwintCharm(training.config).to(device)
    averaged.load_state_dict(network.state_dict())
    averaged.requires_grad_(requires_grad=False).eval()
    return _State(network, averaged, build_optimizer(network, learning_rate=training.settings.learning_rate))


def _fresh(training: CodecTraining, device: torch.device) -> _State:
    network = SwintCharm(training.config)
    crops = max(KLT_PIXELS // training.crops.recipe.crop_size**2, 1)
    batch = training.crops.draw_batch(np.random.default_rng(training.settings.seed), crops)
    initialise_by_klt(network, batch.pixels / 255)
    return _build(training, network, device)


def _restored(training: CodecTraining, checkpoint: Checkpoint, device: torch.device) -> _State:
    state = _build(training, SwintCharm(training.config), device)
    state.network.load_state_dict(checkpoint.weights)
    state.averaged.load_state_dict(checkpoint.averaged)
    state.optimizer.load_state_dict(checkpoint.optimizer)
    state.iteration, state.seconds = checkpoint.iteration, checkpoint.seconds
    state.history.extend(checkpoint.history)
    return state


class _Loop:
    """The loop of one process, its randomness and its clock."""

    def __init__(self, training: CodecTraining, group: ProcessGroup, state: _State) -> None:
        self.training, self.group, self.state, self.settings = training, group, state, training.settings
        seed = (self.settings.seed, group.rank, state.iteration)
        torch.manual_seed(hash(seed) % 2**63)
        self.batches = endless_batches(
            training.crops, batch_size=self.settings.batch_size, workers=self.settings.workers, seed=seed
        )
        self.trained = group.distribute(state.network)
        quantiles = state.network.bottleneck.quantiles
        self.clipped = [parameter for parameter in state.network.parameters() if parameter is not quantiles]
        self.started, self.start_iteration = time.monotonic(), state.iteration

    def run(self) -> Path:
        """Iterate until a limit is reached; leave a checkpoint."""
        state, settings = self.state, self.settings
        reported, figures = time.monotonic(), torch.zeros(3)
        while not self.group.agree(self.progress() >= 1):
            figures = MEMORY * figures + (1 - MEMORY) * self._step(next(self.batches))
            state.iteration += 1
            if self.group.leads and time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                self._report(figures / (1 - MEMORY ** (state.iteration - self.start_iteration)))
            if state.iteration % settings.validation_interval == 0:
                self._validate()
            if state.iteration % settings.interval == 0:
                self._save()
        if state.iteration % settings.validation_interval:
            self._validate()
        return self._save()

    def progress(self) -> float:
        """How much of this run is over, 0 … 1, by whichever limit is nearer."""
        by_time = (time.monotonic() - self.started) / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        by_count = self.state.iteration / self.settings.iterations if self.settings.iterations else 0.0
        return max(by_time, by_count)

    def _step(self, batch: CropBatch) -> Tensor:
        """Move the weights once; returns loss, bits per pixel and mean squared error."""
        state, settings = self.state, self.settings
        for group in state.optimizer.param_groups:
            if not group.get("fixed"):
                group["lr"] = settings.learning_rate_at(state.iteration, progress=self.progress())
        loss, bits, squared = self._losses(batch)
        state.optimizer.zero_grad()
        (loss + state.network.bottleneck.loss()).backward()
        nn.utils.clip_grad_norm_(self.clipped, settings.gradient_clip)
        state.optimizer.step()
        _average(state.averaged, state.network, decay=settings.ema_decay_at(state.iteration))
        return torch.stack((loss, bits, squared)).detach().cpu()

    def _losses(self, batch: CropBatch) -> tuple[Tensor, Tensor, Tensor]:
        """The weighed rate–distortion loss, the mean bits per pixel, and the mean squared error of one batch."""
        pixels = batch.pixels.to(self.group.device, non_blocking=True).float() / 255
        rate_factor = batch.rate_factor.to(self.group.device)
        with self._autocast():
            coded = self.trained(pixels, rate_factor)
        bits, squared = coded.bits_per_pixel, (coded.pixels - pixels).square().flatten(1).mean(dim=1)
        return rate_distortion_loss(bits, squared, rate_factor).mean(), bits.mean(), squared.mean()

    def _autocast(self) -> AbstractContextManager[Any]:
        lower = self.training.precision != torch.float32
        return torch.autocast(self.group.device.type, dtype=self.training.precision if lower else None, enabled=lower)

    def _report(self, figures: Tensor) -> None:
        elapsed = time.monotonic() - self.started
        speed = (self.state.iteration - self.start_iteration) / elapsed
        left = int(elapsed * (1 / max(self.progress(), 1e-9) - 1))
        loss, bits, squared = figures.tolist()
        self.training.report(
            f"iteration {self.state.iteration} | {speed:.2f} it/s | loss {loss:.4f} | {bits:.3f} bpp | "
            f"{-10 * np.log10(squared):.2f} dB | {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )

    def _validate(self) -> None:
        if self.training.validate is None or not self.group.leads:
            return
        self.training.report(f"validation at iteration {self.state.iteration}")
        row = {"iteration": self.state.iteration, **self.training.validate(self.state.averaged)}
        self.state.history.append(row)

    def _save(self) -> Path:
        training, state = self.training, self.state
        if not self.group.leads:
            return training.folder / FILE_NAME
        return save_checkpoint(
            training.folder,
            Checkpoint(
                codec_id=CODEC_ID,
                network=training.config.to_dict(),
                weights=state.network.state_dict(),
                averaged=state.averaged.state_dict(),
                optimizer=state.optimizer.state_dict(),
                iteration=state.iteration,
                seconds=state.seconds + time.monotonic() - self.started,
                recipe=self._recipe(),
                history=state.history,
            ),
        )

    def _recipe(self) -> dict[str, Any]:
        return {
            "settings": {**asdict(self.settings), "iterations": self.state.iteration},
            "crops": asdict(self.training.crops.recipe),
            "data": self.training.crops.pool.describe(),
            "processes": self.group.size,
            "precision": str(self.training.precision).removeprefix("torch."),
        }


def rate_distortion_loss(bits_per_pixel: Tensor, squared_error: Tensor, rate_factor: Tensor) -> Tensor:
    """Return (λ₀/λ)^½·(λ·255²·MSE + bits/pixel) for each picture, (N,).

    The loss at its optimum grows about as λ^½; dividing by that makes all rates count alike. Which weights are best at
    one λ does not change.

    Args:
        bits_per_pixel: (N,).
        squared_error: (N,), mean over the picture's samples, pixels in [0, 1].
        rate_factor: (N,), λ.
    """
    return (UNIT_RATE / rate_factor).sqrt() * (rate_factor * 255**2 * squared_error + bits_per_pixel)


@torch.no_grad()
def _average(averaged: SwintCharm, network: SwintCharm, *, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - decay)
