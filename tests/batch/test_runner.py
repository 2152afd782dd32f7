"""A run: what shares evaluations, what overlaps, and what is held in memory."""

from __future__ import annotations

import gc
from threading import Event
from typing import TYPE_CHECKING

import pytest
from torch import Tensor

from dirac_enhance.batch import decoding, lanes, runner, writing
from dirac_enhance.batch.recipe import Enhanced
from dirac_enhance.image import write_image

if TYPE_CHECKING:
    from tests.batch.conftest import Bench, UseLanes

PATIENCE = 10.0
"""Seconds until a test gives up waiting for another thread."""


def test_small_pictures_of_equal_padded_size_share_evaluations(bench: Bench, lanes_of: UseLanes) -> None:
    lanes_of(1)
    for height, width in ((30, 40), (40, 30), (32, 40), (31, 33), (40, 30)):
        bench.add(height, width)

    assert bench.run_to_end() == {"Enhanced": ["0", "1", "2", "3", "4"]}
    assert bench.predictor.batches == 2 * [(3, 3, 32, 40)] + 2 * [(2, 3, 40, 32)]
    assert len(list((bench.folder / "results").iterdir())) == 5


def test_groups_depend_on_the_order_of_the_files_alone(
    bench: Bench, lanes_of: UseLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes_of(1)
    monkeypatch.setattr(lanes, "CPU_BATCH_PIXELS", 3 * decoding.SMALLEST_WEIGHT)
    for _ in range(8):
        bench.add(8, 8)

    assert bench.run_to_end() == {"Enhanced": [str(number) for number in range(8)]}
    assert [batch[0] for batch in bench.predictor.batches[::2]] == [3, 3, 2]


def test_an_outcome_tells_what_was_done(bench: Bench) -> None:
    job = bench.add(30, 40, rate=7)

    (outcome,) = bench.run()

    assert isinstance(outcome, Enhanced)
    assert (outcome.job, outcome.codec_id, outcome.rate_factor) == (job, "toy", 7)
    assert (outcome.height, outcome.width, outcome.evaluations) == (30, 40, 2)
    assert 0 < outcome.seconds < PATIENCE


def test_progress_rises_with_every_evaluation_to_the_number_of_pictures(bench: Bench, lanes_of: UseLanes) -> None:
    lanes_of(1)
    for height in (8, 16, 8):
        bench.add(height, 8)
    seen: list[float] = []

    list(bench.run(progress=seen.append))

    assert seen == [1.0, 2.0, 2.5, 3.0]


def test_decoding_goes_on_while_the_network_is_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "CPU_BATCH_PIXELS", decoding.SMALLEST_WEIGHT)  # each picture goes alone, and at once
    network_busy, third_decoded, waited = Event(), Event(), []
    for height in (8, 16, 24):
        bench.add(height, 8)

    def decode(data: bytes) -> None:
        if data[0] == 24:
            network_busy.wait(PATIENCE)
            third_decoded.set()

    def predict(_: Tensor) -> None:
        network_busy.set()
        waited.append(third_decoded.wait(PATIENCE))

    bench.codec.before, bench.predictor.before = decode, predict

    assert bench.run_to_end() == {"Enhanced": ["0", "1", "2"]}
    assert waited[0]


def test_the_network_goes_on_while_results_are_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "CPU_BATCH_PIXELS", decoding.SMALLEST_WEIGHT)
    second_enhanced, waited = Event(), []
    for height in (8, 16):
        bench.add(height, 8)
    bench.predictor.before = lambda base: second_enhanced.set() if base.shape[2] == 16 else None

    def write_slowly(*arguments: object, **keywords: object) -> None:
        waited.append(second_enhanced.wait(PATIENCE))
        write_image(*arguments, **keywords)  # type: ignore[arg-type] # as given

    monkeypatch.setattr(writing, "write_image", write_slowly)

    assert bench.run_to_end() == {"Enhanced": ["0", "1"]}
    assert waited == [True, True]


def test_pixels_in_memory_are_bounded_however_many_files_there_are(
    bench: Bench, lanes_of: UseLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes_of(2)
    weight = 64 * 64
    monkeypatch.setattr(decoding, "QUEUED_PIXELS", 3 * weight)
    monkeypatch.setattr(lanes, "CPU_BATCH_PIXELS", 4 * weight)
    monkeypatch.setattr(runner, "GROUPED_PIXELS", 2 * weight)
    monkeypatch.setattr(writing, "WRITTEN_PIXELS", 2 * weight)
    for number in range(60):
        bench.add(64, 64 if number % 7 else 56)
    alive: list[int] = []
    bench.predictor.before = lambda _: alive.append(len(bench.codec.decoded))

    assert len(bench.run_to_end()["Enhanced"]) == 60
    # Queue and one more, one being decoded, groups and one more, groups at work and one more, one handed on to them:
    # results hold no base any more.
    assert max(alive) <= (3 + 1) + 1 + (2 + 1) + (2 + 1) * 4 + 4
    gc.collect()
    assert len(bench.codec.decoded) == 0


def test_no_lane_goes_without_a_batch(bench: Bench, lanes_of: UseLanes) -> None:
    lanes_of(3)
    for _ in range(8):
        bench.add(8, 8)

    assert bench.run_to_end() == {"Enhanced": [str(number) for number in range(8)]}
    assert sorted(batch[0] for batch in bench.predictor.batches) == [2, 2, 3, 3, 3, 3]
