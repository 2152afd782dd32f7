"""The codec's training: crops in, averaged weights out, a checkpoint at every interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dirac_enhance import TrainingError
from dirac_enhance.training.batches import endless_batches
from dirac_enhance.training.checkpoint import (
    FILE_NAME,
    Checkpoint,
    check_no_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from dirac_enhance.training.iterations import Iterations
from dirac_enhance.training.lineage import RANDOM, Lineage, PastRun, runs_of_recipe
from dirac_enhance.training.processes import ProcessGroup, process_group
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.state import TrainingState
from dirac_enhance_swint_charm.networks.config import CodecConfig
from dirac_enhance_swint_charm.networks.initialisation import initialise_by_klt
from dirac_enhance_swint_charm.networks.network import UNIT_RATE, SwintCharm
from dirac_enhance_swint_charm.training.crops import CropBatch, CropSource
from dirac_enhance_swint_charm.training.optimizer import build_optimizer, set_learning_rate
from dirac_enhance_swint_charm.weights_file import CodecWeights

CODEC_ID = "swint-charm"
KLT_CROPS = 192
"""Crops that the initial transform is fitted to."""

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

    def start(self, weights: CodecWeights | None = None) -> Path:
        """Train from the beginning, or from weights of an earlier training; returns the last checkpoint.

        Raises:
            TrainingError: if the folder holds a training already, or the weights are of another configuration.
        """
        check_no_checkpoint(self.folder)
        if weights is None:
            return self._train(None, self._initial_network(), RANDOM)
        if weights.config != self.config:
            raise TrainingError(f"the weights are of {weights.config}; asked for {self.config}; pass another --config")
        lineage = Lineage(weights.sha256.hex(), runs_of_training(weights.training))
        return self._train(None, weights.trained_network(), lineage)

    def resume(self) -> Path:
        """Go on from the folder's checkpoint; returns the last one.

        Raises:
            TrainingError: if there is none, or it is of another network or other optimisers.
        """
        checkpoint = load_checkpoint(self.folder)
        if checkpoint.codec_id != CODEC_ID or checkpoint.network.keys() != self.config.to_dict().keys():
            raise TrainingError(
                f"{self.folder} holds no training of the codec, but of an enhancer, perhaps; pass another -o FOLDER"
            )
        if CodecConfig.from_dict(checkpoint.network) != self.config:
            raise TrainingError(
                f"the checkpoint in {self.folder} trains {checkpoint.network}; asked for {self.config.to_dict()}; ask "
                "for the same --config or pass another -o FOLDER"
            )
        return self._train(checkpoint, SwintCharm(self.config), Lineage.from_dict(checkpoint.recipe))

    def _initial_network(self) -> SwintCharm:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            network = SwintCharm(self.config)
            batch = self.crops.draw_batch(np.random.default_rng(self.settings.seed), KLT_CROPS)
            initialise_by_klt(network, batch.pixels / 255)
        return network

    def _train(self, checkpoint: Checkpoint | None, network: SwintCharm, lineage: Lineage) -> Path:
        with process_group(self.device) as group, torch.random.fork_rng(devices=[]):
            network = network.to(group.device)
            optimizer = build_optimizer(network, learning_rate=self.settings.learning_rate)
            state = TrainingState.begin(network, optimizer)
            if checkpoint is not None:
                state.restore(checkpoint)
            return _Loop(self, group, state, lineage).run()


def runs_of_training(training: Mapping[str, Any]) -> tuple[PastRun, ...]:
    """Return the runs that a weights file records; none where it records nothing."""
    if not training:
        return ()
    return runs_of_recipe(training["recipe"], iterations=training["iteration"], seconds=training["seconds"])


class _Loop:
    """What the codec's training does in an iteration, and the randomness of it."""

    def __init__(
        self, training: CodecTraining, group: ProcessGroup, state: TrainingState[SwintCharm], lineage: Lineage
    ) -> None:
        self.training, self.group, self.state, self.lineage = training, group, state, lineage
        settings = training.settings
        seed = (settings.seed, group.rank, state.iteration)
        torch.manual_seed(hash(seed) % 2**63)
        self.batches = endless_batches(
            training.crops, batch_size=settings.batch_size, workers=settings.workers, seed=seed
        )
        self.trained = group.distribute(state.network)
        quantiles = state.network.bottleneck.quantiles
        self.clipped = [parameter for parameter in state.network.parameters() if parameter is not quantiles]
        self.iterations = Iterations(state, settings, group, report=training.report)

    def run(self) -> Path:
        """Iterate until a limit is reached; returns the last checkpoint."""
        self.iterations.run(self.batches, step=self._step, describe=_describe, validate=self._validate, save=self._save)
        return self.training.folder / FILE_NAME

    def _step(self, batch: CropBatch) -> Tensor:
        """Move the weights once; returns loss, bits per pixel and mean squared error."""
        set_learning_rate(self.state.optimizer, self.iterations.learning_rate())
        loss, bits, squared = self._losses(batch)
        auxiliary = self.state.network.bottleneck.loss()
        self.state.descend(loss + auxiliary, self.training.settings, clipped=self.clipped)
        return torch.stack((loss, bits, squared)).detach().cpu()

    def _losses(self, batch: CropBatch) -> tuple[Tensor, Tensor, Tensor]:
        """The weighed rate–distortion loss, the mean bits per pixel, and the mean squared error of one batch."""
        pixels = batch.pixels.to(self.group.device, non_blocking=True).float() / 255
        rate_factor = batch.rate_factor.to(self.group.device)
        with self.group.autocast(self.training.precision):
            coded = self.trained(pixels, rate_factor)
        bits, squared = coded.bits_per_pixel, (coded.pixels - pixels).square().flatten(1).mean(dim=1)
        return rate_distortion_loss(bits, squared, rate_factor).mean(), bits.mean(), squared.mean()

    def _validate(self) -> None:
        if self.training.validate is None:
            return
        self.training.report(f"validation at iteration {self.state.iteration}")
        self.state.validate(self.training.validate)

    def _save(self) -> None:
        training = self.training
        checkpoint = self.iterations.checkpoint(
            codec_id=CODEC_ID,
            network=training.config.to_dict(),
            recipe={
                "crops": asdict(training.crops.recipe),
                "data": training.crops.pool.describe(),
                "precision": str(training.precision).removeprefix("torch."),
                **self.lineage.to_dict(),
            },
        )
        save_checkpoint(training.folder, checkpoint)


def _describe(figures: Tensor) -> str:
    loss, bits, squared = figures.tolist()
    return f"loss {loss:.4f} | {bits:.3f} bpp | {-10 * np.log10(squared):.2f} dB"


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
