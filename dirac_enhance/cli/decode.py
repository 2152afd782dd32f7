"""`dirac-enhance decode FILE…`: the pictures as their codecs decode them, not enhanced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dirac_enhance.batch.plan import plan_files
from dirac_enhance.cli.console import print_result, report
from dirac_enhance.cli.options import result_options, source_options
from dirac_enhance.errors import DiracError

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost


@click.command(context_settings={"show_default": True})
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    show_default="<name>.decoded.png beside the input",
    help="Where the result goes, as for `dirac-enhance enhance`.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that are already there.")
@result_options
@source_options
@click.pass_obj
def decode(
    host: CodecHost,
    /,
    *,
    files: tuple[Path, ...],
    output: str | None,
    overwrite: bool,
    depth: Literal[8, 16],
    strip_metadata: bool,
    codec_id: str,
    codec_options: dict[str, str],
    enhancer_id: str | None,
    max_pixels: int,
) -> None:
    """Decode compressed pictures without enhancing them.

    Writes what enhancing starts from, by the same rules for names, formats and metadata. A bad file is reported and
    the others are still decoded; the exit code is then 1.

    \b
    Examples:
      dirac-enhance decode photo.jpg                    writes photo.decoded.png
      dirac-enhance decode photo.jpg -o photo.tiff
      dirac-enhance decode holiday/*.jpg -o results/    writes results/<name>.png
    """
    plan = plan_files(files, output, ending=".decoded.png")
    from dirac_enhance.image import OutputSettings
    from dirac_enhance.pipeline import AUTO, CodecChoice, decode_to_file

    if codec_id != AUTO:
        host.codec(codec_id)  # an unknown one is an error of the whole command
    choice = CodecChoice(codec_id, codec_options, enhancer_id, max_pixels)
    settings = OutputSettings(overwrite=overwrite, depth=depth, strip_metadata=strip_metadata)
    failed = False
    for job in plan.jobs:
        try:
            decode_to_file(
                job.source,
                job.target,
                host=host,
                choice=choice,
                output=settings,
                creates_folder=plan.creates_folder,
            )
        except DiracError as error:
            report(error)
            failed = True
        else:
            print_result(job.target)
    if failed:
        raise click.exceptions.Exit(1)
