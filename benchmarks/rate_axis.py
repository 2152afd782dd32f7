"""Records of `restoration.py` on one rate axis: what other codecs give for the bits that the first one takes.

    first record, row after row ── its pictures ──► every other record: means over the same pictures
                                ── its bits per pixel ──► interpolated between the rates measured

python benchmarks/rate_axis.py benchmarks/results/restoration-vtm-kodak.json benchmarks/results/restoration-kodak.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import click

from interpolation import value_at_rate
from pages import codec_name, markdown_table, put_into, rate_name, weights_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_PART = "one rate axis"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_METRICS = {"psnr": ("RGB PSNR in dB", ".2f"), "lpips_alex": ("LPIPS with AlexNet, smaller is better", ".3f")}


@dataclass(frozen=True, slots=True)
class Curve:
    """What a codec with one method gives, over rate; the rows are a record's, one for each rate factor."""

    codec: str
    method: str
    rows: tuple[dict[str, Any], ...]

    @property
    def label(self) -> str:
        """As a column is called."""
        return codec_name(self.codec) if self.method == "base" else f"{codec_name(self.codec)} + {self.method}"

    def at(self, bits_per_pixel: float, metric: str, *, pictures: Collection[str]) -> float | None:
        """Interpolate the mean over some pictures linearly over the logarithm of their mean bits per pixel.

        Returns:
            The value, exact at a measured rate, or None outside of the measured rates.
        """
        return value_at_rate(bits_per_pixel, self._points(metric, pictures))

    def _points(self, metric: str, pictures: Collection[str]) -> list[tuple[float, float]]:
        """Bits per pixel and value, at each rate where every one of the pictures has a finite value."""
        points = []
        for row in self.rows:
            measured = [row["pictures"].get(picture, {}) for picture in pictures]
            values = [values.get(metric) for values in measured]
            if None not in values:
                points.append((mean(each["bits_per_pixel"] for each in measured), mean(values)))
        return points


def read_curves(record: dict[str, Any], methods: Sequence[str]) -> list[Curve]:
    """Take those of `methods` that a record has.

    Raises:
        click.ClickException: if it has one along several trajectories, of which none can be told from its name.
    """
    curves = []
    for method in methods:
        rows = tuple(row for row in record["rows"] if row["method"] == method)
        if len({row["trajectory"] for row in rows}) > 1:
            raise click.ClickException(f"a record of {record['codec']} has several trajectories of '{method}'")
        if rows:
            curves.append(Curve(record["codec"], method, rows))
    return curves


def format_axis(records: Sequence[dict[str, Any]], methods: Sequence[str]) -> str:
    """Lay out one table for each metric: the first record's codec alone, then every record's methods."""
    first, *others = records
    axis, *enhanced = read_curves(first, ["base", *methods])
    curves = [axis, *enhanced, *(curve for record in others for curve in read_curves(record, methods))]
    tables = [
        f"{title}:\n\n{_table(axis, curves, metric, form)}"
        for metric, (title, form) in _METRICS.items()
        if all(metric in row for row in axis.rows)
    ]
    return "\n\n".join([*tables, _origin(records)])


def _table(axis: Curve, curves: Sequence[Curve], metric: str, form: str) -> str:
    lines = []
    for row in axis.rows:
        pictures = row["pictures"]
        rate = mean(values["bits_per_pixel"] for values in pictures.values())
        values = [curve.at(rate, metric, pictures=pictures) for curve in curves]
        head = [f"{rate:.3f}", f"{row['quality']:g}", str(len(pictures))]
        lines.append(head + ["–" if value is None else format(value, form) for value in values])
    return markdown_table(["bpp", rate_name(axis.codec), "pictures", *(curve.label for curve in curves)], lines)


def _origin(records: Sequence[dict[str, Any]]) -> str:
    first, *others = (codec_name(record["codec"]) for record in records)
    sources = "; ".join(
        f"{codec_name(record['codec'])}: {weights_text(record)}, {record['date'][:10]}" for record in records
    )
    return (
        f"At the bits per pixel of {first}, from file sizes, each row over the same pictures; {' and '.join(others)} "
        f"interpolated linearly over log bits per pixel, – outside of what was measured. {sources}."
    )


@click.command()
@click.argument("records", nargs=-1, required=True, type=_FILE)
@click.option("--methods", default="steps 1,steps 100", show_default=True, help="Columns, comma-separated.")
@click.option("--into", multiple=True, type=_FILE, help=f"Page whose part <!-- {_PART} --> is replaced.")
def main(records: tuple[Path, ...], methods: str, into: tuple[Path, ...]) -> None:
    """Compare RECORDS at the bits per pixel of the first: its codec alone, and every record's codec enhanced."""
    if len(records) < 2:
        raise click.BadParameter("one rate axis takes two records or more", param_hint="RECORDS")
    parsed = [json.loads(record.read_text(encoding="utf-8")) for record in records]
    for file, record in zip(records, parsed, strict=True):
        if record["pixels_sha256"] != parsed[0]["pixels_sha256"]:
            raise click.ClickException(f"{file} measured other pictures than {records[0]}; nothing can be compared")
    text = format_axis(parsed, methods.split(","))
    click.echo(text)
    put_into(into, text, part=_PART)


if __name__ == "__main__":
    main()
