"""Crops of coded pictures, enlarged: as decoded, with 1 and with 100 steps, and the original; one row for each crop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from PIL import Image

from dirac_enhance import DiracError, load_enhancer
from dirac_enhance.bench.coded_pictures import decode_picture
from originals import choose_codec, read_folder, streams_option
from pictures import Crop, enlarge, save_picture, side_by_side, states_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dirac_enhance.device import Device

_CROP = re.compile(r"(?P<photograph>.+):(?P<left>\d+),(?P<top>\d+)")


def parse_crop(text: str) -> Crop:
    """Read a crop as the command line has it, NAME:LEFT,TOP.

    Raises:
        click.BadParameter: if it is none.
    """
    match = _CROP.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"'{text}'; expected NAME:LEFT,TOP, such as 04.png:150,300")
    return Crop(match["photograph"], int(match["left"]), int(match["top"]))


def _crops(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Crop, ...]:
    return tuple(map(parse_crop, texts))


def stack(rows: Sequence[Image.Image]) -> Image.Image:
    """Set images of one width one below the other."""
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--codec", required=True, metavar="ID", help="An installed codec.")
@streams_option
@click.option("--rate", required=True, type=float, help="Rate factor.")
@click.option(
    "--crop", "crops", required=True, multiple=True, callback=_crops, metavar="NAME:LEFT,TOP", help="Squares of 128."
)
@click.option("--seed", default=0)
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="PNG to write.")
def main(
    folder: Path,
    *,
    codec: str,
    streams: Path | None,
    rate: float,
    crops: tuple[Crop, ...],
    seed: int,
    device: Device,
    output: Path,
) -> None:
    """Write a picture of crops of the originals in FOLDER."""
    try:
        chosen, coded = choose_codec(codec, streams, (rate,))
        originals = read_folder(folder, only={crop.photograph for crop in crops})
        enhancer = load_enhancer(codec, device=device)
        rows = []
        for crop in crops:
            original = originals[crop.photograph]
            base = decode_picture(chosen, coded, crop.photograph, original, rate_factor=rate).base
            label = f"{chosen.id}, {base.bits_per_pixel:.2f} bits per pixel"
            images = states_of(label, base, original, enhancer=enhancer, seed=seed)
            rows.append(side_by_side({name: enlarge(image, crop) for name, image in images.items()}))
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    save_picture(stack(rows), output)


if __name__ == "__main__":
    main()
