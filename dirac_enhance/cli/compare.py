"""`dirac-enhance compare A B`: how far two pictures are apart."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dirac_enhance.cli.console import printable_line

if TYPE_CHECKING:
    from dirac_enhance.comparison import Comparison
    from dirac_enhance.host import CodecHost


@click.command(context_settings={"show_default": True})
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option(
    "--lpips-backbone",
    metavar="FILE",
    type=click.Path(path_type=Path),
    show_default="the one in torch hub's cache, if it is there",
    help="torchvision's AlexNet, a .pth or .safetensors file, for LPIPS.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_obj
def compare(host: CodecHost, /, *, first: Path, second: Path, lpips_backbone: Path | None, as_json: bool) -> None:
    """Measure how far two pictures are apart.

    A and B are image files, or files that a codec decodes, of one size. Prints PSNR and SSIM (larger is closer), and
    LPIPS (smaller is closer) where its backbone is at hand; of a metric that could not be measured it says why.

    \b
    Examples:
      dirac-enhance compare photo.png photo.jpg
      dirac-enhance compare photo.png photo.enhanced.png --json
      dirac-enhance compare photo.png photo.jpg --lpips-backbone alexnet-owt-7be5be79.pth
    """
    from dirac_enhance.comparison import compare_files

    comparison = compare_files(first, second, host, lpips_backbone=lpips_backbone)
    click.echo(_to_json(comparison) if as_json else _to_text(comparison))


def _to_text(comparison: Comparison) -> str:
    values = {
        "psnr": "equal pictures" if comparison.psnr == math.inf else _number(comparison.psnr, "{:.2f} dB"),
        "ssim": _number(comparison.ssim, "{:.4f}"),
        "lpips": _number(comparison.lpips, "{:.4f}"),
    }
    reasons = {name: f"not measured: {printable_line(reason)}" for name, reason in comparison.missing.items()}
    return "\n".join(f"{name.upper():<5}  {reasons.get(name, value)}" for name, value in values.items())


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _to_json(comparison: Comparison) -> str:
    """As JSON, which has no infinity: the PSNR of equal pictures is null, too, and not among the missing."""
    values = asdict(comparison)
    if comparison.psnr == math.inf:
        values["psnr"] = None
    return json.dumps(values, indent=2)
