"""`dirac-enhance train`: train an enhancer for a codec on a folder of photographs."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirac_enhance.cli.options import codec_option, threshold_option
from dirac_enhance.diffusion.schedule_catalogue import DEFAULT_SCHEDULE, SCHEDULES
from dirac_enhance.training.command_options import (
    COUNT,
    FILE,
    FOLDER,
    SHARE,
    interval_option,
    limit_options,
    optimisation_options,
    output_option,
    process_options,
    share_option,
    validation_interval_option,
)

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost
    from dirac_enhance.training.loop import TrainingRun
    from dirac_enhance.training.plan import PairSet, TrainingPlan


@click.command(context_settings={"show_default": True})
@click.option("--codec", "codec_id", required=True, help="Codec whose artefacts to learn.")
@codec_option
@click.option(
    "--data",
    type=FOLDER,
    required=True,
    help="Folder of training images, or of the originals of --pairs; sub-folders count.",
)
@click.option(
    "--pairs",
    type=FILE,
    multiple=True,
    show_default="none; pairs are made on the fly",
    help="Index of pairs made beforehand, as `dirac-enhance make-pairs` writes it; may be repeated.",
)
@click.option("--held-out", type=SHARE, default=0.1, help="Share of the pairs' originals kept for validation.")
@click.option("--limit-pairs", type=COUNT, show_default="all", help="Train on at most so many pairs.")
@click.option(
    "--symmetries",
    type=click.Choice(["none", "flips", "flips-and-turns"]),
    default="flips-and-turns",
    help="How stored pairs are varied, original and base alike; right for codecs without a preferred direction.",
)
@click.option(
    "--colour-symmetries/--no-colour-symmetries",
    default=False,
    help="Negate luma and chroma of stored pairs, and swap the chroma planes, at random.",
)
@click.option("--grid", type=COUNT, default=16, help="Crops of stored pairs begin at multiples of so many pixels.")
@click.option("--pair-memory", metavar="MIB", type=click.IntRange(0), default=2048, help="Memory for decoded pairs.")
@output_option
@limit_options
@click.option("--from-weights", type=FILE, show_default="none", help="Start from the tensors of exported weights.")
@click.option("--network", default="small", help="One of `dirac-enhance networks`.")
@click.option(
    "--schedule",
    type=click.Choice(list(SCHEDULES)),
    default=DEFAULT_SCHEDULE,
    help="How noise grows with the timestep.",
)
@click.option("--tell-rate/--hide-rate", default=True, help="Whether the network is told the codec's rate factor.")
@click.option("--rates", type=(float, float), show_default="the codec's usual ones", help="Rate factors to train on.")
@share_option
@click.option(
    "--validation", type=FOLDER, show_default="none", help="Folder of held-out images, measured now and then."
)
@optimisation_options(batch_size=16, cooldown=0.25, ema_decay=0.9999)
@click.option(
    "--lpips-weight", type=click.FloatRange(0), default=0.01, help="Weight of the LPIPS term; 0 leaves it out."
)
@click.option("--lpips-backbone", type=FILE, show_default="none", help="SqueezeNet 1.1 features, for the LPIPS term.")
@click.option("--lpips-heads", type=FILE, show_default="those of the lpips package", help="Its linear heads.")
@click.option(
    "--validation-backbone", type=FILE, show_default="none", help="AlexNet features, for LPIPS in validation."
)
@click.option(
    "--rate-weighting",
    type=click.Choice(["power", "root", "none"]),
    default="root",
    help="What the squared error is divided by: its mean at the pair's rate factor, the root of that, or nothing.",
)
@click.option(
    "--first-share",
    type=click.FloatRange(0, 0.75),
    default=0.167,
    help="Share of each batch at t = 990, which steps 1 evaluates.",
)
@click.option(
    "--last-share",
    type=click.FloatRange(0, 0.75),
    default=0.0,
    help="Share of each batch at the last of few evaluations, noised from the network's own first estimate.",
)
@click.option("--own-estimates", default=0.5, help="Share of pairs noised from the network's own first estimate.")
@click.option(
    "--lpips-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    help="Share of each batch that the LPIPS term is computed on.",
)
@interval_option
@validation_interval_option
@click.option(
    "--keep-best",
    type=click.Choice(["no", "gain", "lpips"]),
    default="no",
    help="Export the weights that validated best, by PSNR gain of steps 1 or LPIPS of steps 100, not the last ones.",
)
@threshold_option
@process_options(
    workers="Processes that make pairs.",
    seed="Of pairs, timesteps, noise and initial weights.",
    precision="Of the network.",
)
@click.option("--compile", "compiled", is_flag=True, help="Run the network through torch.compile.")
@click.pass_obj
def train(
    host: CodecHost,
    /,
    codec_id: str,
    codec_options: dict[str, str],
    *,
    resume: bool,
    from_weights: Path | None,
    threshold_percentile: float | None,
    **options: Any,
) -> None:
    """Train an enhancer and export its weights to OUTPUT/<codec>.safetensors.

    With --pairs the codec need not encode: pairs of coded streams and originals are read, a share of the originals held
    out for validation, and crops flipped and turned. Without, pairs are made on the fly.

    Several GPUs or hosts: start it with torchrun. A killed training loses at most one interval; --resume goes on.

    \b
    Examples:
      dirac-enhance train --codec jpeg --data photos/ -o run/ --minutes 60 --lpips-weight 0
      dirac-enhance train --codec jpeg --data photos/ -o run/ --minutes 60 --resume --lpips-backbone squeezenet.pth
      dirac-enhance train --codec jpeg --data photos/ --pairs pairs/index.csv -o run/ --minutes 60 --keep-best gain …
      torchrun --nproc-per-node 8 -m dirac_enhance train --codec jpeg --data photos/ -o run/ --iterations 200000
    """
    from dirac_enhance.guard import guard_codec
    from dirac_enhance.pipeline import configure_codec
    from dirac_enhance.training.checkpoint import load_checkpoint
    from dirac_enhance.training.export import SamplingDefaults, export_weights
    from dirac_enhance.training.plan import build_run
    from dirac_enhance.training.processes import process_leads

    codec = configure_codec(guard_codec(host.codec(codec_id)), codec_options)
    run = build_run(_plan(options), codec, report=click.echo)
    path = run.resume() if resume else _start(run, from_weights)
    if process_leads():
        sampling = SamplingDefaults(threshold_percentile=threshold_percentile)
        weights = export_weights(load_checkpoint(path), path.parent, sampling=sampling)
        click.echo(f"weights: {weights}")


def _plan(options: dict[str, Any]) -> TrainingPlan:
    """Sort the options into the optimisation's settings and the rest of the plan."""
    from dirac_enhance.training.plan import TrainingPlan
    from dirac_enhance.training.settings import TrainingSettings

    names = {field.name for field in fields(TrainingSettings)}
    settings = TrainingSettings(**{name: options.pop(name) for name in names if name in options})
    pairs = _pair_set(options)
    return TrainingPlan(
        folder=options.pop("output"),
        rate_bounds=options.pop("rates"),
        settings=settings,
        pairs=pairs,
        **options,
    )


def _pair_set(options: dict[str, Any]) -> PairSet | None:
    """Take the options about stored pairs out of `options`."""
    from dirac_enhance.training.plan import PairSet

    indexes = options.pop("pairs")
    limit, memory = options.pop("limit_pairs"), options.pop("pair_memory")
    others = {name: options.pop(name) for name in ("held_out", "symmetries", "colour_symmetries", "grid")}
    return PairSet(indexes, limit=limit, memory=memory, **others) if indexes else None


def _start(run: TrainingRun, weights: Path | None) -> Path:
    """Start a training from random weights, or from those of a file; return the checkpoint to export."""
    if weights is None:
        return run.start()
    from dirac_enhance.training.lineage import Lineage, runs_of_weights
    from dirac_enhance.weights import WeightsFile

    loaded = WeightsFile(weights).load()
    return run.start(
        initial=loaded.state_dict, lineage=Lineage(loaded.sha256, runs_of_weights(loaded.metadata.training))
    )
