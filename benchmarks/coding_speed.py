"""Wall time and peak memory of encoding and decoding one megapixel and fifty, as `dirac-enhance` processes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from dirac_enhance import bundled_weights, load_host
from dirac_enhance.bench.environment import file_sha256
from record import RESULTS, write_record
from speed import program, run_process, summary, write_jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = ((1024, 1024), (8192, 6144))
"""Width and height."""
_LARGE = 10_000_000
"""Pixels of a picture that is coded but once."""


def measure(
    folder: Path, size: tuple[int, int], *, repeats: int, codec: str, options: list[str], rate_factor: float
) -> Iterator[dict[str, Any]]:
    """Encode a picture and decode the file, each several times; a row for each of the two."""
    suffix = load_host().codec(codec).codec.file_suffixes[0]
    picture, coded, decoded = (folder / name for name in ("picture.png", f"coded{suffix}", "decoded.png"))
    Image.open(write_jpeg(folder / "picture.jpg", size)).save(picture, compress_level=1)
    options = ["--codec", codec, *options, "--overwrite"]
    commands = {
        "encode": ["encode", str(picture), "-o", str(coded), "--rate-factor", str(rate_factor), *options],
        "decode": ["decode", str(coded), "-o", str(decoded), *options],
    }
    for name, arguments in commands.items():
        case = {"case": f"{name} {size[0]}×{size[1]}", "megapixels": size[0] * size[1] / 1e6}
        yield case | summary([run_process([*program(), *arguments]) for _ in range(repeats)])


@click.command(context_settings={"show_default": True})
@click.option("--codec", default="swint-charm", metavar="ID", help="An installed codec that encodes.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Codec's weights, not the shipped ones.")
@click.option("--rate-factor", default=0.005, help="Rate factor to encode at.")
@click.option("--repeats", default=3, type=click.IntRange(min=1), help="Runs of each; of fifty megapixels always one.")
@click.option("--largest", default=60.0, help="Leave out pictures of more megapixels.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Where to write the record.")
def main(
    codec: str, *, weights: Path | None, rate_factor: float, repeats: int, largest: float, json_file: Path | None
) -> None:
    """Measure a codec as its user meets it; print a table and write a JSON record."""
    options = ["--codec-option", f"weights={weights}"] if weights else []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (size for size in SIZES if size[0] * size[1] <= largest * 1e6):
            times = 1 if size[0] * size[1] > _LARGE else repeats
            for row in measure(
                Path(folder), size, repeats=times, codec=codec, options=options, rate_factor=rate_factor
            ):
                rows.append(row)
                peak = row["peak_bytes"] / 2**20
                click.echo(f"{row['case']:24}{row['wall_seconds']:8.2f} s{peak:8.0f} MiB")
    shipped = bundled_weights(f"{codec}-codec")
    sha256 = file_sha256(weights) if weights else shipped and shipped.sha256
    contents = {"codec": codec, "weights_sha256": sha256, "rate_factor": rate_factor}
    record_file = json_file or RESULTS / f"coding-speed-{codec}.json"
    write_record(record_file, benchmark="coding-speed", contents=contents | {"rows": rows})
    click.echo(f"written to {record_file}")


if __name__ == "__main__":
    main()
