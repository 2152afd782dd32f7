"""`dirac-enhance export-codec`: a checkpoint of `train-codec` to a folder of weights."""

from __future__ import annotations

from pathlib import Path

import click

from dirac_enhance.training.command_options import half_option, weights_folder_option


@click.command("export-codec", context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@weights_folder_option
@half_option
def export_codec(checkpoint: Path, output: Path, *, half: bool) -> None:
    """Export CHECKPOINT, a file or the folder of a training, to OUTPUT/<codec>-codec.safetensors.

    The card's hand-written part and other rows of the manifest are kept. Files coded with other weights, also of the
    same training, are not read with these.

    \b
    Examples:
      dirac-enhance export-codec run/
      dirac-enhance export-codec run/checkpoint.pt -o weights/ --full
    """
    from dirac_enhance.training.checkpoint import load_checkpoint
    from dirac_enhance_swint_charm.training.export import ship_codec

    click.echo(f"weights: {ship_codec(load_checkpoint(checkpoint), output, half_precision=half).path}")
