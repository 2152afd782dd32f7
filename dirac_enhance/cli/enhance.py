"""`dirac-enhance FILE…`: enhance compressed pictures; the default command."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dirac_enhance.batch.inputs import STANDARD_INPUT, FolderSearch, Inputs, find_inputs, read_list, recognise_by
from dirac_enhance.batch.plan import plan_batch
from dirac_enhance.cli.options import network_options, result_options, sampling_options, source_options
from dirac_enhance.cli.tally import Tally, Verbosity
from dirac_enhance.errors import WeightsError

if TYPE_CHECKING:
    from dirac_enhance.enhancer import Enhancer
    from dirac_enhance.host import CodecHost, RegisteredCodec


@click.command(context_settings={"show_default": True})
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path())
@click.option(
    "-r",
    "--recursive",
    is_flag=True,
    help="Take folders, too: every picture in them and their subfolders. Under -o the results lie in the same tree.",
)
@click.option(
    "--files-from",
    metavar="FILE|-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    show_default="none",
    help="Read more names from a file or, with -, from standard input: one a line, or separated by NULs, as `find"
    " -print0` does. Under -o their results keep the whole path.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    show_default="<name>.enhanced.png beside the input; standard output for -",
    help="Where the result goes: in a folder as <name>.png; to a file in the format of its suffix, .png, .jpg, .webp"
    " or .tiff. Several inputs need a folder, which is created.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace results that are already there. Else they are skipped, and an error for a single file.",
)
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
    if enhancer_id is not None:
        host.codec(enhancer_id)
    codecs = host.codecs.values() if codec_id == "auto" else [host.codec(codec_id)]  # an unknown one ends the command
    _check_settings(host, codec_id, codec_options, weights)
    recognises = recognise_by(each.codec for each in codecs) if enhancer_id is None else _has_decoded_suffix
    search = FolderSearch(recognises, spared=Path(output) if output else None) if recursive else None
    inputs = _find(files, files_from, search)
    plan = plan_batch(inputs, output, overwrite=overwrite)
    tally = Tally(plan, verbosity or "normal")
    tally.begin(inputs)
    if plan.jobs:
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
        tally.run(recipe)
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


def _has_decoded_suffix(path: Path) -> bool:
    from dirac_enhance.decoded_pixels import DECODED_SUFFIXES

    return path.suffix.lower() in DECODED_SUFFIXES


def _command_meant(text: str) -> str | None:
    """Return the command whose name a word may be a slip of."""
    group = click.get_current_context().parent
    names = group.command.commands if group is not None and isinstance(group.command, click.Group) else ()
    return next(iter(get_close_matches(text, names, n=1, cutoff=0.8)), None)


def _find(files: tuple[str, ...], files_from: str | None, search: FolderSearch | None) -> Inputs:
    """Find the inputs.

    Raises:
        click.UsageError: if none is named.
    """
    if not files and files_from is None:
        raise click.UsageError("Missing argument 'FILE...'.")
    if files and not Path(files[0]).exists() and (command := _command_meant(files[0])):
        raise click.UsageError(f"there is no file and no command '{files[0]}'; did you mean '{command}'?")
    if files_from is None:
        return find_inputs(files, search=search)
    if files_from == STANDARD_INPUT and STANDARD_INPUT in files:
        raise click.UsageError("standard input cannot be a picture and the list of --files-from at the same time")
    with click.open_file(files_from, "rb") as file:
        return find_inputs(files, read_list(file.read()), search=search)
