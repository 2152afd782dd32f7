"""`dirac-enhance train-codec`: train SwinT-ChARM itself on a folder of photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dirac_enhance import WeightsFile, create_folder
from dirac_enhance.training.command_options import (
    COUNT,
    FILE,
    FOLDER,
    POSITIVE,
    interval_option,
    limit_options,
    optimisation_options,
    output_option,
    process_options,
    share_option,
    validation_interval_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from dirac_enhance_swint_charm.training.loop import CodecTraining


@click.command("train-codec", context_settings={"show_default": True})
@click.option("--codec", type=click.Choice(["swint-charm"]), required=True, help="Neural codec to train.")
@click.option("--data", type=FOLDER, required=True, help="Folder of training images; sub-folders count.")
@output_option
@click.option("--config", type=click.Choice(["small", "paper", "tiny"]), default="small", help="Shape of the network.")
@limit_options
@click.option(
    "--from-weights", type=FILE, show_default="none", help="Start from exported weights of the codec, of any training."
)
@click.option(
    "--rate-factor", type=POSITIVE, show_default="log-uniform over all rates", help="Train at this one λ only."
)
@share_option
@click.option("--validation", type=FOLDER, show_default="none", help="Folder of held-out images.")
@click.option("--validation-limit", type=COUNT, default=6, help="Measure at most so many of them.")
@validation_interval_option
@optimisation_options(batch_size=8, cooldown=0.5, ema_decay=0.999)
@interval_option
@process_options(
    workers="Processes that cut crops.",
    seed="Of crops, rates, noise and initial weights.",
    precision="Of the transforms.",
)
def train_codec(*, codec: str, resume: bool, from_weights: Path | None, **options: Any) -> None:
    """Train a neural codec and export its weights to OUTPUT/<codec>-codec.safetensors.

    The loss is λ·255²·MSE + bits per pixel, so a larger rate factor λ is the better picture and the larger file. One
    network serves all rates: λ is drawn anew for each crop, unless --rate-factor fixes it.

    Several GPUs or hosts: start it with torchrun. A killed training loses at most one interval; --resume goes on, also
    with other crops, rates or learning rate.

    \b
    Examples:
      dirac-enhance train-codec --codec swint-charm --data photos/ -o run/ --minutes 180 --validation held-out/
      dirac-enhance train-codec --codec swint-charm --data photos/ -o run/ --minutes 60 --resume --crop-size 256
      dirac-enhance train-codec --codec swint-charm --data photos/ -o new/ --minutes 60 --from-weights FILE
      torchrun --nproc-per-node 8 -m dirac_enhance train-codec --codec swint-charm --data photos/ -o run/ --config paper
    """
    from dirac_enhance.training.checkpoint import load_checkpoint
    from dirac_enhance.training.processes import process_leads
    from dirac_enhance_swint_charm.training.export import export_codec
    from dirac_enhance_swint_charm.weights_file import load_codec_weights

    del codec  # there is one
    run = _build(options)
    if process_leads():
        click.echo(_describe(options["config"]))
    initial = load_codec_weights(WeightsFile(from_weights)) if from_weights else None
    path = run.resume() if resume else run.start(initial)
    if process_leads():
        click.echo(f"weights: {export_codec(load_checkpoint(path), path.parent).path}")


def _describe(name: str) -> str:
    """Say how many parameters a configuration has, how many the paper's network, and why these differ."""
    from dirac_enhance_swint_charm.networks.config import CONFIGS, PAPER_MILLIONS, SIZE_REASONS
    from dirac_enhance_swint_charm.networks.network import parameter_count

    count = parameter_count(CONFIGS[name])
    return f"{name}: {count:,} parameters; the paper's network has {PAPER_MILLIONS} M: {SIZE_REASONS[name]}"


def _build(options: dict[str, Any]) -> CodecTraining:
    import torch

    from dirac_enhance import resolve_device
    from dirac_enhance.training.images import load_pool
    from dirac_enhance.training.settings import TrainingSettings
    from dirac_enhance_swint_charm.networks.config import CONFIGS, STRIDE
    from dirac_enhance_swint_charm.rates import RATE_RANGE
    from dirac_enhance_swint_charm.training.crops import CropRecipe, CropSource
    from dirac_enhance_swint_charm.training.loop import CodecTraining
    from dirac_enhance_swint_charm.training.validation import load_validation

    size, rate = options["crop_size"], options["rate_factor"]
    if size % STRIDE:
        raise click.BadParameter(f"{size}; expected a multiple of {STRIDE}", param_hint="--crop-size")
    bounds = (RATE_RANGE.minimum, RATE_RANGE.maximum) if rate is None else (RATE_RANGE.check(rate),) * 2
    names = "batch_size learning_rate cooldown ema_decay iterations minutes interval validation_interval workers seed"
    settings = TrainingSettings(lpips_weight=0, **{name: options[name] for name in names.split()})
    create_folder(options["output"])
    pool = load_pool(options["data"], smallest_side=size, shares=options["shares"])
    validation = options["validation"]
    return CodecTraining(
        crops=CropSource(pool, CropRecipe(size, bounds)),
        config=CONFIGS[options["config"]],
        settings=settings,
        folder=options["output"],
        validate=load_validation(validation, limit=options["validation_limit"], report=click.echo)
        if validation
        else None,
        report=click.echo,
        device=resolve_device(options["device"]),
        precision=getattr(torch, options["precision"]),
    )
