"""A folder of thumbnails through `dirac-enhance` in a fresh process, against the bare network on the same batches."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dirac_enhance import load_enhancer
from dirac_enhance.batch.decoding import SMALLEST_WEIGHT
from dirac_enhance.batch.grouping import Grouping
from dirac_enhance.batch.lanes import batch_pixels, counted_pixels, plan_lanes
from dirac_enhance.batch.runner import GROUPED_PIXELS
from record import RESULTS, write_record
from speed import program, run_process, write_jpeg

if TYPE_CHECKING:
    import torch

    from dirac_enhance import Enhancer

CASES = (("steps 1", 1), ("steps 100", 100))
"""Name and `--steps` of each row; everything else is at its default."""


def batch_sizes(pictures: int, *, padded_pixels: int, device: torch.device, threads: int) -> list[int]:
    """The batches in which a folder's pictures, all of one size, go through the network."""
    grouping: Grouping[int] = Grouping(waiting=GROUPED_PIXELS)
    weight = counted_pixels(max(SMALLEST_WEIGHT, padded_pixels), device, files=pictures, threads=threads)
    batch = batch_pixels(device)
    groups = [
        group for number in range(pictures) for group in grouping.add(number, key=None, pixels=weight, batch=batch)
    ]
    return [len(group) for group in groups + grouping.rest()]


@dataclass(frozen=True, slots=True)
class Batches:
    """What the network alone is given: batches of these sizes of one height and width, each evaluated so often."""

    sizes: tuple[int, ...]
    height: int
    width: int
    evaluations: int


def time_network(enhancer: Enhancer, batches: Batches, *, lanes: int = 1, threads: int) -> float:
    """Seconds that the network alone takes for these batches, from and to its own device.

    Args:
        enhancer: whose network.
        batches: all of them.
        lanes: how many are evaluated at the same time.
        threads: of the CPU for each of those.
    """
    import torch

    from dirac_enhance.tiling import TiledPredictor

    assert isinstance(enhancer.predictor, TiledPredictor)
    network, device, reduced = enhancer.predictor.network, enhancer.device, enhancer.precision != torch.float32
    shape = (3, batches.height, batches.width)
    planes = {size: torch.rand(2, size, *shape, device=device) for size in sorted(set(batches.sizes))}

    def run(size: int, *, times: int) -> None:
        torch.set_num_threads(threads)
        t, rate = torch.full((size,), 190, device=device), torch.full((size,), 20.0, device=device)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=enhancer.precision if reduced else torch.bfloat16, enabled=reduced),
        ):
            for _ in range(times):
                network(planes[size][0], planes[size][1], t, rate)

    before = torch.get_num_threads()
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lambda size: run(size, times=1), [size for size in planes for _ in range(lanes)]))  # warms up
        _synchronise(device)
        started = time.perf_counter()
        list(pool.map(lambda size: run(size, times=batches.evaluations), batches.sizes))
        _synchronise(device)
        seconds = time.perf_counter() - started
    torch.set_num_threads(before)
    return seconds


def _synchronise(device: Any) -> None:
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize()


def time_command(album: Path, options: list[str]) -> float:
    """Seconds that a fresh process takes for a folder, writing included.

    Raises:
        click.ClickException: if it fails, or a result is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        better = Path(folder) / "better"
        cost = run_process([*program(), str(album), "--recursive", "-o", str(better), "--quiet", *options])
        if len(list(better.iterdir())) != len(list(album.iterdir())):
            raise click.ClickException(f"{len(list(better.iterdir()))} results in {better}")
    return cost.wall_seconds


def make_album(folder: Path, pictures: int, size: tuple[int, int]) -> Path:
    """Make a folder of equal JPEG thumbnails."""
    folder.mkdir()
    first = write_jpeg(folder / "0.jpg", size)
    for number in range(1, pictures):
        shutil.copy(first, folder / f"{number}.jpg")
    return folder


def measure(
    case: tuple[str, int], enhancer: Enhancer, albums: tuple[Path, Path], size: tuple[int, int]
) -> dict[str, Any]:
    """One row: the folder, a folder of one picture, which is all starting up, and the bare network.

    The network is measured on one batch after the other with all threads, and on as many at a time as a run has lanes;
    the quicker counts.
    """
    import torch

    name, steps = case
    pictures = len(list(albums[0].iterdir()))
    options = ["--steps", str(steps), "--device", enhancer.device.type]
    width, height = (-(-side // enhancer.stride) * enhancer.stride for side in size)
    threads = torch.get_num_threads()
    sizes = batch_sizes(pictures, padded_pixels=height * width, device=enhancer.device, threads=threads)
    evaluations = enhancer.evaluations(steps=steps)
    command, start = (time_command(album, options) for album in albums)
    batches = Batches(tuple(sizes), height, width, evaluations)
    one_by_one = time_network(enhancer, batches, threads=threads)
    plan = plan_lanes(enhancer.device, files=pictures, threads=threads)
    in_lanes = time_network(enhancer, batches, lanes=plan.lanes, threads=plan.threads)
    network = min(one_by_one, in_lanes)
    return {
        "case": name,
        "steps": steps,
        "evaluations": evaluations,
        "pictures": pictures,
        "width": size[0],
        "height": size[1],
        "batch": sizes[0],
        "command_seconds": command,
        "start_seconds": start,
        "network_seconds": network,
        "network_seconds_one_by_one": one_by_one,
        "network_seconds_in_lanes": in_lanes,
        "lanes": plan.lanes,
        "pictures_per_second": pictures / command,
        "share_of_network_throughput": network / command,
        "share_of_one_by_one": one_by_one / command,
        "share_after_start": network / max(command - start, 1e-9),
    }


@click.command(context_settings={"show_default": True})
@click.option("--pictures", default=1000, type=click.IntRange(min=1), help="Files in the folder.")
@click.option("--size", default=(160, 120), type=(click.IntRange(min=64), click.IntRange(min=64)), help="Of each.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--json", "json_file", default=RESULTS / "folder.json", type=click.Path(path_type=Path))
def main(pictures: int, *, size: tuple[int, int], device: Literal["auto", "cpu", "cuda"], json_file: Path) -> None:
    """Measure what a folder of thumbnails costs beside the network; print a table and write a JSON record."""
    enhancer = load_enhancer("jpeg", device=device)
    rows = []
    click.echo(
        f"{'':12}{'command':>11}{'network':>11}{'pictures/s':>12}{'share':>8}{'after start':>13}{'of one by one':>15}"
    )
    with tempfile.TemporaryDirectory() as folder:
        albums = (make_album(Path(folder) / "album", pictures, size), make_album(Path(folder) / "one", 1, size))
        for case in CASES:
            row = measure(case, enhancer, albums, size)
            rows.append(row)
            click.echo(
                f"{row['case']:12}{row['command_seconds']:9.2f} s{row['network_seconds']:9.2f} s"
                f"{row['pictures_per_second']:12.1f}"
                f"{row['share_of_network_throughput']:8.0%}{row['share_after_start']:13.0%}"
                f"{row['share_of_one_by_one']:15.0%}"
            )
    header = {
        "device": str(enhancer.device),
        "precision": str(enhancer.precision).removeprefix("torch."),
        "weights_sha256": enhancer.weights_sha256,
    }
    write_record(json_file, benchmark="folder", contents={**header, "rows": rows})
    click.echo(f"written to {json_file}")


if __name__ == "__main__":
    main()
