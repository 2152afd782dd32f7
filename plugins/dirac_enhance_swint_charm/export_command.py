"""`dirac-enhance export-codec`: a checkpoint of `train-codec` to a folder of weights."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export-codec", context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("weights"),
    help="Folder for weights, card and manifest.",
)
@click.option("--half/--full", default=True, help="Store float16, half the size, or float32.")
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
