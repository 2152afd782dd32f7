"""What analyses of sampling run on: an enhancer, pictures coded at some qualities, metrics; and rows of their means."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import click
import torch

from dirac_enhance import load_enhancer
from dirac_enhance.bench.pixel_hash import pixels_sha256
from dirac_enhance.metrics import LPIPS, load_lpips
from meter import Meter
from originals import cut_middle, encoding_codec, read_folder
from restoration import weights_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor

    from dirac_enhance import BaseReconstruction, EncodingCodec, Enhancer
    from meter import Values

Key = tuple[float, str, tuple[tuple[str, Any], ...]]
"""Quality, kind of row, and what else tells it from others, by column."""

Row = tuple[Key, str, "Values"]
"""Key, picture, and metric to value: one picture's part of a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An original coded at one quality and decoded, and the meter that compares with the original."""

    picture: str
    quality: float
    base: BaseReconstruction
    meter: Meter

    @property
    def megapixels(self) -> float:
        """Of the picture."""
        return self.base.height * self.base.width / 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What an analysis runs on: enhancer, codec, originals, (3, H, W) each, how they are compared and what counts."""

    enhancer: Enhancer
    codec: EncodingCodec
    originals: Mapping[str, Tensor]
    qualities: tuple[float, ...]
    lpips: LPIPS
    metrics_device: str
    seed: int
    psnr_tolerance: float
    lpips_tolerance: float

    def decoded(self) -> Iterator[Decoded]:
        """Yield every original at every quality."""
        for picture, original in self.originals.items():
            meter = Meter.of(original, lpips=self.lpips, device=self.metrics_device)
            for quality in self.qualities:
                base = self.codec.decode(self.codec.encode(original, rate_factor=quality))
                yield Decoded(picture, quality, base, meter)

    def header(self) -> dict[str, Any]:
        """What a record says of it."""
        return {
            "codec": self.codec.id,
            "pictures": len(self.originals),
            "sizes": sorted({f"{original.shape[2]}×{original.shape[1]}" for original in self.originals.values()}),
            "pixels_sha256": pixels_sha256(self.originals.values()),
            "seed": self.seed,
            "weights": weights_header(self.enhancer),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if self.metrics_device == "cuda" else None,
            "psnr_tolerance": self.psnr_tolerance,
            "lpips_tolerance": self.lpips_tolerance,
        }


@torch.inference_mode()
def measure_all(setup: Setup, measure: Callable[[Decoded], Iterable[Row]]) -> list[dict[str, Any]]:
    """Measure every original at every quality, and average; tells of each on standard error."""
    rows: list[Row] = []
    for decoded in setup.decoded():
        start = time.perf_counter()
        rows += measure(decoded)
        seconds = time.perf_counter() - start
        click.echo(f"{decoded.picture} at {decoded.quality:g}: {seconds:.1f} s", err=True)
    return average_rows(rows)


def average_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Average rows of equal key over their pictures, each counting once; qualities rise, else as they first came.

    Returns:
        Rows of the key's columns, the mean of each metric, None where a picture has none, and `pictures`.
    """
    groups: dict[Key, dict[str, Values]] = {}
    for key, picture, values in rows:
        groups.setdefault(key, {})[picture] = values
    averaged = []
    for (quality, kind, columns), pictures in sorted(groups.items(), key=lambda group: group[0][0]):
        first = next(iter(pictures.values()))
        means = {metric: _mean([values[metric] for values in pictures.values()]) for metric in first}
        averaged.append({"quality": quality, "kind": kind, **dict(columns), **means, "pictures": pictures})
    return averaged


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def numbers(_context: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...] | tuple[int, ...]:
    """Read a click option such as 2,4,8: whole numbers, but for qualities."""
    try:
        if parameter.name == "qualities":
            return tuple(float(part) for part in text.split(","))
        return tuple(int(part) for part in text.split(","))
    except ValueError as cause:
        raise click.BadParameter(f"'{text}' is not a list of numbers such as 2,4,8") from cause


_FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
_OPTIONS = (
    click.option("--codec", default="jpeg", metavar="ID", help="An installed codec that encodes."),
    click.option("--qualities", default="5,10,20,40", callback=numbers, help="Rate factors."),
    click.option("--limit", type=click.IntRange(min=1), help="Use only the first pictures."),
    click.option("--crop", type=click.IntRange(min=64), help="Use only the middle square of this side."),
    click.option("--weights", type=click.Path(path_type=Path), help="Weights to use instead of the shipped ones."),
    click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"])),
    click.option("--precision", default="auto", type=click.Choice(["auto", "float32", "bfloat16"])),
    click.option("--lpips-backbone", type=click.Path(path_type=Path), required=True, help="AlexNet's features."),
    click.option("--seed", default=0, type=click.IntRange(min=0), help="Of the noise."),
    click.option(
        "--psnr-tolerance", default=0.02, type=click.FloatRange(min=0), help="Decibels that count as nothing."
    ),
    click.option("--lpips-tolerance", default=0.001, type=click.FloatRange(min=0), help="Likewise, in LPIPS."),
)


def analysis_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the folder and the options that `load_setup` takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return _FOLDER(function)


def load_setup(folder: Path, options: Mapping[str, Any]) -> Setup:
    """Load what `analysis_options` ask for.

    Raises:
        DiracError: if something cannot be loaded.
    """
    device = options["device"]
    metrics_device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    codec = encoding_codec(options["codec"])
    enhancer = load_enhancer(codec.id, weights=options["weights"], device=device, precision=options["precision"])
    originals = read_folder(folder, limit=options["limit"])
    return Setup(
        enhancer=enhancer,
        codec=codec,
        originals={name: cut_middle(original, side=options["crop"]) for name, original in originals.items()},
        qualities=options["qualities"],
        lpips=load_lpips("alexnet", backbone_file=options["lpips_backbone"]).to(metrics_device),
        metrics_device=metrics_device,
        seed=options["seed"],
        psnr_tolerance=options["psnr_tolerance"],
        lpips_tolerance=options["lpips_tolerance"],
    )
