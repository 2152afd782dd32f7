"""`dirac-enhance train-codec`: train SwinT-ChARM itself on a folder of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirac_enhance import create_folder

if TYPE_CHECKING:
    from dirac_enhance_swint_charm.training.loop import CodecTraining

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
_COUNT = click.IntRange(1)
_SHARE = click.FloatRange(0, 1)
_POSITIVE = click.FloatRange(0, min_open=True)


@click.command("train-codec", context_settings={"show_default": True})
@click.option("--codec", type=click.Choice(["swint-charm"]), required=True, help="Neural codec to train.")
@click.option("--data", type=_FOLDER, required=True, help="Folder of training images; sub-folders count.")
@click.option("-o", "--output", type=_NEW_FOLDER, required=True, help="Folder for the checkpoint and the weights.")
@click.option("--config", type=click.Choice(["small", "paper", "tiny"]), default="small", help="Shape of the network.")
@click.option("--minutes", type=_POSITIVE, show_default="no limit", help="Stop after so many minutes, and export.")
@click.option("--iterations", type=_COUNT, show_default="no limit", help="Stop at this iteration, and export.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder.")
@click.option(
    "--rate-factor", type=_POSITIVE, show_default="log-uniform over all rates", help="Train at this one λ only."
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="SOURCE=SHARE",
    show_default="by number of images",
    help="Share of a source among the crops.",
)
@click.option("--validation", type=_FOLDER, show_default="none", help="Folder of held-out images.")
@click.option("--validation-limit", type=_COUNT, default=6, help="Measure at most so many of them.")
@click.option("--validation-interval", type=_COUNT, default=2000, help="Iterations between validations.")
@click.option("--crop-size", type=_COUNT, default=128, help="Side of the training crops in pixels.")
@click.option("--batch-size", type=_COUNT, default=8, help="Crops an iteration and process.")
@click.option("--learning-rate", type=_POSITIVE, default=5e-4, help="After the warm-up.")
@click.option(
    "--cooldown",
    type=_SHARE,
    default=0.5,
    help="Share of this run, at its end, in which the learning rate falls to 0.",
)
@click.option("--ema-decay", type=_SHARE, default=0.999, help="Decay of the averaged weights.")
@click.option("--interval", type=_COUNT, default=500, help="Iterations between checkpoints.")
@click.option("--workers", type=click.IntRange(0), default=1, help="Processes that cut crops.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of crops, rates, noise and initial weights.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to train.")
@click.option("--precision", type=click.Choice(["bfloat16", "float32"]), default="bfloat16", help="Of the transforms.")
def train_codec(*, codec: str, resume: bool, **options: Any) -> None:
    """Train a neural codec and export its weights to OUTPUT/<codec>-codec.safetensors.

    The loss is λ·255²·MSE + bits per pixel, so a larger rate factor λ is the better picture and the larger file. One
    network serves all rates: λ is drawn anew for each crop, unless --rate-factor fixes it.

    Several GPUs or hosts: start it with torchrun. A killed training loses at most one interval; --resume goes on, also
    with other crops, rates or learning rate.

    \b
    Examples:
      dirac-enhance train-codec --codec swint-charm --data photos/ -o run/ --minutes 180 --validation held-out/
      dirac-enhance train-codec --codec swint-charm --data photos/ -o run/ --minutes 60 --resume --crop-size 256
      torchrun --nproc-per-node 8 -m dirac_enhance train-codec --codec swint-charm --data photos/ -o run/ --config paper
    """
    from dirac_enhance.training.checkpoint import load_checkpoint
    from dirac_enhance.training.processes import process_leads
    from dirac_enhance_swint_charm.training.export import export_codec

    del codec  # there is one
    run = _build(options)
    path = run.resume() if resume else run.start()
    if process_leads():
        click.echo(f"weights: {export_codec(load_checkpoint(path), path.parent)}")


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
    pool = load_pool(options["data"], smallest_side=size, shares=dict(map(_share, options["shares"])))
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


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise click.BadParameter(
            f"'{text}'; expected SOURCE=SHARE, as in portraits=0.4", param_hint="--share"
        ) from None
