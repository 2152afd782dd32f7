"""Options that commands which train share: where to, how long, on which crops, how fast and on what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

COUNT = click.IntRange(1)
SHARE = click.FloatRange(0, 1)
POSITIVE = click.FloatRange(0, min_open=True)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
"""A folder that is there."""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file that is there."""


def _read_shares(_ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    return dict(_read_share(text) for text in texts)


def _read_share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise click.BadParameter(
            f"'{text}'; expected SOURCE=SHARE, as in portraits=0.4", param_hint="--share"
        ) from None


def _all(*options: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


output_option = click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the checkpoint and the weights.",
)
"""`output: Path`, which need not exist."""

weights_folder_option = click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("weights"),
    help="Folder for weights, card and manifest.",
)
"""`output: Path` of an export, which need not exist."""

half_option = click.option("--half/--full", default=True, help="Store float16, half the size, or float32.")
"""`half: bool`."""

limit_options = _all(
    click.option("--minutes", type=POSITIVE, show_default="no limit", help="Stop after so many minutes, and export."),
    click.option("--iterations", type=COUNT, show_default="no limit", help="Stop at this iteration, and export."),
    click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder."),
)
"""`minutes: float | None` and `iterations: int | None`, where a run ends, and `resume: bool`, where it begins."""

share_option = click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="SOURCE=SHARE",
    callback=_read_shares,
    show_default="by number of images",
    help="Share of a source among the crops.",
)
"""`shares: dict[str, float]`, as `load_pool` takes them."""

interval_option = click.option("--interval", type=COUNT, default=500, help="Iterations between checkpoints.")
"""`interval: int`."""

validation_interval_option = click.option(
    "--validation-interval", type=COUNT, default=2000, help="Iterations between validations."
)
"""`validation_interval: int`."""


def optimisation_options(*, batch_size: int, cooldown: float, ema_decay: float) -> Decorator:
    """Add `crop_size`, `batch_size`, `learning_rate`, `cooldown` and `ema_decay`, of these defaults."""
    return _all(
        click.option("--crop-size", type=COUNT, default=128, help="Side of the training crops in pixels."),
        click.option("--batch-size", type=COUNT, default=batch_size, help="Crops an iteration and process."),
        click.option("--learning-rate", type=POSITIVE, default=5e-4, help="After the warm-up."),
        click.option(
            "--cooldown",
            type=SHARE,
            default=cooldown,
            help="Share of this run, at its end, in which the learning rate falls to 0.",
        ),
        click.option("--ema-decay", type=SHARE, default=ema_decay, help="Decay of the averaged weights."),
    )


def process_options(*, workers: str, seed: str, precision: str) -> Decorator:
    """Add `workers`, `seed`, `device` and `precision`; the arguments are the help of three of them."""
    return _all(
        click.option("--workers", type=click.IntRange(0), default=1, help=workers),
        click.option("--seed", type=click.IntRange(0), default=0, help=seed),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to train."),
        click.option("--precision", type=click.Choice(["bfloat16", "float32"]), default="bfloat16", help=precision),
    )
