"""SwinT-ChARM over a folder: bits and PSNR, beside JPEG at no more bytes and the prior's promised size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import click
import torch

from dirac_enhance import DiracError
from dirac_enhance.bench.pixel_hash import pixels_sha256
from dirac_enhance.metrics import psnr, round_to_8_bits
from dirac_enhance_swint_charm import SwintCharmCodec
from dirac_enhance_swint_charm.bitstream import read_bitstream
from dirac_enhance_swint_charm.promise import promised_bits
from dirac_enhance_swint_charm.training.validation import JpegCurve
from dirac_enhance_swint_charm.weights_file import find_codec_weights, load_codec_weights
from originals import read_folder
from record import RESULTS, publish_record
from variants import numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from dirac_enhance_swint_charm.networks.network import SwintCharm

RATES = "0.0005,0.001,0.0015,0.0025,0.004,0.006,0.009,0.014,0.03,0.05"
"""λ: the whole range, closest where files have .15 to .5 bits per pixel."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The codec that is measured, and the network whose prior promises."""

    codec: SwintCharmCodec
    network: SwintCharm

    def measure(self, original: Tensor, jpeg: JpegCurve, rate_factor: float) -> dict[str, float]:
        """Code one original, (3, H, W) float32 in [0, 1], at one λ."""
        pixels = original[0].numel()
        coded = self.codec.encode(original, rate_factor=rate_factor)
        picture = self.codec.decode(coded).pixels
        promised = promised_bits(self.network, original, rate_factor=rate_factor)
        streams = sum(len(tile.stream) for tile in read_bitstream(coded, max_pixels=pixels).tiles)
        return {
            "bytes": len(coded),
            "bits_per_pixel": 8 * len(coded) / pixels,
            "psnr": compare(picture, original),
            "jpeg_psnr": jpeg.psnr_within(len(coded)),
            "jpeg_fits": float(jpeg.sizes[0] <= len(coded)),
            "overhead_bytes": len(coded) - streams,
            "streams_over_promise": 8 * streams / promised,
        }


def compare(picture: Tensor, original: Tensor) -> float:
    """RGB PSNR in dB of a picture rounded to 8 bits, both (3, H, W) in [0, 1]."""
    return float(psnr(round_to_8_bits(picture[None]), original[None]))


def measure_all(run: Run, originals: Mapping[str, Tensor], rates: Sequence[float]) -> list[Row]:
    """Measure every picture at every λ, and JPEG at every quality; one row for each, averaged over the pictures."""
    ours: dict[float, dict[str, dict[str, float]]] = {rate: {} for rate in rates}
    jpeg: dict[int, list[tuple[float, float]]] = {}
    for name, original in originals.items():
        start = time.perf_counter()
        curve = JpegCurve.measure((original * 255).round().byte().permute(1, 2, 0).numpy())
        for rate in rates:
            ours[rate][name] = run.measure(original, curve, rate)
        for quality, size in enumerate(curve.sizes, start=1):
            jpeg.setdefault(quality, []).append((8 * size / original[0].numel(), curve.psnr_at(quality)))
        click.echo(f"{name}: {time.perf_counter() - start:.1f} s", err=True)
    rows = [_average(rate, pictures) for rate, pictures in ours.items()]
    for quality, points in jpeg.items():
        bits, levels = zip(*points, strict=True)
        rows.append({"codec": "jpeg", "quality": quality, "bits_per_pixel": mean(bits), "psnr": mean(levels)})
    return rows


def _average(rate: float, pictures: dict[str, dict[str, float]]) -> Row:
    """Return means over the pictures, and of the size against the promise the worst as well."""
    values = {key: [picture[key] for picture in pictures.values()] for key in next(iter(pictures.values()))}
    row: Row = {"codec": "swint-charm", "rate_factor": rate}
    row |= {key: mean(each) for key, each in values.items()}
    row["largest_streams_over_promise"] = max(values["streams_over_promise"])
    return row | {"pictures": pictures}


def format_table(record: Mapping[str, Any]) -> str:
    """Lay out the codec's rows for the terminal."""
    lines = ["        λ     bpp      dB  JPEG dB    gain  bits/promise"]
    for row in record["rows"]:
        if row["codec"] != "swint-charm":
            continue
        lines.append(
            f"{row['rate_factor']:9g} {row['bits_per_pixel']:7.3f} {row['psnr']:7.2f} {row['jpeg_psnr']:8.2f} "
            f"{row['psnr'] - row['jpeg_psnr']:+7.2f} {row['streams_over_promise']:13.4f}"
        )
    return "\n".join(lines)


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", default="", show_default="the shipped ones", help="File of the codec's own weights.")
@click.option("--rates", default=RATES, callback=numbers, help="λ, separated by commas.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first pictures.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Where to write the record.")
def main(
    folder: Path, *, weights: str, rates: tuple[float, ...], device: str, limit: int | None, json_file: Path | None
) -> None:
    """Code the pictures of FOLDER at several rates; print a table and write a JSON record."""
    try:
        loaded = load_codec_weights(find_codec_weights(weights))
        run = Run(SwintCharmCodec(weights=weights, device=device), loaded.trained_network().eval())
        originals = read_folder(folder, limit=limit)
        rows = measure_all(run, originals, rates)
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    part = f"-first{limit}" if limit else ""
    record_file = json_file or RESULTS / f"swint-charm-{folder.resolve().name}{part}.json"
    header = {
        "codec": run.codec.id,
        "pictures": len(originals),
        "megapixels": sum(original[0].numel() for original in originals.values()) / 1e6,
        "pixels_sha256": pixels_sha256(originals.values()),
        "codec_weights": {"sha256": loaded.sha256.hex(), "config": loaded.config.to_dict()},
        "threads": torch.get_num_threads(),
    }
    publish_record(record_file, benchmark="swint_charm", contents=header | {"rows": rows}, text=format_table)


if __name__ == "__main__":
    main()
