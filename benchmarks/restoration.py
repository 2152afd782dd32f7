"""PSNR, SSIM, LPIPS, rate and speed of a codec's pictures, before and after enhancement, by rate and by method.

    original ─encode─► coded file ─decode─► base ─enhance─► picture ─8 bits─► compared with the original; then averaged
                or made beforehand

Every position of a trajectory comes from one walk along it, so positions 81 … 100 cost no more than 100 alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from dirac_enhance import DiracError, load_enhancer
from dirac_enhance.bench.coded_pictures import decode_corner, decode_picture
from dirac_enhance.bench.pixel_hash import pixels_sha256
from dirac_enhance.metrics import LPIPS, load_lpips
from meter import Meter
from originals import choose_codec, qualities_option, read_folder, streams_option
from record import RESULTS, write_record
from restoration_methods import METHODS, Plan, Restored, Walk, restore, seed_differences
from restoration_rows import Measurement, average, format_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from dirac_enhance import Codec, Enhancer
    from dirac_enhance.bench.coded_pictures import CodedPictures
    from dirac_enhance.device import Device, Precision

_QUALITIES = (5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0)
_WARM_UP_SIDE = 128


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The parts of one benchmark run; `metrics_device` is where pictures are compared."""

    codec: Codec
    coded: CodedPictures
    enhancer: Enhancer | None
    lpips: LPIPS | None
    metrics_device: str
    plan: Plan

    def measure(self, picture: str, original: Tensor, quality: float) -> Iterator[Measurement]:
        """Measure every method on one original, (3, H, W) float32 in [0, 1], coded at one quality.

        Raises:
            BenchmarkError: if what was coded cannot be had or decoded, or is not of the original's size.
        """
        meter = Meter.of(original, lpips=self.lpips, device=self.metrics_device)
        coded = decode_picture(self.codec, self.coded, picture, original, rate_factor=quality)
        base = coded.base
        plain = Restored("base", "", 0, base.pixels, coded.seconds or 0.0)
        # The plain codec is always measured: every other row is compared with it.
        for restored in chain([plain], restore(self.enhancer, base, self.plan) if self.enhancer else ()):
            speed = {"seconds_per_megapixel": restored.seconds * 1e6 / (base.height * base.width)}
            values = meter(restored.pixels) | {"bits_per_pixel": base.bits_per_pixel} | speed
            yield Measurement((quality, restored.method, restored.trajectory, restored.evaluations), picture, values)
        if self.enhancer and "seeds" in self.plan.which:
            for method, levels in seed_differences(self.enhancer, base, self.plan).items():
                key = (quality, f"seeds apart at {method}", self.plan.walks[0].label, 0)
                yield Measurement(key, picture, {"levels": levels})

    def warm_up(self, picture: str, original: Tensor) -> None:
        """Let codec and device load their libraries, allocate memory and choose kernels before anything is timed."""
        base = decode_corner(self.codec, self.coded, picture, original, side=_WARM_UP_SIDE)
        if self.enhancer:
            self.enhancer.enhance(base, steps=1)


def plan_walks(spacings: tuple[str, ...], evaluations: tuple[int, ...], late_start: int | None) -> tuple[Walk, ...]:
    """List the trajectories asked for; numbers of evaluations apply to log-SNR spacing only."""
    walks = [Walk("paper", None, late_start)] if "paper" in spacings else []
    if "log-snr" in spacings or evaluations:
        walks += [Walk("log-snr", count, late_start) for count in evaluations or (None,)]
    return tuple(walks) or (Walk(None, None, late_start),)


def weights_header(enhancer: Enhancer | None) -> dict[str, Any] | None:
    """What enhanced: the weights' digest and what their own metadata says."""
    if enhancer is None:
        return None
    metadata = enhancer.metadata
    settings = {"device": str(enhancer.device), "precision": str(enhancer.precision).removeprefix("torch.")}
    defaults = {"spacing": metadata.spacing, "evaluations": metadata.evaluations, "late_start": metadata.late_start}
    return (
        {"sha256": enhancer.weights_sha256, "codec": metadata.codec_id, "network": dict(metadata.network)}
        | defaults
        | settings
    )


