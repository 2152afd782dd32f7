"""The SwinT-ChARM base codec with its bundled weights, and the commands that train and export it."""

from __future__ import annotations

import click

from dirac_enhance import RegisterCodec, bundled_weights, hookimpl
from dirac_enhance_swint_charm.codec import SwintCharmCodec
from dirac_enhance_swint_charm.export_command import export_codec
from dirac_enhance_swint_charm.train_command import train_codec

__all__ = ["SwintCharmCodec", "register_codecs", "register_commands"]


@hookimpl
def register_codecs(register: RegisterCodec) -> None:
    """Register the codec `swint-charm`."""
    codec = SwintCharmCodec()
    register(codec, weights=bundled_weights(codec.id))


@hookimpl
def register_commands(group: click.Group) -> None:
    """Add the commands `train-codec` and `export-codec`."""
    group.add_command(train_codec)
    group.add_command(export_codec)
