"""`dirac-enhance report RESULTS…`: bench results as one page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dirac_enhance.cli.options import codec_option, network_options
from dirac_enhance.cli.progress import follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dirac_enhance.bench.report.scenes import Scene
    from dirac_enhance.bench.results import Results
    from dirac_enhance.host import CodecHost


def _read_steps(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    kind: click.ParamType[Any] = click.IntRange(1, 100)
    return tuple(kind.convert(part.strip(), parameter, ctx) for part in text.split(","))


@click.command(context_settings={"show_default": True})
@click.argument("results", metavar="RESULTS…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default="report.html",
    help="Where the page goes.",
)
@click.option("--overwrite", is_flag=True, help="Replace a page that is already there.")
@click.option("--title", metavar="TEXT", default="How good, at which rate, against whom", help="Title of the page.")
@click.option(
    "--pictures",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    show_default="none; the page then has tables and curves only",
    help="Folder with originals: crops of them are coded and enhanced for the page, to be compared under a slider.",
)
@click.option(
    "--crop",
    "crops",
    metavar="NAME[:X,Y,W,H]",
    multiple=True,
    show_default="three pictures spread over the folder, where their versions differ most",
    help="A picture of that folder, and the part of it to show, in pixels; may be repeated.",
)
@click.option("--codec", "codec_id", metavar="ID", show_default="that of the results", help="What codes the pictures.")
@codec_option
@click.option(
    "--rate",
    "rates",
    metavar="R",
    type=float,
    multiple=True,
    show_default="one below the middle of those measured",
    help="Rate factor of the pictures; may be repeated.",
)
@click.option(
    "--steps", metavar="N,N,…", default="1,100", callback=_read_steps, help="Steps of the pictures, a version each."
)
@click.option(
    "--peer",
    "peers",
    metavar="ID",
    multiple=True,
    show_default="none",
    help="Another restorer to show, such as jpeg2png or spandrel:FILE; may be repeated.",
)
@click.option(
    "--seed",
    metavar="S",
    type=click.IntRange(0),
    show_default="that of the results",
    help="Seed of the pictures' noise.",
)
@network_options
@click.pass_obj
def report(
    host: CodecHost,
    /,
    *,
    results: tuple[Path, ...],
    output: Path,
    overwrite: bool,
    title: str,
    folder: Path | None,
    crops: tuple[str, ...],
    codec_id: str | None,
    codec_options: dict[str, str],
    rates: tuple[float, ...],
    steps: tuple[int, ...],
    peers: tuple[str, ...],
    seed: int | None,
    weights: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    precision: Literal["auto", "float32", "bfloat16"],
    tile: int | None,
) -> None:
    """Make a page of bench results.

    RESULTS are files that `dirac-enhance bench` wrote. The page stands alone and opens offline: a table of each metric,
    curves over the rate, and, with --pictures, crops with a slider between the original, the decoded picture, each of
    --steps and each --peer. Figures of different sets or protocols stand in tables of their own. The pictures are made
    as the figures were: prepared, coded and sampled with the same settings.

    \b
    Examples:
      dirac-enhance report results/kodak.json
      dirac-enhance report results/*.json -o report.html --overwrite --pictures kodak/
      dirac-enhance report kodak.json --pictures kodak/ --crop kodim05.png:120,80,320,240 --rate 5 --rate 20
      dirac-enhance report kodak.json --pictures kodak/ --crop kodim23.png --steps 1,90,100 --peer jpeg2png
    """
    if folder is None and (crops or rates or peers):
        raise click.UsageError("--crop, --rate and --peer are about pictures; name their folder with --pictures FOLDER")
    from dirac_enhance.bench.report.picture_settings import codec_options_of, preparation_of, sampling_of
    from dirac_enhance.bench.report.report import (
        no_scenes,
        usual_codec,
        usual_rate,
        warn_of_other_weights,
        write_report,
    )
    from dirac_enhance.bench.report.scenes import SceneSettings, find_peers, make_scenes, parse_crop

    chosen = tuple(parse_crop(crop) for crop in crops)

    def scenes_for(files: Sequence[Results]) -> tuple[Scene, ...]:
        from dirac_enhance.codec import EncodingCodec
        from dirac_enhance.encoding import find_encoder
        from dirac_enhance.enhancer import load_enhancer
        from dirac_enhance.pipeline import configure_codec

        assert folder is not None
        known_id = codec_id or usual_codec(files)
        options = codec_options_of(files, known_id, given=codec_options)
        codec = configure_codec(find_encoder(host, known_id), options)
        assert isinstance(codec, EncodingCodec)  # options change no codec's kind
        restorers = find_peers(peers, codec_id=known_id)
        enhancer = load_enhancer(
            known_id, weights=weights or host.codec(known_id).weights, device=device, precision=precision, tile=tile
        )
        warn_of_other_weights(files, enhancer.weights_sha256)
        sampling = sampling_of(
            files, known_id, codec_options=options, weights_sha256=enhancer.weights_sha256, seed=seed
        )
        shown = rates or (usual_rate(files, known_id),)
        settings = SceneSettings(folder, chosen, shown, steps, sampling, preparation_of(files))
        with follow(folder, total=1) as progress:
            return make_scenes(
                settings,
                codec=codec,
                enhancer=enhancer,
                peers=restorers,
                progress=lambda done, total: progress.advance(done / total),
            )

    write_report(
        results, output, title=title, scenes_for=no_scenes if folder is None else scenes_for, overwrite=overwrite
    )
    click.echo(click.format_filename(output))
