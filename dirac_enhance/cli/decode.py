"""`dirac-enhance decode FILE…`: the pictures as their codecs decode them, not enhanced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from dirac_enhance.batch.leftovers import clear_leftovers
from dirac_enhance.cli.imports import quick_imports
from dirac_enhance.cli.inputs import Request, input_options, plan_request
from dirac_enhance.cli.options import result_options, source_options
from dirac_enhance.cli.tally import Tally, Verbosity

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost


ENDING = ".decoded.png"
"""What the names of results end in that lie beside their sources."""


@click.command(context_settings={"show_default": True})
@input_options(ending=ENDING)
@result_options
@source_options
@click.option("-q", "--quiet", "verbosity", flag_value="quiet", help="Print errors and warnings only.")
@click.option("-v", "--verbose", "verbosity", flag_value="verbose", help="Print which files are passed over, too.")
@click.pass_obj
def decode(
    host: CodecHost,
    /,
    *,
    files: tuple[str, ...],
    recursive: bool,
    files_from: str | None,
    output: str | None,
    overwrite: bool,
    depth: Literal[8, 16],
    strip_metadata: bool,
    codec_id: str,
    codec_options: dict[str, str],
    enhancer_id: str | None,
    max_pixels: int,
    verbosity: Verbosity | None,
) -> None:
    """Decode compressed pictures without enhancing them.

    Writes what enhancing starts from, by the same rules for names, folders, formats and metadata: a bad file is
    reported and the others are still decoded, results that are there are skipped where several files are asked for.

    \b
    Examples:
      dirac-enhance decode photo.jpg                    writes photo.decoded.png
      dirac-enhance decode photo.jpg -o photo.tiff
      dirac-enhance decode holiday/*.jpg -o results/    writes results/<name>.png
      dirac-enhance decode holiday -r -o results/       all of a folder, its tree mirrored
    """
    request = Request(files, recursive, files_from, output, overwrite)
    inputs, plan = plan_request(request, host, codec_id=codec_id, enhancer_id=enhancer_id, ending=ENDING)
    clear_leftovers(plan)
    tally = Tally(plan, verbosity or "normal", verb="decoded")
    tally.begin(inputs)
    if plan.jobs:
        with quick_imports():
            import torch  # noqa: F401 - every codec needs it
        from dirac_enhance.batch.decode_only import decode_batch
        from dirac_enhance.image import OutputSettings
        from dirac_enhance.pipeline import CodecChoice

        choice = CodecChoice(codec_id, codec_options, enhancer_id, max_pixels)
        settings = OutputSettings(overwrite=overwrite, depth=depth, strip_metadata=strip_metadata)
        tally.run(lambda _: decode_batch(plan, host=host, output=settings, choice=choice))
    tally.end()
    if tally.failures:
        raise click.exceptions.Exit(1)
