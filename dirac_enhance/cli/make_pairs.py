"""`dirac-enhance make-pairs`: code crops of photographs beforehand, for codecs whose encoder is slow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirac_enhance.cli.options import codec_option

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost


@click.command(name="make-pairs", context_settings={"show_default": True})
@click.argument("originals", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--codec", "codec_id", required=True, metavar="ID", help="Codec to encode with.")
@codec_option
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the streams."
)
@click.option("--count", type=click.IntRange(1), required=True, help="How many pairs there shall be in the end.")
@click.option("--crop-size", type=click.IntRange(32), default=256, help="Side of the crops in pixels.")
@click.option("--rates", type=(float, float), show_default="the codec's usual ones", help="Rate factors to draw from.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of pictures, places and rate factors.")
@click.option("--jobs", type=click.IntRange(1), default=1, help="Processes that encode.")
@click.pass_obj
def make_pairs(
    host: CodecHost,
    /,
    originals: Path,
    codec_id: str,
    codec_options: dict[str, str],
    *,
    output: Path,
    count: int,
    crop_size: int,
    rates: tuple[float, float] | None,
    seed: int,
    jobs: int,
) -> None:
    """Code random crops of the photographs in DIR at random rate factors, for `dirac-enhance train --pairs`.

    OUTPUT gets the streams and index.csv, which lists them. Whatever ends it, the same command goes on where it
    stopped, and with a larger --count adds to what is there.

    \b
    Examples:
      dirac-enhance make-pairs photos/ --codec jpeg -o pairs/ --count 2000 --jobs 8
      dirac-enhance train --codec jpeg --data photos/ --pairs pairs/index.csv -o run/ --minutes 60
    """
    from dirac_enhance.guard import guard_codec
    from dirac_enhance.pipeline import configure_codec
    from dirac_enhance.training.pair_making import PairPlan
    from dirac_enhance.training.pair_making import make_pairs as make

    codec = configure_codec(guard_codec(host.codec(codec_id)), codec_options)
    plan = PairPlan(originals, output, count, crop_size, rates, seed, jobs, codec_options)
    made = make(plan, codec, report=click.echo)
    click.echo(f"index: {plan.index} ({made} pairs made now)")
