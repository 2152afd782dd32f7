"""Export: a checkpoint's averaged weights to a weights file, with its card and its row in the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dirac_enhance.diffusion.schedule import build_schedule, usual_late_start
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.diffusion.trajectory import Spacing
from dirac_enhance.errors import TrainingError
from dirac_enhance.training.cards import rows_section, settings_section, write_card
from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance.training.lineage import (
    RANDOM,
    UNRECORDED,
    PastRun,
    begin_at_random,
    describe_iterations,
    runs_of_recipe,
)
from dirac_enhance.training.manifest import add_to_manifest, folder_of_weights
from dirac_enhance.training.residual_sizes import ResidualSizes
from dirac_enhance.weights import WeightsMetadata, save_weights

LARGEST_FILE = 25_000_000


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How the exported weights are sampled where the user says nothing.

    Args:
        late_start: positions skipped at the beginning; None for the noise schedule's usual ones.
        spacing: of the evaluations.
        evaluations: how many in log-SNR spacing.
        end_timestep: where log-SNR spacing ends; None for the noise schedule's usual end.
        threshold_percentile: percentage of the training residuals, at each rate factor, that thresholding leaves as
            they are; None for no thresholding.
    """

    late_start: int | None = None
    spacing: Spacing = "log-snr"
    evaluations: int | None = 2
    end_timestep: int | None = None
    threshold_percentile: float | None = None


def export_weights(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    sampling: SamplingDefaults,
    half_precision: bool = True,
) -> Path:
    """Write `<codec id>.safetensors`, its card `<codec id>.md` and its row in `manifest.json` into `folder`.

    Args:
        checkpoint: whose averaged weights are exported.
        folder: made if it is not there; other rows of its manifest, and the hand-written part of a card, are kept.
        sampling: defaults stored with the weights.
        half_precision: store float16, half the size; the network still runs in float32 or bfloat16.

    Returns:
        The weights file's path.

    Raises:
        TrainingError: if the file would be over 25 MB, thresholds cannot be had, or the folder cannot be written to, as
            on a full disk.
    """
    kind = torch.float16 if half_precision else torch.float32
    tensors = {name: tensor.to(kind).contiguous() for name, tensor in checkpoint.averaged.items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > LARGEST_FILE:
        raise TrainingError(f"weights of {size / 1e6:.1f} MB; at most {LARGEST_FILE / 1e6:.0f} MB are exported")
    path = folder / f"{checkpoint.codec_id}.safetensors"
    parameters = sum(tensor.numel() for tensor in tensors.values())
    with folder_of_weights(folder):
        weights = save_weights(path, tensors, _metadata(checkpoint, sampling))
        add_to_manifest(weights, codec_id=checkpoint.codec_id, parameters=parameters, summary=_summary(checkpoint))
        _write_card(path.with_suffix(".md"), checkpoint, parameters)
    return path


def _metadata(checkpoint: Checkpoint, sampling: SamplingDefaults) -> WeightsMetadata:
    schedule = SCHEDULES[checkpoint.schedule]
    late_start, percentile = sampling.late_start, sampling.threshold_percentile
    return WeightsMetadata(
        codec_id=checkpoint.codec_id,
        network=checkpoint.network,
        schedule=schedule,
        trained_timesteps=(0, 999),
        late_start=usual_late_start(build_schedule(schedule)) if late_start is None else late_start,
        spacing=sampling.spacing,
        evaluations=sampling.evaluations,
        end_timestep=sampling.end_timestep,
        thresholds=None if percentile is None else _residual_sizes(checkpoint).thresholds(percentile),
        training={
            "summary": _summary(checkpoint),
            "iterations": checkpoint.iteration,
            "seconds": round(checkpoint.seconds),
            **{key: value for key, value in checkpoint.recipe.items() if key not in RANDOM.to_dict()},
            "runs": [asdict(run) for run in _runs(checkpoint)],
        },
    )


def _residual_sizes(checkpoint: Checkpoint) -> ResidualSizes:
    if checkpoint.residual_counts is None:
        raise TrainingError(
            "the checkpoint is of an earlier version, which did not measure residuals; resume the training, and export "
            "its last checkpoint, or leave out --thresholds"
        )
    return ResidualSizes(checkpoint.residual_counts)


def _summary(checkpoint: Checkpoint) -> str:
    parameters = sum(tensor.numel() for tensor in checkpoint.averaged.values())
    return summary_line(parameters, _runs(checkpoint))


def summary_line(parameters: int, runs: Sequence[PastRun]) -> str:
    """Return what the manifest says of weights, and their metadata, in one line."""
    missing = "" if begin_at_random(runs) else f" ({UNRECORDED})"
    return f"{parameters / 1e6:.1f} M parameters, {describe_iterations(runs)} on the codec's reconstructions{missing}"


def card_summary(parameters: int, runs: Sequence[PastRun]) -> str:
    """Return the sentence that a card begins with."""
    missing = "." if begin_at_random(runs) else f"; {UNRECORDED}."
    return (
        f"{parameters:,} parameters, {describe_iterations(runs)}, {sum(run.pairs for run in runs):,} pairs, "
        f"{sum(run.minutes for run in runs):.0f} minutes of training{missing}"
    )


def _runs(checkpoint: Checkpoint) -> tuple[PastRun, ...]:
    """All runs behind a checkpoint."""
    return runs_of_recipe(checkpoint.recipe, iterations=checkpoint.iteration, seconds=checkpoint.seconds)


def _write_card(path: Path, checkpoint: Checkpoint, parameters: int) -> None:
    recipe = checkpoint.recipe
    runs = _runs(checkpoint)
    sections = [
        f"# Enhancer weights for codec `{checkpoint.codec_id}`",
        card_summary(parameters, runs),
        rows_section("Runs", [_run_row(run) for run in runs]),
        settings_section("Network", checkpoint.network),
        settings_section("Pairs", recipe["pairs"]),
        settings_section("Optimisation, last run", {**recipe["settings"], "precision": recipe["precision"]}),
        rows_section("Training images", [{"source": name, **row} for name, row in recipe["data"].items()]),
        rows_section("Validation during training", checkpoint.history[-8:]),
    ]
    write_card(path, sections)


def _run_row(run: PastRun) -> dict[str, Any]:
    if run.started_from is None:
        start = "random weights"
    else:
        start = f"weights `{run.started_from[:12]}`" if run.started_from else "not recorded"
    return {"started from": start, "iterations": run.iterations, "pairs": run.pairs, "minutes": run.minutes}
