"""What one evaluation of each network takes: parameters, arithmetic, milliseconds, memory (DIRAC table C.1).

Beside each network as the enhancer runs it stands the same one run naively, in float32 on contiguous planes: the ratio
of the two depends less on the machine than the milliseconds do.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import torch
from torch import nn

from appendix_tables import compute_text
from dirac_enhance.bench.memory import PeakMemory
from dirac_enhance.device import resolve_precision
from dirac_enhance.networks.catalogue import NETWORKS, mmac_per_pixel, parameters
from dirac_enhance.networks.unet import UNet
from dirac_enhance.tiling import TiledPredictor
from record import RESULTS, publish_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from dirac_enhance.networks.config import UNetConfig

_TIMESTEP = 190
_MEMORY_SHARE = 0.8
"""Share of the free memory that an evaluation may be expected to take."""

Arrangement = Literal["enhancer", "naive"]
ARRANGEMENTS: tuple[Arrangement, ...] = ("enhancer", "naive")


@dataclass(frozen=True, slots=True)
class Cost:
    """What an evaluation took: median milliseconds, and MiB beside weights and inputs where the system tells."""

    milliseconds: float
    working_mib: float | None


@dataclass(frozen=True, slots=True)
class Effort:
    """How often an evaluation is repeated, to measure it and to warm up, and the seconds after which either ends."""

    repeats: int
    warm_up: int
    seconds: float

    def spend(self, milliseconds: Callable[[], float], *, times: int, spent: float = 0.0) -> list[float]:
        """Measure up to so many `times`, but not once more when the time, less what was `spent`, is over."""
        measured: list[float] = []
        while len(measured) < times and spent + sum(measured) < 1000 * self.seconds:
            measured.append(milliseconds())
        return measured


def _names(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := sorted(set(names) - set(NETWORKS)):
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(NETWORKS)}")
    return names


@click.command(context_settings={"show_default": True})
@click.option("--networks", default=",".join(NETWORKS), callback=_names, help="Names, comma-separated.")
@click.option("--sizes", default=(256, 1024), multiple=True, type=click.IntRange(32), help="Sides of the pictures.")
@click.option("--repeats", default=10, type=click.IntRange(1), help="Evaluations, of which the median counts.")
@click.option("--warm-up", default=2, type=click.IntRange(0), help="Evaluations before them.")
@click.option("--seconds", default=60.0, help="Spend no more on either, beyond the first evaluation.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "compute.json")
def main(
    networks: tuple[str, ...], *, sizes: tuple[int, ...], repeats: int, warm_up: int, seconds: float, json_file: Path
) -> None:
    """Measure each network on the CPU, and on CUDA where there is a GPU; print a table and write a JSON record."""
    effort = Effort(repeats, warm_up, seconds)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    rows = [
        _row(name, device, side, arrangement, effort=effort)
        for name in networks
        for device in devices
        for side in sizes
        for arrangement in ARRANGEMENTS
    ]
    contents = {
        **asdict(effort),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "precision": {each.type: str(resolve_precision("auto", each)).removeprefix("torch.") for each in devices},
        "rows": rows,
    }
    publish_record(json_file, benchmark="compute", contents=contents, text=compute_text)


def _row(name: str, device: torch.device, side: int, arrangement: Arrangement, *, effort: Effort) -> dict[str, Any]:
    config = NETWORKS[name]
    click.echo(f"{name}, {device.type}, {side}², {arrangement}", err=True)
    head = {
        "network": name,
        "parameters": parameters(config),
        "mmac_per_pixel": mmac_per_pixel(config),
        "device": device.type,
        "side": side,
        "arrangement": arrangement,
    }
    reason = _too_large(config, side, device)
    if reason:
        return {**head, "milliseconds": None, "working_mib": None, "skipped": reason}
    cost = measure(arrange(config, device, side, arrangement), device, effort)
    return {**head, "milliseconds": cost.milliseconds, "working_mib": cost.working_mib, "skipped": None}


def arrange(config: UNetConfig, device: torch.device, side: int, arrangement: Arrangement) -> Callable[[], object]:
    """Build a network and its inputs, and return what evaluates it once, on a picture of `side`² pixels.

    "enhancer" is what `load_enhancer` makes of a network. "naive" makes the input of every convolution contiguous.
    """
    network = UNet(config).eval().requires_grad_(requires_grad=False).to(device)
    planes = torch.rand(2, 1, 3, side, side, device=device) * 2 - 1
    if arrangement == "enhancer":
        network = network.to(memory_format=torch.channels_last)
        precision = resolve_precision("auto", device)
        predictor = TiledPredictor(network, device=device, precision=precision, tile=side)
        return lambda: predictor.predict(planes[0], planes[1], _TIMESTEP, None)
    for convolution in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        convolution.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
    condition = torch.tensor([_TIMESTEP], device=device), torch.tensor([float("nan")], device=device)

    def evaluate() -> object:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return network(planes[0], planes[1], *condition)

    return evaluate


def measure(evaluate: Callable[[], object], device: torch.device, effort: Effort) -> Cost:
    """Time evaluations, by CUDA's events on a GPU, and watch the memory of the first of them."""
    effort.spend(lambda: _milliseconds(evaluate, device), times=effort.warm_up)
    _return_freed_memory()
    peak = PeakMemory(device.type)
    before = peak.mib()
    first = _milliseconds(evaluate, device)
    after = peak.mib()
    rest = effort.spend(lambda: _milliseconds(evaluate, device), times=effort.repeats - 1, spent=first)
    return Cost(statistics.median([first, *rest]), None if before is None or after is None else after - before)


def _return_freed_memory() -> None:
    """Have the C library hand back what it keeps for later, which an evaluation would use unseen; glibc only."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _milliseconds(evaluate: Callable[[], object], device: torch.device) -> float:
    if device.type == "cpu":
        start = time.perf_counter()
        evaluate()
        return 1000 * (time.perf_counter() - start)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    evaluate()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))


def _too_large(config: UNetConfig, side: int, device: torch.device) -> str | None:
    """Say why an evaluation would not fit into memory, or return None."""
    needed, free = expected_bytes(config, side), free_bytes(device)
    if free is None or needed <= _MEMORY_SHARE * free:
        return None
    return f"skipped: needs about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"


def expected_bytes(config: UNetConfig, side: int) -> int:
    """Estimate from above what float32 planes an evaluation holds: all skips, and six of the widest at full size."""
    planes, blocks = 6.0 * max(config.channels[0], 6), config.blocks_per_level + 1
    planes += sum(blocks * width / 4.0**level for level, width in enumerate(config.channels))
    return round(4 * planes * side**2 / config.patch**2)


def free_bytes(device: torch.device) -> int | None:
    """Return what memory is free; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


if __name__ == "__main__":
    main()