def prepare(
    plan: Plan,
    codec: Codec,
    coded: CodedPictures,
    *,
    weights: Path | None,
    device: Device,
    precision: Precision,
    lpips: Path | None,
) -> Run:
    """Load what the plan needs; `lpips` is the file of AlexNet's features.

    Raises:
        DiracError: if something cannot be loaded.
    """
    metrics_device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    enhances = plan.which != {"base"}
    return Run(
        codec=codec,
        coded=coded,
        enhancer=load_enhancer(codec.id, weights=weights, device=device, precision=precision) if enhances else None,
        lpips=load_lpips("alexnet", backbone_file=lpips).to(metrics_device) if lpips else None,
        metrics_device=metrics_device,
        plan=plan,
    )


@torch.inference_mode()
def measure_all(run: Run, originals: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """Measure everything and average; tells of each picture on standard error."""
    measurements: list[Measurement] = []
    run.warm_up(*next(iter(originals.items())))
    for picture, original in originals.items():
        start = time.perf_counter()
        for quality in run.coded.rates(picture):
            measurements.extend(run.measure(picture, original, quality))
        click.echo(f"{picture}: {time.perf_counter() - start:.1f} s", err=True)
    return average(measurements)


def run_header(run: Run, originals: Mapping[str, Tensor]) -> dict[str, Any]:
    """What was measured, with what."""
    cuda = run.metrics_device == "cuda"
    return {
        "codec": run.codec.id,
        "pictures": len(originals),
        "megapixels": sum(original[0].numel() for original in originals.values()) / 1e6,
        "pixels_sha256": pixels_sha256(originals.values()),
        "seeds": list(run.plan.seeds),
        "weights": weights_header(run.enhancer),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "gpu_peak_bytes": torch.cuda.max_memory_allocated() if cuda else None,
    }


def _numbers(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as cause:
        raise click.BadParameter(f"'{text}' is not a list of numbers such as 2,4,8") from cause


def _methods(_context: click.Context, _parameter: click.Parameter, text: str) -> frozenset[str]:
    chosen = frozenset(text.split(","))
    if unknown := sorted(chosen - set(METHODS)):
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(METHODS)}")
    return chosen


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--codec", default="jpeg", metavar="ID", help="An installed codec that encodes, or with --streams any.")
@streams_option
@qualities_option(_QUALITIES)
@click.option(
    "--which", default=",".join(METHODS), callback=_methods, help="What to measure; base alone needs no weights."
)
@click.option("--weights", type=click.Path(path_type=Path), help="Weights to use instead of the shipped ones.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--precision", default="auto", type=click.Choice(["auto", "float32", "bfloat16"]))
@click.option(
    "--lpips-backbone", type=click.Path(path_type=Path), help="File of AlexNet's features; without it no LPIPS."
)
@click.option("--spacing", multiple=True, type=click.Choice(["paper", "log-snr"]), help="Repeatable.")
@click.option("--evaluations", callback=_numbers, help="How many along log-SNR spacing, for example 2,3,4,6,8.")
@click.option("--late-start", type=int, help="Start after this position.")
@click.option("--samples", default=8, type=click.IntRange(min=1), help="How many samples to average.")
@click.option("--seeds", default="0,1", callback=_numbers, help="All measure the difference, the first does all else.")
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first pictures.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Where to write the record.")
def main(folder: Path, **options: Any) -> None:
    """Measure a codec's pictures in FOLDER, before and after enhancement; print a table and write a JSON record."""
    if "seeds" in options["which"] and len(options["seeds"]) < 2:
        raise click.BadParameter("a difference needs two, as in --seeds 0,1", param_hint="--seeds")
    walks = plan_walks(options["spacing"], options["evaluations"], options["late_start"])
    plan = Plan(options["which"], walks, options["samples"], options["seeds"])
    try:
        codec, coded = choose_codec(options["codec"], options["streams"], options["qualities"], usual=_QUALITIES)
        parts = {name: options[name] for name in ("weights", "device", "precision")}
        run = prepare(plan, codec, coded, **parts, lpips=options["lpips_backbone"])
        originals = read_folder(folder, only=coded.pictures, limit=options["limit"])
        rows = measure_all(run, originals)
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    click.echo(format_table(rows))
    if run.lpips is None:
        click.echo("LPIPS left out; pass AlexNet's features with --lpips-backbone FILE")
    record_file = options["json_file"] or default_record(options["codec"], folder, options["limit"])
    write_record(record_file, benchmark="restoration", contents=run_header(run, originals) | {"rows": rows})
    click.echo(f"written to {record_file}")


def default_record(codec: str, folder: Path, limit: int | None) -> Path:
    """Where a run is recorded when nothing is said."""
    part = f"-first{limit}" if limit else ""
    return RESULTS / f"restoration-{codec}-{folder.resolve().name}{part}.json"


if __name__ == "__main__":
    main()
