"""The enhancer's training: pairs in, averaged weights out, a checkpoint at every interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.diffusion.objective import perceptual_weight, residual_loss, sample_timesteps
from dirac_enhance.diffusion.process import noise_from_residual, q_sample
from dirac_enhance.diffusion.schedule import build_schedule, late_start_timestep
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.errors import TrainingError
from dirac_enhance.metrics.perceptual import LPIPS
from dirac_enhance.networks.config import UNetConfig
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training.batches import PairBatch, PairSource, endless_batches
from dirac_enhance.training.checkpoint import (
    BEST_NAME,
    FILE_NAME,
    Checkpoint,
    check_no_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from dirac_enhance.training.iterations import Iterations
from dirac_enhance.training.lineage import RANDOM, Lineage
from dirac_enhance.training.optimizer import build_optimizer
from dirac_enhance.training.processes import ProcessGroup, process_group
from dirac_enhance.training.residual_sizes import ResidualSizes
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.state import TrainingState
from dirac_enhance.training.validation import score
from dirac_enhance.training.weighting import RatePower

Validate = Callable[[UNet], dict[str, Any]]
RATE_EXPONENTS = {"power": 1.0, "root": 0.5, "none": 0.0}


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """One training: what is trained on what, and where it is kept.

    Args:
        pairs: where the training pairs come from.
        network: shape of the network.
        settings: of the optimisation.
        folder: where the checkpoint goes.
        rate_power: of the codec's residuals, by which the squared error of each pair is weighed.
        residual_sizes: of the codec, kept for thresholds; None where they are not measured.
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
    residual_sizes: ResidualSizes | None = None
    lpips: LPIPS | None = None
    validate: Validate | None = None
    report: Callable[[str], None] = print
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: torch.dtype = torch.bfloat16
    compiled: bool = False

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

    def start(self, *, initial: Mapping[str, Tensor] | None = None, lineage: Lineage = RANDOM) -> Path:
        """Train from the beginning, or from the tensors of earlier weights.

        Args:
            initial: tensors by name, or None for random ones.
            lineage: of those tensors.

        Returns:
            The checkpoint to export: the last one, or the best where `settings.keep_best` asks for it.

        Raises:
            TrainingError: if the folder holds a training already, or the tensors are another network's.
        """
        check_no_checkpoint(self.folder)
        return _train(self, None, initial, lineage)

    def resume(self) -> Path:
        """Go on from the folder's checkpoint.

        Raises:
            TrainingError: if there is none, or it is of another codec, network or noise schedule.
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
        if checkpoint.schedule != self.settings.schedule:
            raise TrainingError(
                f"the checkpoint in {self.folder} trains for the {checkpoint.schedule} schedule; asked for "
                f"{self.settings.schedule}; pass --schedule {checkpoint.schedule}, or another -o FOLDER"
            )
        return _train(replace(self, network=stored), checkpoint, None, Lineage.from_dict(checkpoint.recipe))

    def best_so_far(self) -> float:
        """Return the score of the best checkpoint in the folder, or −∞ where there is none."""
        if self.settings.keep_best == "no" or not (self.folder / BEST_NAME).exists():
            return -math.inf
        return score(load_checkpoint(self.folder / BEST_NAME).history[-1], by=self.settings.keep_best)


def _train(
    run: TrainingRun, checkpoint: Checkpoint | None, initial: Mapping[str, Tensor] | None, lineage: Lineage
) -> Path:
    with process_group(run.device) as group:
        state = _build_state(run.network, run.settings, group.device)
        if initial is not None:
            _load_initial(state, initial)
        if checkpoint is not None:
            state.restore(checkpoint)
        best = -math.inf if checkpoint is None else run.best_so_far()
        return _Loop(run, group, state, lineage=lineage, best=best).run()


class _Loop:
    """What the enhancer's training does in an iteration, and the randomness of it."""

    def __init__(
        self,
        run: TrainingRun,
        group: ProcessGroup,
        state: TrainingState[UNet],
        *,
        lineage: Lineage = RANDOM,
        best: float = -math.inf,
    ) -> None:
        self.training_run, self.group, self.state = run, group, state
        self.settings, self.schedule = run.settings, state.network.schedule
        self.lineage, self.best = lineage, best
        self.late_start = late_start_timestep(self.schedule)
        seed = (self.settings.seed, group.rank, state.iteration)
        self.generator = torch.Generator(group.device).manual_seed(hash(seed) % 2**63)
        self.timesteps = torch.Generator().manual_seed(hash((*seed, 1)) % 2**63)
        self.batches = endless_batches(
            run.pairs, batch_size=self.settings.batch_size, workers=self.settings.workers, seed=seed
        )
        if run.compiled:
            state.network.compile()  # in place, so that parameter names stay
        self.trained = group.distribute(state.network)
        self.alpha_bar = self.schedule.alpha_bar.to(group.device)
        self.lpips = run.lpips.to(group.device) if run.lpips is not None else None
        self.iterations = Iterations(state, run.settings, group, report=run.report)

    def run(self) -> Path:
        """Iterate until a limit is reached; returns the checkpoint to export."""
        keeps_best = self.settings.keep_best != "no"
        if keeps_best and self.state.iteration == 0 and self.group.leads:
            self._validate()
        self.iterations.run(self.batches, step=self._step, describe=_describe, validate=self._validate, save=self._save)
        best = self.training_run.folder / BEST_NAME
        return best if keeps_best and best.exists() else self.training_run.folder / FILE_NAME

    def _step(self, batch: PairBatch) -> Tensor:
        """Move the weights once; returns squared error and LPIPS."""
        learning_rate = self.iterations.learning_rate()
        for group in self.state.optimizer.param_groups:
            group["lr"] = learning_rate
        squared, perceptual = self._losses(batch)
        self.state.descend(squared + self.settings.lpips_weight * perceptual, self.settings)
        return torch.stack((squared.detach(), perceptual.detach())).cpu()

    def _losses(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Squared error and LPIPS of one batch (DIRAC equation 1)."""
        device = self.group.device
        original, base = (
            plane.to(device, non_blocking=True).float().div(127.5).sub(1)
            for plane in (batch.original, batch.base_reconstruction)
        )
        residual = original - base
        timestep = sample_timesteps(
            len(base),
            schedule=self.schedule,
            generator=self.timesteps,
            first_share=self.settings.first_share,
            last=self.settings.last_of(len(base)),
        ).to(device)
        known = batch.known_rate_factor.to(device)
        noised_residual = self._noise(residual, base, timestep, known)
        with self.group.autocast(self.training_run.precision):
            predicted = self.trained(noised_residual, base, timestep, known)
        exponent = RATE_EXPONENTS[self.settings.rate_weighting]
        weight = self.training_run.rate_power.weight(batch.rate_factor, exponent=exponent)
        squared = residual_loss(predicted, residual, weight=weight.to(device))
        share = perceptual_weight(timestep, schedule=self.schedule)
        return squared, self._perceptual(base + predicted, original, share)

    def _noise(self, residual: Tensor, base: Tensor, timestep: Tensor, rate_factor: Tensor) -> Tensor:
        """Draw r_t; for a part of the pairs from the network's own first estimate, as sampling comes to it.

        A sampler's r_t carries that estimate instead of r_0; trained on r_0 alone, the network takes noise for detail
        (exposure bias; Ning et al., arXiv 2301.11706, mend it by perturbing the input).
        """
        noise = torch.randn(residual.shape, generator=self.generator, device=residual.device)
        alpha_bar_t = self.alpha_bar[timestep].view(-1, 1, 1, 1)
        noised = q_sample(residual, noise, alpha_bar_t=alpha_bar_t)
        drawn = torch.rand(len(timestep), generator=self.timesteps) < self.settings.own_estimates
        drawn[len(drawn) - self.settings.last_of(len(drawn)) :] = True
        drawn = drawn.to(timestep.device)
        own = (drawn & (timestep < self.late_start)).nonzero()[:, 0]
        if len(own) == 0:
            return noised
        alpha_bar_start = self.alpha_bar[self.late_start]
        start = (1 - alpha_bar_start).sqrt().float() * noise[own]
        with torch.no_grad(), self.group.autocast(self.training_run.precision):
            first = self.state.network(start, base[own], torch.full_like(own, self.late_start), rate_factor[own])
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
        with self.group.autocast(self.training_run.precision):
            with torch.no_grad():
                target = self.lpips.features(_channels_last(original[counted]))
            distance = self.lpips.distance(self.lpips.features(_channels_last(enhanced[counted])), target)
        return (weight[counted] * distance).sum() / len(drawn)

    def _validate(self) -> None:
        run = self.training_run
        if run.validate is None:
            return
        row = self.state.validate(run.validate)
        run.report("validation " + " | ".join(f"{key} {value:.6g}" for key, value in row.items()))
        if self.settings.keep_best != "no" and (scored := score(row, by=self.settings.keep_best)) > self.best:
            self.best = scored
            self._save(BEST_NAME)

    def _save(self, name: str = FILE_NAME) -> None:
        run, sizes = self.training_run, self.training_run.residual_sizes
        checkpoint = self.iterations.checkpoint(
            codec_id=run.pairs.codec.id,
            network=run.network.to_dict(),
            recipe={
                "pairs": asdict(run.pairs.recipe),
                "data": run.pairs.pool.describe(),
                "precision": str(run.precision).removeprefix("torch."),
                **self.lineage.to_dict(),
            },
            residual_counts=dict(sizes.counts) if sizes is not None else None,
        )
        save_checkpoint(run.folder, checkpoint, name=name)


def _build_state(config: UNetConfig, settings: TrainingSettings, device: torch.device) -> TrainingState[UNet]:
    schedule = build_schedule(SCHEDULES[settings.schedule])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = UNet(config, schedule).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TrainingState.begin(network, build_optimizer(network, learning_rate=settings.learning_rate))


def _load_initial(state: TrainingState[UNet], tensors: Mapping[str, Tensor]) -> None:
    try:
        state.network.load_state_dict(tensors)
        state.averaged.load_state_dict(tensors)
    except RuntimeError as cause:
        raise TrainingError("the weights to start from are another network's; ask for that --network") from cause


def _describe(losses: Tensor) -> str:
    return f"squared error {losses[0]:.5f} | LPIPS {losses[1]:.4f}"


def _channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)
