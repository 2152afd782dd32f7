"""Lanes: several groups in flight, each as it would come out alone."""

from __future__ import annotations

import threading
import time
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image
from torch import Tensor

from dirac_enhance.batch import lanes
from dirac_enhance.batch.lanes import LanePlan, plan_lanes
from dirac_enhance.enhancer import BATCH_PIXELS

if TYPE_CHECKING:
    from tests.batch.conftest import Bench, UseLanes

PATIENCE = 10.0
"""Seconds until a test gives up waiting for another thread."""


@pytest.mark.parametrize(
    ("device", "files", "threads", "plan"),
    [
        ("cpu", 1000, 8, LanePlan(8, 1, 8, BATCH_PIXELS)),
        ("cpu", 1, 8, LanePlan(1, 8, 8, BATCH_PIXELS)),
        ("cpu", 3, 8, LanePlan(3, 2, 8, BATCH_PIXELS)),
        ("cpu", 1000, 64, LanePlan(16, 4, 64, BATCH_PIXELS)),
        ("cuda", 1000, 8, LanePlan(3, 2, 8, lanes.CUDA_SHARED_PIXELS)),
        ("cuda", 1, 8, LanePlan(1, 8, 8, lanes.CUDA_SHARED_PIXELS)),
    ],
)
def test_a_device_is_shared_out_among_files(device: str, files: int, threads: int, plan: LanePlan) -> None:
    assert plan_lanes(torch.device(device), files=files, threads=threads) == plan


def test_the_next_batches_are_submitted_before_the_first_one_s_result_is_there(
    bench: Bench, lanes_of: UseLanes
) -> None:
    lanes_of(3)
    for height in (8, 16, 24, 32):  # of four sizes, so they share no evaluation
        bench.add(height, 8)
    meeting = Barrier(3)
    first = iter((True, True, True))

    def meet(_: Tensor) -> None:
        if next(first, False):
            meeting.wait(PATIENCE)

    bench.predictor.before = meet

    assert bench.run_to_end() == {"Enhanced": ["0", "1", "2", "3"]}
    assert not meeting.broken


def test_a_picture_too_large_for_a_batch_runs_alone_with_all_threads(
    bench: Bench, lanes_of: UseLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes_of(2)
    monkeypatch.setattr(lanes, "BATCH_PIXELS", 128 * 128)
    monkeypatch.setattr(lanes, "CPU_BATCH_PIXELS", 64 * 64)
    for side in (64, 72, 200, 80, 208):
        bench.add(side, side)
    own = threading.local()
    at_work: set[int] = set()
    seen: dict[int, tuple[int, set[int]]] = {}

    def evaluate(base: Tensor) -> None:
        side = base.shape[2]
        at_work.add(side)
        seen[side] = (own.threads, set(at_work))
        at_work.remove(side)

    monkeypatch.setattr(torch, "set_num_threads", lambda count: setattr(own, "threads", count))
    bench.predictor.before = evaluate

    assert bench.run_to_end() == {"Enhanced": ["0", "1", "2", "3", "4"]}
    assert {side: count for side, (count, _) in seen.items()} == {64: 1, 72: 1, 200: 2, 80: 1, 208: 2}
    assert (seen[200][1], seen[208][1]) == ({200}, {208})


def test_results_are_the_same_on_any_number_of_lanes(bench: Bench, lanes_of: UseLanes) -> None:
    for number in range(4):
        bench.add(40 + 8 * number, 56, rate=5 + number)
    lanes_of(1)
    assert len(bench.run_to_end()["Enhanced"]) == 4
    alone = {path.name: path.read_bytes() for path in (bench.folder / "results").iterdir()}
    for path in (bench.folder / "results").iterdir():
        path.unlink()
    lanes_of(4)
    assert len(bench.run_to_end()["Enhanced"]) == 4
    assert {path.name: path.read_bytes() for path in (bench.folder / "results").iterdir()} == alone


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.cuda,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
            ],
        ),
    ],
)
def test_every_group_gets_its_own_result_however_many_are_in_flight(
    bench: Bench, lanes_of: UseLanes, device: str
) -> None:
    def residual_of(base: Tensor) -> Tensor:
        residual = base
        for _ in range(50):  # long enough to be overtaken by another stream
            residual = torch.nn.functional.avg_pool2d(residual, 3, 1, 1)
        return residual.mean(dim=(1, 2, 3), keepdim=True).expand_as(base) + base.shape[2] / 512

    lanes_of(3)
    bench.device, bench.predictor.residual_of = device, residual_of
    for number in range(12):
        bench.add(8 + 8 * number, 64)

    assert len(bench.run_to_end()["Enhanced"]) == 12
    for job in bench.jobs:
        with Image.open(job.target) as picture:
            expected = 255 * (0.5 + picture.height / 1024)  # a grey of 0.5 and half a residual
            assert abs(picture.getpixel((0, 0))[0] - expected) <= 1  # type: ignore[index] # of three channels


def test_a_run_leaves_the_number_of_threads_as_it_was(bench: Bench) -> None:
    before = torch.get_num_threads()
    for height in (8, 16):
        bench.add(height, 8)
    bench.run_to_end()
    seen = [before]
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert [*seen, torch.get_num_threads()] == 3 * [before]


def test_closing_while_groups_are_in_flight_evaluates_no_further(bench: Bench, lanes_of: UseLanes) -> None:
    lanes_of(2)
    release, began = Event(), Event()

    def hold(_: Tensor) -> None:
        began.set()
        release.wait(PATIENCE)

    for height in range(8, 88, 8):
        bench.add(height, 8)
    bench.predictor.before = lambda _: time.sleep(0.05)  # so that the first result is there before the last group
    outcomes = bench.run()
    next(outcomes)
    bench.predictor.before = hold
    assert began.wait(PATIENCE)
    release.set()
    outcomes.close()
    assert len(bench.predictor.batches) < 20
