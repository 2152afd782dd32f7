"""Short trainings that differ in one thing only, as `network_designs.py` and `schedule_ablation.py` compare them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirac_enhance.training.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from dirac_enhance.training.checkpoint import Checkpoint
    from dirac_enhance.training.loop import TrainingRun

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--data", type=_FOLDER, required=True, help="Training images."),
    click.option("--validation", type=_FOLDER, required=True, help="Held-out images."),
    click.option("--lpips-backbone", type=_FILE, required=True, help="SqueezeNet 1.1 features, for the loss."),
    click.option("--validation-backbone", type=_FILE, required=True, help="AlexNet features, for reporting."),
    click.option("--codec", default="jpeg", help="An installed codec that encodes."),
)


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `data`, `validation`, `lpips_backbone`, `validation_backbone` and `codec` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def train_shortly(run: TrainingRun, *, name: str) -> Checkpoint:
    """Train from the beginning, and leave no file; tells of progress on standard error."""
    with tempfile.TemporaryDirectory() as folder:
        named = replace(run, folder=Path(folder), report=lambda line: click.echo(f"{name}: {line}", err=True))
        return load_checkpoint(named.start())
