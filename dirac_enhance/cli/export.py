"""`dirac-enhance export`: a training checkpoint to a weights file, its card and its manifest row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirac_enhance.cli.options import threshold_option
from dirac_enhance.training.command_options import half_option, weights_folder_option

if TYPE_CHECKING:
    from dirac_enhance.diffusion.trajectory import Spacing


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@weights_folder_option
@click.option(
    "--late-start",
    type=click.IntRange(0, 99),
    show_default="80, or where another noise schedule has as much noise",
    help="Default late start of the exported weights.",
)
@click.option(
    "--spacing", type=click.Choice(["log-snr", "paper"]), default="log-snr", help="Default spacing of the evaluations."
)
@click.option(
    "--evaluations", type=click.IntRange(1), default=2, help="Default number of evaluations of log-SNR spacing."
)
@click.option(
    "--end-timestep",
    metavar="T",
    type=click.IntRange(0, 999),
    show_default="4, or where another noise schedule has as much noise",
    help="Default timestep at which log-SNR spacing ends.",
)
@threshold_option
@half_option
def export(
    checkpoint: Path,
    output: Path,
    *,
    late_start: int | None,
    spacing: Spacing,
    evaluations: int,
    end_timestep: int | None,
    threshold_percentile: float | None,
    half: bool,
) -> None:
    """Export CHECKPOINT, a file or the folder of a training, to OUTPUT/<codec>.safetensors.

    Of a folder, the checkpoint that validated best, if it was kept, else the last one.

    The card's hand-written part and other codecs' manifest rows are kept. Thresholds are not: they are stored where
    --thresholds asks for them, also where earlier weights had some.

    \b
    Examples:
      dirac-enhance export run/
      dirac-enhance export run/checkpoint.pt -o weights/ --spacing paper
      dirac-enhance export run/ --evaluations 2 --end-timestep 10
      dirac-enhance export run/ --thresholds 99
    """
    from dirac_enhance.training.checkpoint import find_checkpoint, load_checkpoint
    from dirac_enhance.training.export import SamplingDefaults, export_weights

    if end_timestep is not None and spacing == "paper":
        raise click.UsageError("the paper's spacing ends at timestep 0; leave --end-timestep out")
    few = evaluations if spacing == "log-snr" else None
    sampling = SamplingDefaults(late_start, spacing, few, end_timestep, threshold_percentile)
    loaded = load_checkpoint(find_checkpoint(checkpoint))
    click.echo(f"weights: {export_weights(loaded, output, sampling=sampling, half_precision=half)}")
    if loaded.residual_counts:
        click.echo(f"thresholds: {_describe_thresholds(threshold_percentile, rates=len(loaded.residual_counts))}")


def _describe_thresholds(percentile: float | None, *, rates: int) -> str:
    """Say which thresholds are stored; where none are, that the checkpoint could have given some."""
    if percentile is None:
        return f"none stored, though residuals were measured at {rates} rate factors; --thresholds 99 stores some"
    return f"at {rates} rate factors, the range of {percentile:g} % of the residuals"
