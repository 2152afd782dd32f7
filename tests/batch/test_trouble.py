"""Trouble in a run: one file's stays its own, results that are there stay, and an end leaves nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest
from torch import Tensor

from dirac_enhance import BaseReconstruction, DeviceError
from dirac_enhance.batch import decoding, lanes
from dirac_enhance.batch.recipe import Enhanced, Failed, Skipped
from dirac_enhance.image import OutputSettings

if TYPE_CHECKING:
    from tests.batch.conftest import Bench, UseLanes

PATIENCE = 10.0
"""Seconds until a test gives up waiting for another thread."""


def test_a_bad_file_fails_alone(bench: Bench) -> None:
    for height, width in ((8, 8), (0, 8), (8, 0), (8, 8)):
        bench.add(height, width)

    outcomes = {outcome.job.source.stem: outcome for outcome in bench.run()}

    assert [type(outcomes[stem]) for stem in "0123"] == [Enhanced, Failed, Failed, Enhanced]
    messages = [str(each.error) for each in outcomes.values() if isinstance(each, Failed)]
    assert "1.toy': a toy of no height" in messages[0]
    assert "2.toy': codec 'toy' from dist-toy 1.5 failed: SystemExit: 3" in messages[1]


def test_waiting_errors_hold_no_frames(bench: Bench) -> None:
    bench.add(0, 8)
    (outcome,) = bench.run()
    assert isinstance(outcome, Failed)
    assert outcome.error.__cause__ is not None
    assert outcome.error.__cause__.__traceback__ is None


def test_a_picture_that_the_network_cannot_do_fails_alone(bench: Bench) -> None:
    def fail(base: Tensor) -> None:
        if (base < -0.9).any():
            raise RuntimeError("some kernel is missing")

    for _ in range(3):
        bench.add(8, 8)
    bench.predictor.before = fail
    decode = bench.codec.decode

    def decode_one_black(data: bytes) -> BaseReconstruction:
        base = decode(data)
        if len(bench.codec.decoded) == 2:
            base.pixels.zero_()
        return base

    bench.codec.decode = decode_one_black  # type: ignore[method-assign] # one picture is special

    assert bench.run_to_end() == {"Enhanced": ["0", "2"], "Failed": ["1"]}


def test_an_error_of_all_files_ends_the_run(bench: Bench) -> None:
    def fail(_: Tensor) -> None:
        raise DeviceError("too little free memory")

    for _ in range(3):
        bench.add(8, 8)
    bench.predictor.before = fail

    with pytest.raises(DeviceError, match="too little free memory"):
        list(bench.run())
    assert not (bench.folder / "results").exists()


def test_a_full_disk_fails_a_file_and_leaves_nothing_of_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, calls = os.fsync, iter(range(100))

    def fail_at_first(descriptor: int) -> None:
        if next(calls) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_at_first)
    for _ in range(3):
        bench.add(8, 8)

    outcomes = list(bench.run())

    (failed,) = (outcome for outcome in outcomes if isinstance(outcome, Failed))
    assert str(failed.error) == f"cannot write '{failed.job.target}': No space left on device"
    assert len(list((bench.folder / "results").iterdir())) == 2


def test_a_read_only_folder_fails_its_files_before_they_are_decoded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "locked").mkdir()
    bench.add(8, 8, target="locked/below/{}.png")
    bench.add(8, 8)
    bench.add(8, 8, target="0.toy/{}.png")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked" and access(path, mode))

    outcomes = {outcome.job.source.stem: outcome for outcome in bench.run()}

    assert isinstance(outcomes["1"], Enhanced)
    below, locked = bench.folder / "locked" / "below", bench.folder / "locked"
    messages = {stem: str(each.error) for stem, each in outcomes.items() if isinstance(each, Failed)}
    assert messages["0"] == f"cannot write to the folder '{below}': '{locked}' is not writable"
    assert messages["2"].endswith("0.toy' is no folder")
    assert list(locked.iterdir()) == []


def test_a_result_of_another_process_is_skipped_without_decoding(bench: Bench) -> None:
    bench.add(8, 8)
    done = bench.add(0, 0)  # decoding it would fail
    done.target.parent.mkdir()
    done.target.write_bytes(b"result")

    assert bench.run_to_end() == {"Enhanced": ["0"], "Skipped": ["1"]}
    assert done.target.read_bytes() == b"result"


def test_a_result_that_appears_meanwhile_is_skipped_and_kept(bench: Bench) -> None:
    job = bench.add(8, 8)

    def finish_first(_: Tensor) -> None:
        job.target.parent.mkdir(exist_ok=True)
        job.target.write_bytes(b"result")

    bench.predictor.before = finish_first

    (outcome,) = bench.run()
    assert outcome == Skipped(job)
    assert job.target.read_bytes() == b"result"


def test_existing_results_are_replaced_when_asked_for(bench: Bench) -> None:
    job = bench.add(8, 8)
    job.target.parent.mkdir()
    job.target.write_bytes(b"old")
    bench.output = OutputSettings(overwrite=True)

    assert bench.run_to_end() == {"Enhanced": ["0"]}
    assert job.target.read_bytes().startswith(b"\x89PNG")


def test_a_file_by_itself_creates_no_folder_and_does_not_skip(bench: Bench) -> None:
    job = bench.add(8, 8)
    (outcome,) = bench.run(alone=True)
    assert isinstance(outcome, Failed)
    assert "there is no folder" in str(outcome.error)

    job.target.parent.mkdir()
    job.target.write_bytes(b"old")
    (outcome,) = bench.run(alone=True)
    assert isinstance(outcome, Failed)
    assert "already exists" in str(outcome.error)


def test_closing_stops_the_run_and_leaves_whole_results_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "CPU_BATCH_PIXELS", decoding.SMALLEST_WEIGHT)
    for _ in range(40):
        bench.add(8, 8)

    outcomes = bench.run()
    next(outcomes)
    outcomes.close()

    results = list((bench.folder / "results").iterdir())
    assert 1 <= len(results) < 40
    assert all(result.read_bytes().endswith(b"IEND\xaeB`\x82") for result in results)


@pytest.mark.skipif(os.name != "posix", reason="signals to a thread are POSIX's")
def test_ctrl_c_stops_within_one_evaluation_and_leaves_nothing(
    bench: Bench, lanes_of: UseLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes_of(2)
    begun, stopped, shutdown = Barrier(2), Event(), ThreadPoolExecutor.shutdown

    def interrupt(_: Tensor) -> None:
        if begun.wait(PATIENCE) == 0:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # as the terminal does
        stopped.wait(PATIENCE)

    def stop(pool: ThreadPoolExecutor, **keywords: bool) -> None:
        stopped.set()
        shutdown(pool, **keywords)

    for height in (200, 208, 216):
        bench.add(height, 200)
    bench.predictor.before = interrupt
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", stop)

    with pytest.raises(KeyboardInterrupt):
        list(bench.run())
    assert len(bench.predictor.batches) == 2  # the first of two evaluations on each lane
    assert not (bench.folder / "results").exists()


def test_too_little_memory_for_a_picture_is_its_own_trouble(bench: Bench) -> None:
    def run_out(base: Tensor) -> None:
        if base.shape[2] > 100:
            raise MemoryError

    bench.add(200, 200)
    bench.add(8, 8)
    bench.predictor.before = run_out

    assert bench.run_to_end() == {"Enhanced": ["1"], "Failed": ["0"]}
