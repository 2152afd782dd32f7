"""How bent sampling is, and what each of its hundred positions and each late start gives: DIRAC's figure 7.

base ─► one walk of 100 positions: angles, PSNR and LPIPS at each
     ─► one walk for each late start: PSNR and LPIPS at its end
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from analysis_setup import analysis_options, load_setup, measure_all, numbers
from dirac_enhance import DiracError
from dirac_enhance.diffusion.trajectory import plan_trajectory
from record import RESULTS, publish_record
from trajectory_pages import late_start_text
from walks import Observer, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from analysis_setup import Decoded, Key, Row, Setup

_LATE_STARTS = (10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 93, 95, 97, 98, 99)


def angle(one: Tensor | None, other: Tensor | None) -> float | None:
    """Return the angle between two tensors as vectors, in degrees, or None where there are not two."""
    if one is None or other is None:
        return None
    one, other = one.double().flatten(), other.double().flatten()
    cosine = float(torch.dot(one, other) / (one.norm() * other.norm()))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def measure_positions(decoded: Decoded, setup: Setup) -> Iterator[Row]:
    """Yield a row for each position of the whole trajectory, 0 being the plain codec.

    `angle` is the paper's measure of curvature at position k (section 5.3): between the vectors r̂_0 − r_t of positions
    k − 1 and k. `update_angle` is that between DDIM's updates r_s − r_t, from k − 1 to k and from there on.
    """
    plain = {"angle": None, "update_angle": None} | decoded.meter(decoded.base.pixels)
    yield _key(decoded, "position", position=0, timestep=None), decoded.picture, plain
    observer = Observer(setup.enhancer.predictor)
    plan = plan_trajectory(setup.enhancer.schedule, late_start=0)
    pending: tuple[Key, dict[str, float | None]] | None = None
    before: Tensor | None = None
    direction: Tensor | None = None
    update: Tensor | None = None
    walked = walk(setup.enhancer, decoded.base, plan, seed=setup.seed, predictor=observer)
    for evaluation, residual, pixels in walked:
        r_t = observer.noised_residual
        newest = None if before is None else r_t - before
        if pending is not None:  # its update is known only now
            key, values = pending
            yield key, decoded.picture, values | {"update_angle": angle(update, newest)}
        key = _key(decoded, "position", position=evaluation.position, timestep=evaluation.timestep)
        bend = angle(direction, residual - r_t)
        pending = (key, {"angle": bend, "update_angle": None} | decoded.meter(pixels))
        before, direction, update = r_t, residual - r_t, newest
    if pending is not None:
        yield pending[0], decoded.picture, pending[1]


def measure_late_starts(decoded: Decoded, setup: Setup, late_starts: tuple[int, ...]) -> Iterator[Row]:
    """Yield a row for each late start: what its walk gives at position 100."""
    for late_start in late_starts:
        plan = plan_trajectory(setup.enhancer.schedule, late_start=late_start)
        *_, (_, _, pixels) = walk(setup.enhancer, decoded.base, plan, seed=setup.seed)
        key = _key(decoded, "late start", late_start=late_start, timestep=plan[0].timestep)
        yield key, decoded.picture, decoded.meter(pixels)


def measure(decoded: Decoded, setup: Setup, late_starts: tuple[int, ...]) -> Iterator[Row]:
    """Yield the rows of all positions, then of the late starts."""
    yield from measure_positions(decoded, setup)
    yield from measure_late_starts(decoded, setup, late_starts)


def _key(decoded: Decoded, kind: str, **columns: int | None) -> Key:
    return decoded.quality, kind, tuple(columns.items())


@click.command(context_settings={"show_default": True})
@analysis_options
@click.option(
    "--late-starts",
    default=",".join(map(str, _LATE_STARTS)),
    callback=numbers,
    help="Positions skipped; all hundred are the comparison.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "trajectories.json")
def main(folder: Path, late_starts: tuple[int, ...], json_file: Path, **options: Any) -> None:
    """Walk along all of the trajectory, and from late starts, for pictures in FOLDER; print what late starts lose."""
    try:
        setup = load_setup(folder, options)
        rows = measure_all(setup, lambda decoded: measure(decoded, setup, late_starts))
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents = setup.header() | {"rows": rows}
    publish_record(json_file, benchmark="trajectories", contents=contents, text=late_start_text)


if __name__ == "__main__":
    main()
