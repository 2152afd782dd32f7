"""Tables and pictures of records, in pages: of the paper's appendix, the analyses of sampling, and two codecs."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from PIL import Image

from appendix_figures import draw_residuals, draw_schedules
from appendix_tables import compute_text, residual_text, schedule_text, thresholding_text
from few_evaluations_pages import best_text, draw_planes
from pages import put_into, weights_text
from swint_charm_pages import draw_curves, rate_distortion_text
from trajectory_pages import draw_figure_7, late_start_text
from vvc_streams_pages import streams_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

_DOCS = Path(__file__).parent.parent / "docs"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a kind of record is shown.

    Args:
        part: of a page, that its table is.
        text: makes the table.
        draw: makes its picture, if it has one.
        colours: that the picture is reduced to, which makes it a third of the size; None for all.
    """

    part: str
    text: Callable[[Mapping[str, Any]], str]
    draw: Callable[[Mapping[str, Any]], Figure] | None = None
    colours: int | None = None


def _with_origin(text: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    """Say below what an analysis of sampling says what it was measured on."""

    def whole(record: Mapping[str, Any]) -> str:
        origin = (
            f"{record['pictures']} pictures, {', '.join(record['sizes'])}, {record['codec']}; RGB PSNR of 8-bit"
            f" pictures, LPIPS with AlexNet; {weights_text(record)}; `{' '.join(record['command'])}`."
        )
        return f"{text(record)}\n\n{origin}"

    return whole


PRESENTATIONS = {
    "trajectories": Presentation("late start", _with_origin(late_start_text), draw_figure_7, colours=128),
    "few_evaluations": Presentation("few evaluations", _with_origin(best_text), draw_planes, colours=128),
    "schedule_ablation": Presentation("noise schedules", schedule_text, draw_schedules),
    "thresholding": Presentation("thresholding", thresholding_text),
    "residual_histograms": Presentation("residuals", residual_text, draw_residuals),
    "compute": Presentation("compute", compute_text),
    "swint_charm": Presentation("rate and distortion", rate_distortion_text, draw_curves, colours=128),
    "vvc_streams": Presentation("decoded streams", streams_text),
}
"""By the record's `benchmark`, which also names the picture."""


@click.command(context_settings={"show_default": True})
@click.argument("record", type=_FILE)
@click.option("--into", multiple=True, type=_FILE, help="Page whose part for this kind of record is replaced.")
@click.option("--folder", default=_DOCS, type=click.Path(file_okay=False, path_type=Path), help="Where pictures go.")
def main(record: Path, into: tuple[Path, ...], folder: Path) -> None:
    """Print the table of RECORD, put it into pages, and draw its picture, if it has one."""
    contents = json.loads(record.read_text(encoding="utf-8"))
    benchmark = contents.get("benchmark")
    presentation = PRESENTATIONS.get(benchmark)
    if presentation is None:
        raise click.ClickException(f"{record} is a record of '{benchmark}'; expected one of {', '.join(PRESENTATIONS)}")
    text = presentation.text(contents)
    click.echo(text)
    put_into(into, text, part=presentation.part)
    if presentation.draw:
        folder.mkdir(parents=True, exist_ok=True)
        picture = folder / f"{benchmark}.png"
        _save(presentation.draw(contents), picture, colours=presentation.colours)
        click.echo(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


def _save(figure: Figure, file: Path, *, colours: int | None) -> None:
    """Save as PNG, of so many colours if that is said."""
    if colours is None:
        figure.savefig(file)
        return
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(colours).save(file, optimize=True)


if __name__ == "__main__":
    main()
