"""The two hooks a plugin may implement, and their markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    import click

    from dirac_enhance.codec import Codec
    from dirac_enhance.weights import WeightsFile

ENTRY_POINT_GROUP = "dirac_enhance"

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)


class RegisterCodec(Protocol):
    """What `register_codecs` is handed: call it once for each codec."""

    def __call__(self, codec: Codec, *, weights: WeightsFile | None = None) -> None:
        """Register one codec under its id."""
        ...


@hookspec
def register_codecs(register: RegisterCodec) -> None:
    """Register base codecs: `register(MyCodec(), weights=WeightsFile(...))`; without weights only decoding works."""


@hookspec
def register_commands(group: click.Group) -> None:
    """Add commands to the command line: `group.add_command(my_command)`."""
