"""`dirac-enhance info FILE…`: what a compressed picture is, and what would enhance it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirac_enhance.cli.console import printable_line, report
from dirac_enhance.cli.options import source_options
from dirac_enhance.errors import DiracError

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost
    from dirac_enhance.inspection import FileReport

_ORIENTATIONS = {
    1: "upright",
    2: "mirrored",
    3: "upside down",
    4: "mirrored, upside down",
    5: "mirrored, top at the left",
    6: "top at the right",
    7: "mirrored, top at the right",
    8: "top at the left",
}
"""Where an EXIF orientation says the picture's top lies among the stored pixels (EXIF 2.32, table 5)."""


@click.command(context_settings={"show_default": True})
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object for each file.")
@click.pass_obj
def info(
    host: CodecHost,
    /,
    *,
    files: tuple[Path, ...],
    codec_id: str,
    codec_options: dict[str, str],
    enhancer_id: str | None,
    max_pixels: int,
    as_json: bool,
) -> None:
    """Tell what compressed pictures are.

    For each file its codec, size, bits per pixel, rate factor and whatever else the codec knows of it, its metadata,
    and the weights that would enhance it. A bad file is reported and the others are still described; the exit code is
    then 1.

    \b
    Examples:
      dirac-enhance info photo.jpg
      dirac-enhance info --json holiday/*.jpg
    """
    from dirac_enhance.inspection import inspect_file
    from dirac_enhance.pipeline import AUTO, CodecChoice

    if codec_id != AUTO:
        host.codec(codec_id)  # an unknown one is an error of the whole command
    choice = CodecChoice(codec_id, codec_options, enhancer_id, max_pixels)
    reports, failed = [], False
    for file in files:
        try:
            reports.append(inspect_file(file, host, choice=choice))
        except DiracError as error:
            report(error)
            failed = True
        else:
            if not as_json:
                click.echo("\n".join(_describe(reports[-1])))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in reports], indent=2))
    if failed:
        raise click.exceptions.Exit(1)


def _describe(file: FileReport) -> Iterator[str]:
    yield printable_line(file.file)
    facts = (
        ("codec", f"{file.codec} ({file.plugin})"),
        ("size", f"{file.width}×{file.height}, {_samples(file)}"),
        ("coded", _size(file)),
        ("rate factor", "unknown" if file.rate_factor is None else f"{file.rate_factor:g}"),
        *file.details.items(),
        ("colour profile", file.icc_profile or "none, so sRGB"),
        ("EXIF", _length(file.exif_bytes)),
        ("XMP", _length(file.xmp_bytes)),
        ("resolution", "not given" if file.dpi is None else f"{file.dpi[0]:g}×{file.dpi[1]:g} dpi"),
        ("orientation", f"{file.orientation} ({_ORIENTATIONS[file.orientation]})"),
        ("weights", _weights(file)),
    )
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        yield f"  {printable_line(name):<{width}}  {printable_line(fact)}"


def _size(file: FileReport) -> str:
    if not file.coded_bytes:
        return "no: decoded pixels, told to carry this codec's artefacts"
    return f"{file.coded_bytes:,} bytes, {file.bits_per_pixel:.3f} bpp"


def _samples(file: FileReport) -> str:
    channels = "grayscale" if file.grayscale else "RGB"
    return f"{channels}{' and alpha' if file.alpha else ''}, {file.bits_per_sample} bits per sample"


def _length(length: int) -> str:
    return f"{length:,} bytes" if length else "none"


def _weights(file: FileReport) -> str:
    weights = file.weights
    if weights.problem is not None:
        return f"none that can be used: {weights.problem}"
    return f"{weights.file}, sha256 {str(weights.sha256)[:12]}…"
