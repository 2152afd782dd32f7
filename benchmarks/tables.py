"""The Markdown table of README and card, made from records of `restoration.py`, so that no figure is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("records", nargs=-1, required=True, type=_FILE)
@click.option("--methods", default="steps 1,steps 100,mean of 8", show_default=True, help="Columns, comma-separated.")
@click.option("--into", multiple=True, type=_FILE, help=f"Page whose text between {BEGIN} and {END} is replaced.")
def main(records: tuple[Path, ...], methods: str, into: tuple[Path, ...]) -> None:
    """Print one table for each record of RECORDS, and put them into pages."""
    text = "\n\n".join(
        _section(json.loads(record.read_text(encoding="utf-8")), methods.split(",")) for record in records
    )
    click.echo(text)
    for page in into:
        page.write_text(_replaced(page.read_text(encoding="utf-8"), text), encoding="utf-8")


def _replaced(page: str, text: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    if not begin:
        raise click.ClickException(f"the page has no line {BEGIN}")
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def _section(record: dict[str, Any], methods: list[str]) -> str:
    weights, machine = record["weights"], record["machine"]
    command = " ".join(record["command"])
    origin = (
        f"{record['pictures']} pictures, {record['codec']}; RGB PSNR of 8-bit pictures, LPIPS with AlexNet; "
        f"weights `{weights['sha256'][:12]}`, {weights['precision']}, {weights['device']}; {machine['cpu']}, "
        f"{record['threads']} threads; `{command}`."
    )
    return f"{_table(record['rows'], methods)}\n\n{origin}"


def _table(rows: list[dict[str, Any]], methods: list[str]) -> str:
    head = ["quality", "bpp", "JPEG: dB", "LPIPS", *(f"{name}: dB (gain)|LPIPS (ratio)" for name in methods)]
    columns = "|".join(head).split("|")
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for quality in dict.fromkeys(row["quality"] for row in rows):
        found = {row["method"]: row for row in rows if row["quality"] == quality}
        base = found["base"]
        plain = [f"{quality:g}", f"{base['bits_per_pixel']:.3f}", f"{base['psnr']:.2f}", f"{base['lpips_alex']:.3f}"]
        cells = plain + [cell for name in methods for cell in _cells(found.get(name), base)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(row: dict[str, Any] | None, base: dict[str, Any]) -> tuple[str, str]:
    if row is None:
        return "", ""
    gain, ratio = row["psnr"] - base["psnr"], row["lpips_alex"] / base["lpips_alex"]
    return f"{row['psnr']:.2f} ({gain:+.2f})", f"{row['lpips_alex']:.3f} ({ratio:.2f}×)"


if __name__ == "__main__":
    main()
