"""`dirac-enhance FILE…`: enhance compressed pictures; the default command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dirac_enhance.cli.console import remark, report
from dirac_enhance.cli.options import codec_options, network_options, sampling_options
from dirac_enhance.cli.outputs import Job, plan_jobs
from dirac_enhance.cli.progress import Advance, follow, follow_silently
from dirac_enhance.errors import (
    DiracError,
    InvalidBitstreamError,
    InvalidImageError,
    OutputExistsError,
    PluginError,
    UnknownCodecError,
    WeightsError,
)

if TYPE_CHECKING:
    from dirac_enhance.enhancer import Enhancer
    from dirac_enhance.host import CodecHost, RegisteredCodec
    from dirac_enhance.pipeline import EnhancedFile

Verbosity = Literal["quiet", "normal", "verbose"]

_OF_ONE_FILE = (InvalidBitstreamError, InvalidImageError, OutputExistsError, PluginError, UnknownCodecError)
"""Errors after which other files are still worth a try."""


@click.command(context_settings={"show_default": True})
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    show_default="<name>.enhanced.png beside the input",
    help="Where the result goes: in a folder as <name>.png; to a file in the format of its suffix, .png, .jpg, .webp"
    " or .tiff. Several inputs need a folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that are already there.")
@codec_options
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
    files: tuple[Path, ...],
    output: str | None,
    overwrite: bool,
    codec_id: str,
    codec_options: dict[str, str],
    weights: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    precision: Literal["auto", "float32", "bfloat16"],
    tile: int | None,
    verbosity: Verbosity | None,
    **sampling: Any,
) -> None:
    """Enhance compressed pictures; the default command.

    Prints where the results are. A bad file is reported and the others are still enhanced; the exit code is then 1.

    \b
    Examples:
      dirac-enhance photo.jpg                       writes photo.enhanced.png
      dirac-enhance photo.jpg -o better.webp
      dirac-enhance holiday/*.jpg -o results/       writes results/<name>.png
      dirac-enhance photo.jpg --steps 1             closest to the original
      dirac-enhance photo.jpg --seed 7 --verbose    another sample, with details
      dirac-enhance photo.jpg --weights run/jpeg.safetensors
    """
    jobs = plan_jobs(files, output)
    from dirac_enhance.image import OutputSettings
    from dirac_enhance.pipeline import AUTO, CodecChoice, enhance_file
    from dirac_enhance.sampling import SamplingSettings

    if codec_id != AUTO:
        host.codec(codec_id)  # an unknown one is an error of the whole command
    enhancers: dict[str, Enhancer] = {}

    def load_once(codec: RegisteredCodec) -> Enhancer:
        from dirac_enhance.enhancer import load_enhancer

        name = codec.codec.id
        if name not in enhancers:
            enhancers[name] = load_enhancer(
                name, weights=weights or codec.weights, device=device, precision=precision, tile=tile
            )
        return enhancers[name]

    def run(job: Job, advance: Advance) -> EnhancedFile:
        return enhance_file(
            job.source,
            job.target,
            host=host,
            load_enhancer_of=load_once,
            choice=CodecChoice(codec_id, codec_options),
            sampling=SamplingSettings(**sampling),
            output=OutputSettings(overwrite=overwrite),
            progress=advance,
        )

    forgiven = _OF_ONE_FILE if weights else (*_OF_ONE_FILE, WeightsError)
    failures = _run_all(jobs, run, forgiven=forgiven, verbosity=verbosity or "normal")
    if failures and len(jobs) > 1:
        remark(f"{failures} of {len(jobs)} files were not enhanced")
    if failures:
        raise click.exceptions.Exit(1)


def _run_all(
    jobs: Sequence[Job],
    run: Callable[[Job, Advance], EnhancedFile],
    *,
    forgiven: tuple[type[DiracError], ...],
    verbosity: Verbosity,
) -> int:
    """Run job after job, print what becomes of each, and return how many failed."""
    failures = 0
    for number, job in enumerate(jobs, start=1):
        watch = (
            nullcontext(follow_silently) if verbosity == "quiet" else follow(job.source, number=number, total=len(jobs))
        )
        try:
            with watch as advance:
                enhanced = run(job, advance)
        except forgiven as error:
            report(error)
            failures += 1
        else:
            _print_result(job, enhanced, verbosity=verbosity)
    return failures


def _print_result(job: Job, enhanced: EnhancedFile, *, verbosity: Verbosity) -> None:
    if verbosity == "verbose":
        remark(f"{job.source}: {', '.join(_describe(enhanced))}")
    if verbosity != "quiet":
        click.echo(click.format_filename(job.target))


def _describe(enhanced: EnhancedFile) -> tuple[str, ...]:
    from dirac_enhance.tiling import TiledPredictor

    base, enhancer = enhanced.decoded.base, enhanced.enhancer
    rate = "unknown" if base.rate_factor is None else f"{base.rate_factor:g}"
    tile = enhancer.predictor.tile if isinstance(enhancer.predictor, TiledPredictor) else None
    return (
        f"codec {enhanced.decoded.codec.codec.id}",
        f"rate factor {rate}",
        f"{base.width}×{base.height}",
        f"{enhanced.evaluations} evaluations",
        f"device {enhancer.device}",
        f"precision {str(enhancer.precision).removeprefix('torch.')}",
        f"tile {tile or 'auto'}",
        f"weights {enhancer.weights_sha256[:12]}",
        f"{enhanced.seconds:.1f} s",
    )
