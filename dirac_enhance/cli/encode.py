"""`dirac-enhance encode FILE`: a picture coded at a rate factor, or to a size."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirac_enhance.batch.plan import plan_files
from dirac_enhance.cli.console import remark
from dirac_enhance.cli.options import encoder_options
from dirac_enhance.streams import STANDARD_STREAM

if TYPE_CHECKING:
    from dirac_enhance.encoding import Coding
    from dirac_enhance.host import CodecHost
    from dirac_enhance.rate_search import Encoding


@click.command(context_settings={"show_default": True})
@click.argument("file", type=click.Path(path_type=Path))
@encoder_options
@click.option(
    "--rate-factor",
    metavar="R",
    type=float,
    show_default="none; this or --bpp",
    help="The codec's own quality number; `dirac-enhance codecs` lists its range.",
)
@click.option(
    "--bpp",
    "target_bpp",
    metavar="TARGET",
    type=click.FloatRange(0, min_open=True),
    show_default="none; this or --rate-factor",
    help="Wanted size of the file in bits per pixel: encodes at several rate factors and keeps the nearest.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    show_default="<name>.encoded.<codec's suffix> beside the input",
    help="Where the coded file goes.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is already there.")
@click.option("-v", "--verbose", is_flag=True, help="Print what each rate factor tried for --bpp gave.")
@click.pass_obj
def encode(
    host: CodecHost,
    /,
    *,
    file: Path,
    codec_id: str,
    codec_options: dict[str, str],
    rate_factor: float | None,
    target_bpp: float | None,
    output: str | None,
    overwrite: bool,
    verbose: bool,
) -> None:
    """Encode a picture with a codec.

    FILE is an image, or a file that a codec decodes. Prints where the result is, then its size and rate factor.
    Colours are converted to sRGB; metadata and alpha are not coded.

    \b
    Examples:
      dirac-enhance encode photo.png --codec jpeg --rate-factor 30     writes photo.encoded.jpg
      dirac-enhance encode photo.png --codec jpeg --bpp 0.5 -o half.jpg
      dirac-enhance encode photo.png --codec jpeg --bpp 0.5 --codec-option subsampling=4:4:4
    """
    coding = _choose_coding(rate_factor, target_bpp, verbose=verbose)
    from dirac_enhance.encoding import encode_file, find_encoder
    from dirac_enhance.pipeline import CodecChoice

    if (output is None and file == STANDARD_STREAM) or output == str(STANDARD_STREAM):
        raise click.UsageError("a coded file goes to a file: pass -o FILE, with a suffix of the codec's")
    ending = f".encoded{find_encoder(host, codec_id).file_suffixes[0]}"
    (job,) = plan_files((file,), output, ending=ending).jobs
    choice = CodecChoice(codec_id, codec_options)
    encoding = encode_file(file, job.target, host=host, choice=choice, coding=coding, overwrite=overwrite)
    click.echo(click.format_filename(job.target))
    remark(_describe(encoding))


def _choose_coding(rate_factor: float | None, target_bpp: float | None, *, verbose: bool) -> Coding:
    from dirac_enhance.rate_search import encode_at, search_rate

    if rate_factor is not None and target_bpp is None:
        return partial(encode_at, rate_factor=rate_factor)
    if target_bpp is not None and rate_factor is None:
        attempt = (lambda encoding: remark(_describe(encoding))) if verbose else (lambda _: None)
        return partial(search_rate, target_bpp=target_bpp, attempt=attempt)
    given = "both were given" if target_bpp is not None else "neither was given"
    raise click.UsageError(f"pass either --rate-factor R or --bpp TARGET; {given}")


def _describe(encoding: Encoding) -> str:
    return f"{encoding.bits_per_pixel:.4g} bpp, {len(encoding.content):,} bytes, rate factor {encoding.rate_factor:.6g}"
