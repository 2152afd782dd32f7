"""`dirac-enhance contact-sheet FILE`: the trade-off between fidelity and realism at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dirac_enhance.batch.plan import plan_files
from dirac_enhance.cli.console import print_result, remark
from dirac_enhance.cli.options import end_timestep_option, network_options, source_options, trajectory_options
from dirac_enhance.cli.progress import follow

if TYPE_CHECKING:
    from dirac_enhance.enhancer import Enhancer
    from dirac_enhance.host import CodecHost, RegisteredCodec
    from dirac_enhance.window import Window


def _read_steps(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    kind: click.ParamType[Any] = click.IntRange(1, 100)
    return tuple(kind.convert(part.strip(), parameter, ctx) for part in text.split(","))


def _read_crops(_ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Window, ...]:
    from dirac_enhance.window import Window

    crops = []
    for text in texts:
        try:
            left, top, width, height = map(int, text.split(","))
            crops.append(Window(top, left, height, width))
        except ValueError:
            raise click.BadParameter(f"'{text}'; expected X,Y,WIDTH,HEIGHT in pixels, as in 120,80,192,144") from None
    return tuple(crops)


@click.command(context_settings={"show_default": True})
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--steps",
    metavar="N,N,…",
    callback=_read_steps,
    show_default="1, the first after late start, usually 81, and 100",
    help="Where on the way from fidelity to realism to stop, one column each; see `dirac-enhance enhance --help`.",
)
@click.option(
    "--crop",
    "crops",
    metavar="X,Y,W,H",
    multiple=True,
    callback=_read_crops,
    show_default="two, where the columns differ most",
    help="A part of the upright picture to show enlarged, in pixels; may be repeated.",
)
@click.option("--zoom", type=click.Choice(["1", "2"]), default="2", help="Pixels of the sheet for one pixel of a crop.")
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    show_default="<name>.contact-sheet.png beside the input",
    help="Where the sheet goes, as for `dirac-enhance enhance`.",
)
@click.option("--overwrite", is_flag=True, help="Replace a sheet that is already there.")
@source_options
@trajectory_options
@end_timestep_option
@network_options
@click.pass_obj
def contact_sheet(
    host: CodecHost,
    /,
    *,
    file: Path,
    steps: tuple[int, ...],
    crops: tuple[Window, ...],
    zoom: Literal["1", "2"],
    output: str | None,
    overwrite: bool,
    codec_id: str,
    codec_options: dict[str, str],
    enhancer_id: str | None,
    max_pixels: int,
    weights: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    precision: Literal["auto", "float32", "bfloat16"],
    tile: int | None,
    **sampling: Any,
) -> None:
    """Show what --steps does to a picture.

    Draws one labelled picture with a column for FILE as decoded and one for each step: the whole picture, and crops
    of it pixel by pixel. The captions name the crops as --crop takes them.

    Each column is what `dirac-enhance FILE --steps N` writes with the same options. Weights that take few evaluations
    from late start to position 100 give neighbouring steps one picture, and the sheet says so; --spacing paper, here
    and there, gives each step one of its own.

    \b
    Examples:
      dirac-enhance contact-sheet photo.jpg                       writes photo.contact-sheet.png
      dirac-enhance contact-sheet photo.jpg --steps 1,100 -o pair.webp
      dirac-enhance contact-sheet photo.jpg --spacing paper --steps 1,81,90,100
      dirac-enhance contact-sheet photo.jpg --crop 120,80,192,144 --crop 400,300,192,144
    """
    (job,) = plan_files((file,), output, ending=".contact-sheet.png").jobs
    from dirac_enhance.contact_sheet.sheet import SheetSettings, write_contact_sheet
    from dirac_enhance.image import OutputSettings
    from dirac_enhance.pipeline import CodecChoice
    from dirac_enhance.sampling import SamplingSettings

    def load(codec: RegisteredCodec) -> Enhancer:
        from dirac_enhance.enhancer import load_enhancer

        return load_enhancer(
            codec.codec.id, weights=weights or codec.weights, device=device, precision=precision, tile=tile
        )

    settings = SheetSettings(steps, crops, int(zoom))
    with follow(file, total=1) as progress:
        repeated = write_contact_sheet(
            job.source,
            job.target,
            host=host,
            load_enhancer_of=load,
            settings=settings,
            choice=CodecChoice(codec_id, codec_options, enhancer_id, max_pixels),
            sampling=SamplingSettings(**sampling),
            output=OutputSettings(overwrite=overwrite),
            progress=lambda done, total: progress.advance(done / total),
        )
    print_result(job.target)
    if repeated:
        same = ", ".join(f"steps {step} as steps {first}" for step, first in repeated.items())
        remark(f"The same picture: {same}; --spacing paper gives each its own.")
