"""The SwinT-ChARM base codec: a neural one, with the command that trains it."""

from __future__ import annotations

import click

from dirac_enhance import hookimpl
from dirac_enhance_swint_charm.train_command import train_codec

__all__ = ["register_commands"]


@hookimpl
def register_commands(group: click.Group) -> None:
    """Add the command `train-codec`."""
    group.add_command(train_codec)
