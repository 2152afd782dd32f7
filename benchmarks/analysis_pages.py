"""Tables and pictures of `trajectories.py` and `few_evaluations.py`, made from their records."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

import few_evaluations_pages
import trajectory_pages
from pages import put_into, weights_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

_DOCS = Path(__file__).parent.parent / "docs"
_DOTS_PER_INCH = 90
_COLOURS = 128
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a kind of record is shown: the part of a page that its table is, its picture's name, and what makes both."""

    part: str
    picture: str
    text: Callable[[Mapping[str, Any]], str]
    draw: Callable[[Mapping[str, Any]], Figure]


PRESENTATIONS = {
    "trajectories": Presentation(
        "late start", "trajectories.png", trajectory_pages.late_start_text, trajectory_pages.draw
    ),
    "few_evaluations": Presentation(
        "few evaluations", "few_evaluations.png", few_evaluations_pages.best_text, few_evaluations_pages.draw
    ),
}
"""By the record's `benchmark`."""


@click.command(context_settings={"show_default": True})
@click.argument("record", type=_FILE)
@click.option("--into", multiple=True, type=_FILE, help="Page whose part for this kind of record is replaced.")
@click.option("--folder", default=_DOCS, type=click.Path(file_okay=False, path_type=Path), help="Where pictures go.")
def main(record: Path, into: tuple[Path, ...], folder: Path) -> None:
    """Print the table of RECORD, put it into pages, and draw its picture."""
    contents = json.loads(record.read_text(encoding="utf-8"))
    presentation = PRESENTATIONS.get(contents.get("benchmark"))
    if presentation is None:
        raise click.ClickException(
            f"{record} is a record of '{contents.get('benchmark')}'; expected one of {', '.join(PRESENTATIONS)}"
        )
    origin = (
        f"{contents['pictures']} pictures, {', '.join(contents['sizes'])}, {contents['codec']}; RGB PSNR of 8-bit"
        f" pictures, LPIPS with AlexNet; {weights_text(contents)}; `{' '.join(contents['command'])}`."
    )
    text = f"{presentation.text(contents)}\n\n{origin}"
    click.echo(text)
    put_into(into, text, part=presentation.part)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / presentation.picture
    _save(presentation.draw(contents), picture)
    click.echo(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def _save(figure: Figure, file: Path) -> None:
    """Save as PNG of few colours, which is a third of the size."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DOTS_PER_INCH)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(_COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    main()
