"""Wall time and peak memory of whole `dirac-enhance` processes: starting up, a small photo and 24 megapixels."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from dirac_enhance import bundled_weights
from dirac_enhance.bench.environment import file_sha256
from record import RESULTS, write_record

_SMALL = (768, 512)
_LARGE = (6000, 4000)
_JPEG_QUALITY = 20
# A process is charged for the memory of the one that started it, so this small one stands between.
_LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ), 0)
cost = [time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
with open(sys.argv[1], "w") as report:
    json.dump(cost, report)
sys.exit(os.waitstatus_to_exitcode(status))
"""
_BYTES_PER_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Case:
    """One command line: arguments before the picture, and the picture's width and height, or None to do without."""

    name: str
    arguments: tuple[str, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds on the clock, seconds of all cores, and its largest resident set."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


CASES = (
    Case("--help", ("--help",)),
    Case("768×512, steps 1", ("--steps", "1"), _SMALL),
    Case("768×512, steps 100", ("--steps", "100"), _SMALL),
    Case("768×512, steps 100, paper's spacing", ("--steps", "100", "--spacing", "paper"), _SMALL),
    Case("6000×4000, steps 1", ("--steps", "1"), _LARGE),
    Case("6000×4000, steps 85", ("--steps", "85"), _LARGE),
    Case("6000×4000, steps 85, paper's spacing", ("--steps", "85", "--spacing", "paper"), _LARGE),
    Case("6000×4000, steps 100", ("--steps", "100"), _LARGE),
)


def write_jpeg(file: Path, size: tuple[int, int]) -> Path:
    """Write a JPEG of smoothed noise at several scales; the time taken does not depend on what a picture shows."""
    generator = np.random.default_rng(0)
    width, height = size
    samples = np.zeros((height, width, 3), dtype=np.float32)
    for scale in (4, 16, 64):
        coarse = generator.integers(0, 256, size=(height // scale, width // scale, 3), dtype=np.uint8)
        samples += np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.float32) / 3
    Image.fromarray(samples.clip(0, 255).astype(np.uint8)).save(file, quality=_JPEG_QUALITY)
    return file


def run_process(command: list[str]) -> Cost:
    """Run a command, its program given by absolute path, to its end.

    Raises:
        click.ClickException: if it fails; with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(report), *command]
        ended = subprocess.run(launcher, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if ended.returncode:
            raise click.ClickException(f"{' '.join(command)}\nfailed:\n{ended.stdout.decode(errors='replace')}")
        wall_seconds, cpu_seconds, peak = json.loads(report.read_text())
    return Cost(wall_seconds, cpu_seconds, peak * _BYTES_PER_RSS_UNIT)


def summary(costs: list[Cost]) -> dict[str, Any]:
    """The fastest run and the largest peak, beside every run."""
    return {
        "wall_seconds": min(cost.wall_seconds for cost in costs),
        "peak_bytes": max(cost.peak_bytes for cost in costs),
        "runs": [asdict(cost) for cost in costs],
    }


def program() -> list[str]:
    """The console script beside this interpreter, or the package as a module."""
    script = Path(sys.executable).with_name("dirac-enhance")
    return [str(script)] if script.exists() else [sys.executable, "-m", "dirac_enhance"]


def measure(case: Case, options: list[str], *, repeats: int, folder: Path) -> list[Cost]:
    """Run one case several times."""
    command = [*program(), *case.arguments]
    if case.size:
        picture = write_jpeg(folder / f"{case.size[0]}x{case.size[1]}.jpg", case.size)
        command += [str(picture), "-o", str(folder / "enhanced.png"), "--overwrite", "--quiet", *options]
    return [run_process(command) for _ in range(repeats)]


def row_of(case: Case, costs: list[Cost]) -> dict[str, Any]:
    """What one case took, and what it was."""
    megapixels = case.size[0] * case.size[1] / 1e6 if case.size else None
    taken = summary(costs)
    wall_seconds = taken["wall_seconds"]
    return {
        "case": case.name,
        "arguments": list(case.arguments),
        "megapixels": megapixels,
        "wall_seconds_per_megapixel": wall_seconds / megapixels if megapixels else None,
        **taken,
    }


@click.command(context_settings={"show_default": True})
@click.option("--only", default="", help="Measure only cases whose name contains this, for example 768.")
@click.option(
    "--repeats", default=3, type=click.IntRange(min=1), help="Runs of each case; of 24 megapixels always one."
)
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Weights instead of the shipped ones.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--json", "json_file", default=RESULTS / "speed.json", type=click.Path(path_type=Path))
def main(only: str, *, repeats: int, weights: Path | None, device: str, json_file: Path) -> None:
    """Measure the command line as its user meets it; print a table and write a JSON record."""
    options = ["--device", device, *(["--weights", str(weights)] if weights else [])]
    rows = []
    click.echo(f"{'':40}{'wall':>10}{'per MP':>10}{'peak':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for case in (case for case in CASES if only in case.name):
            times = 1 if case.size == _LARGE else repeats
            row = row_of(case, measure(case, options, repeats=times, folder=Path(folder)))
            rows.append(row)
            each = f"{row['wall_seconds_per_megapixel']:8.2f} s" if case.size else ""
            click.echo(f"{case.name:40}{row['wall_seconds']:8.2f} s{each:>10}{row['peak_bytes'] / 2**20:8.0f} MiB")
    shipped = bundled_weights("jpeg")
    sha256 = file_sha256(weights) if weights else shipped and shipped.sha256
    write_record(json_file, benchmark="speed", contents={"device": device, "weights_sha256": sha256, "rows": rows})
    click.echo(f"written to {json_file}")


if __name__ == "__main__":
    main()
