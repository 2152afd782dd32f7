"""Histograms of a codec's residuals against its rate factor, beside those of the pictures (DIRAC sections A.2, A.3)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from appendix_tables import residual_text
from dirac_enhance import DiracError
from dirac_enhance.training.residual_sizes import count_residuals
from originals import encoding_codec, read_folder
from record import RESULTS, publish_record
from variants import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from dirac_enhance import EncodingCodec


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--codec", default="jpeg", metavar="ID", help="An installed codec that encodes.")
@click.option("--qualities", default="5,10,20,40,80", callback=numbers, help="Rate factors.")
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many pictures only.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "residual-histograms.json")
def main(folder: Path, codec: str, qualities: tuple[float, ...], limit: int | None, json_file: Path) -> None:
    """Code the pictures of FOLDER, and count what is missing in each channel, in 8-bit levels."""
    try:
        originals = [_to_8_bits(pixels) for pixels in read_folder(folder, limit=limit).values()]
        encoder = encoding_codec(codec)
        black = [(original, torch.zeros_like(original)) for original in originals]
        rows = _rows("pixels", None, _add_up(black))
        for quality in qualities:
            pairs = ((original, _reconstruct(encoder, original, quality)) for original in originals)
            rows += _rows("residual", quality, _add_up(pairs))
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents = {"codec": codec, "pictures": len(originals), "rows": rows}
    publish_record(json_file, benchmark="residual_histograms", contents=contents, text=residual_text)


def _add_up(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Count over all pairs: (3, 511)."""
    return torch.stack([count_residuals(*pair) for pair in pairs]).sum(dim=0)


def _reconstruct(codec: EncodingCodec, original: Tensor, quality: float) -> Tensor:
    return _to_8_bits(codec.decode(codec.encode(original.float() / 255, rate_factor=quality)).pixels)


def _to_8_bits(pixels: Tensor) -> Tensor:
    return (pixels * 255).round().byte()


def _rows(of: str, quality: float | None, counts: Tensor) -> list[dict[str, Any]]:
    """One row a channel, from the lowest level that occurs to the highest."""
    rows = []
    for channel, of_channel in zip("RGB", counts, strict=True):
        places = of_channel.nonzero()[:, 0]
        first, last = int(places[0]), int(places[-1])
        histogram = {"lowest": first - 255, "counts": of_channel[first : last + 1].tolist()}
        rows.append({"of": of, "quality": quality, "channel": channel, **histogram})
    return rows


if __name__ == "__main__":
    main()
