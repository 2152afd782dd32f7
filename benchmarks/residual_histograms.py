"""Histograms of a codec's residuals against its rate factor, beside those of the pictures (DIRAC sections A.2, A.3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from appendix_tables import residual_text
from dirac_enhance import DiracError
from dirac_enhance.bench.coded_pictures import decode_picture
from dirac_enhance.training.residual_sizes import count_residuals
from originals import choose_codec, qualities_option, read_folder, streams_option
from record import RESULTS, publish_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

_QUALITIES = (5.0, 10.0, 20.0, 40.0, 80.0)


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--codec", default="jpeg", metavar="ID", help="An installed codec that encodes, or with --streams any.")
@streams_option
@qualities_option(_QUALITIES)
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many pictures only.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "residual-histograms.json")
def main(
    folder: Path,
    codec: str,
    streams: Path | None,
    qualities: tuple[float, ...],
    limit: int | None,
    json_file: Path,
) -> None:
    """Decode what the pictures of FOLDER were coded to, and count what is missing in each channel, in 8-bit levels."""
    try:
        decoder, coded = choose_codec(codec, streams, qualities, usual=_QUALITIES)
        originals = read_folder(folder, only=coded.pictures, limit=limit)
        levels = [_to_8_bits(original) for original in originals.values()]
        rows = _rows("pixels", None, _add_up((each, torch.zeros_like(each)) for each in levels), len(levels))
        for quality in sorted({rate for picture in originals for rate in coded.rates(picture)}):
            having = {name: original for name, original in originals.items() if quality in coded.rates(name)}
            bases = (decode_picture(decoder, coded, *each, rate_factor=quality).base.pixels for each in having.items())
            pairs = zip(map(_to_8_bits, having.values()), map(_to_8_bits, bases), strict=True)
            rows += _rows("residual", quality, _add_up(pairs), len(having))
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents = {"codec": codec, "pictures": len(originals), "rows": rows}
    publish_record(json_file, benchmark="residual_histograms", contents=contents, text=residual_text)


def _add_up(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Count over all pairs: (3, 511)."""
    return torch.stack([count_residuals(*pair) for pair in pairs]).sum(dim=0)


def _to_8_bits(pixels: Tensor) -> Tensor:
    return (pixels * 255).round().byte()


def _rows(of: str, quality: float | None, counts: Tensor, pictures: int) -> list[dict[str, Any]]:
    """One row a channel, from the lowest level that occurs to the highest, with the number of pictures it is of."""
    rows = []
    for channel, of_channel in zip("RGB", counts, strict=True):
        places = of_channel.nonzero()[:, 0]
        first, last = int(places[0]), int(places[-1])
        histogram = {"lowest": first - 255, "counts": of_channel[first : last + 1].tolist()}
        rows.append({"of": of, "quality": quality, "channel": channel, "pictures": pictures, **histogram})
    return rows


if __name__ == "__main__":
    main()
