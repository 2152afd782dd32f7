"""Tables and pictures of the paper's appendix, from the records of the scripts that measure it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appendix_figures import draw_residuals, draw_schedules
from appendix_tables import compute_text, residual_text, schedule_text, thresholding_text
from pages import put_into

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

_DOCS = Path(__file__).parent.parent / "docs"
_DOTS_PER_INCH = 100
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a kind of record is shown: the part of a page that is its table, what makes it, what draws its picture."""

    part: str
    text: Callable[[Mapping[str, Any]], str]
    draw: Callable[[Mapping[str, Any]], Figure] | None = None


PRESENTATIONS = {
    "schedule_ablation": Presentation("noise schedules", schedule_text, draw_schedules),
    "thresholding": Presentation("thresholding", thresholding_text),
    "residual_histograms": Presentation("residuals", residual_text, draw_residuals),
    "compute": Presentation("compute", compute_text),
}
"""By the record's `benchmark`, which also names the picture."""


@click.command(context_settings={"show_default": True})
@click.argument("record", type=_FILE)
@click.option("--into", multiple=True, type=_FILE, help="Page whose part for this kind of record is replaced.")
@click.option("--folder", default=_DOCS, type=click.Path(file_okay=False, path_type=Path), help="Where pictures go.")
def main(record: Path, into: tuple[Path, ...], folder: Path) -> None:
    """Print the table of RECORD, put it into pages, and draw its picture, if it has one."""
    contents = json.loads(record.read_text(encoding="utf-8"))
    presentation = PRESENTATIONS.get(contents.get("benchmark"))
    if presentation is None:
        raise click.ClickException(
            f"{record} is a record of '{contents.get('benchmark')}'; expected one of {', '.join(PRESENTATIONS)}"
        )
    text = presentation.text(contents)
    click.echo(text)
    put_into(into, text, part=presentation.part)
    if presentation.draw:
        folder.mkdir(parents=True, exist_ok=True)
        picture = folder / f"{contents['benchmark']}.png"
        presentation.draw(contents).savefig(picture, dpi=_DOTS_PER_INCH)
        click.echo(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
