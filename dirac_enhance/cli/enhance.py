"""`dirac-enhance FILE…`: enhance compressed pictures; the default command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dirac_enhance.batch.inputs import RESULT_ENDING
from dirac_enhance.batch.leftovers import clear_leftovers
from dirac_enhance.cli.imports import quick_imports
from dirac_enhance.cli.inputs import Request, input_options, plan_request
from dirac_enhance.cli.options import network_options, result_options, sampling_options, source_options
from dirac_enhance.cli.tally import Tally, Verbosity
from dirac_enhance.errors import WeightsError

if TYPE_CHECKING:
    from dirac_enhance.enhancer import Enhancer
    from dirac_enhance.host import CodecHost, RegisteredCodec


@click.command(context_settings={"show_default": True})
@input_options(ending=RESULT_ENDING)
@result_options
@source_options
@sampling_options
@network_options
@click.option("-q", "--quiet", "verbosity", flag_value="quiet", help="Print errors and warnings only.")
@click.option(
    "-v",
    "--verbose",
    "verbosity",
    flag_value="verbose",
    help="Print for each file its codec and size, the network evaluations, device, precision, tile, weights, seconds.",
)
@click.pass_obj
def enhance(
    host: CodecHost,
    /,
    *,
    files: tuple[str, ...],
    recursive: bool,
    files_from: str | None,
    output: str | None,
    overwrite: bool,
    codec_id: str,
    codec_options: dict[str, str],
    enhancer_id: str | None,
    max_pixels: int,
    depth: Literal[8, 16],
    strip_metadata: bool,
    weights: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    precision: Literal["auto", "float32", "bfloat16"],
    tile: int | None,
    verbosity: Verbosity | None,
    **sampling: Any,
) -> None:
    """Enhance compressed pictures; the default command.

    Prints where the results are. A bad file is reported and the others are still enhanced; the exit code is then 1.
    Where several files are asked for, a result that is already there is skipped, so a run that was cut short goes on
    when it is started again, and the last line counts. Quoted patterns are understood, ** for folders of any depth.

    \b
    Examples:
      dirac-enhance photo.jpg                       writes photo.enhanced.png
      dirac-enhance photo.jpg -o better.webp
      dirac-enhance holiday/*.jpg -o results/       writes results/<name>.png
      dirac-enhance holiday -r -o results/          all of a folder, its tree mirrored
      find . -name '*.jpg' | dirac-enhance --files-from - -o results/
      dirac-enhance photo.jpg --steps 1             closest to the original
      dirac-enhance photo.jpg --seed 7 --verbose    another sample, with details
      dirac-enhance photo.jpg --weights run/jpeg.safetensors
      dirac-enhance frame.png --enhancer jpeg       decoded pixels: no codec runs
      dirac-enhance - < photo.jpg > better.png      standard input and output
    """
    _check_settings(host, codec_id, codec_options, weights)
    request = Request(files, recursive, files_from, output, overwrite)
    inputs, plan = plan_request(request, host, codec_id=codec_id, enhancer_id=enhancer_id, ending=RESULT_ENDING)
    clear_leftovers(plan)
    tally = Tally(plan, verbosity or "normal")
    tally.begin(inputs)
    if plan.jobs:
        with quick_imports():
            from dirac_enhance.batch.runner import run_batch
        from dirac_enhance.batch.recipe import OF_ALL_FILES, Recipe
        from dirac_enhance.image import OutputSettings
        from dirac_enhance.pipeline import CodecChoice
        from dirac_enhance.sampling import SamplingSettings

        enhancers: dict[str, Enhancer] = {}

        def load_once(codec: RegisteredCodec) -> Enhancer:
            from dirac_enhance.enhancer import load_enhancer

            name = codec.codec.id
            if name not in enhancers:
                enhancers[name] = load_enhancer(
                    name, weights=weights or codec.weights, device=device, precision=precision, tile=tile
                )
            return enhancers[name]

        recipe = Recipe(
            host=host,
            load_enhancer_of=load_once,
            choice=CodecChoice(codec_id, codec_options, enhancer_id, max_pixels),
            sampling=SamplingSettings(**sampling),
            output=OutputSettings(overwrite=overwrite, depth=depth, strip_metadata=strip_metadata),
            of_all_files=(*OF_ALL_FILES, WeightsError) if weights else OF_ALL_FILES,
        )
        tally.run(lambda progress: run_batch(plan, recipe, progress=progress.advance))
    tally.end()
    if tally.failures:
        raise click.exceptions.Exit(1)


def _check_settings(host: CodecHost, codec_id: str, codec_options: dict[str, str], weights: Path | None) -> None:
    """Find what is wrong with the settings of all files before the first is looked at.

    Raises:
        DiracError: of the kind that fits.
    """
    if codec_id != "auto":
        from dirac_enhance.pipeline import configure_codec

        configure_codec(host.codec(codec_id).codec, codec_options)
    if weights is not None:
        from dirac_enhance.weights import WeightsFile

        WeightsFile(weights).metadata()  # the whole file is verified when it is loaded
