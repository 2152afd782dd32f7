"""The Markdown table of README and card, made from records of `restoration.py`, so that no figure is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pages import codec_name, markdown_table, put_into, rate_name, weights_text

_PART = "measured"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("records", nargs=-1, required=True, type=_FILE)
@click.option("--methods", default="steps 1,steps 100,mean of 8", show_default=True, help="Columns, comma-separated.")
@click.option("--into", multiple=True, type=_FILE, help=f"Page whose part <!-- {_PART} --> is replaced.")
def main(records: tuple[Path, ...], methods: str, into: tuple[Path, ...]) -> None:
    """Print one table for each record of RECORDS, and put them into pages."""
    text = "\n\n".join(
        _section(json.loads(record.read_text(encoding="utf-8")), methods.split(",")) for record in records
    )
    click.echo(text)
    put_into(into, text, part=_PART)


def _section(record: dict[str, Any], methods: list[str]) -> str:
    command = " ".join(record["command"])
    lpips = ", LPIPS with AlexNet" if any("lpips_alex" in row for row in record["rows"]) else ""
    origin = (
        f"{record['pictures']} pictures, {record['codec']}; RGB PSNR of 8-bit pictures{lpips}; "
        f"{weights_text(record)}; {record['machine']['cpu']}, {record['threads']} threads; `{command}`."
    )
    return f"{_table(record, methods)}\n\n{origin}"


def _table(record: dict[str, Any], methods: list[str]) -> str:
    rates: dict[float, dict[str, dict[str, Any]]] = {}
    for row in record["rows"]:
        rates.setdefault(row["quality"], {})[row["method"]] = row
    bases = [found["base"] for found in rates.values()]
    counts = [str(len(base["pictures"])) for base in bases]
    columns = [
        (rate_name(record["codec"]), [f"{rate:g}" for rate in rates]),
        ("bpp", [_number(base, "bits_per_pixel", ".3f") for base in bases]),
        ("pictures", counts if len(set(counts)) > 1 else []),  # they are said below where all rates have the same
        (f"{codec_name(record['codec'])}: dB", [_number(base, "psnr", ".2f") for base in bases]),
        ("LPIPS", [_number(base, "lpips_alex", ".3f") for base in bases]),
    ]
    for name in methods:
        rows = [found.get(name, {}) for found in rates.values()]
        columns += [
            (f"{name}: dB (gain)", [_gain(row, base) for row, base in zip(rows, bases, strict=True)]),
            ("LPIPS (ratio)", [_ratio(row, base) for row, base in zip(rows, bases, strict=True)]),
        ]
    filled = [(title, cells) for title, cells in columns if any(cells)]
    return markdown_table([title for title, _ in filled], zip(*(cells for _, cells in filled), strict=True))


def _gain(row: dict[str, Any], base: dict[str, Any]) -> str:
    value, plain = row.get("psnr"), base.get("psnr")
    if value is None or plain is None:
        return ""
    return f"{value:.2f} ({value - plain:+.2f})"


def _ratio(row: dict[str, Any], base: dict[str, Any]) -> str:
    value, plain = row.get("lpips_alex"), base.get("lpips_alex")
    if value is None or not plain:
        return ""
    return f"{value:.3f} ({value / plain:.2f}×)"


def _number(row: dict[str, Any], metric: str, form: str) -> str:
    value = row.get(metric)
    return "" if value is None else format(value, form)


if __name__ == "__main__":
    main()
