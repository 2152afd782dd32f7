"""A run: what overlaps, what is held in memory, and that one file's trouble stays its own."""

from __future__ import annotations

import errno
import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pluggy
import pytest
import torch
from torch import Tensor
from typing_extensions import Self

from dirac_enhance import (
    BaseReconstruction,
    CodecHost,
    CodecOption,
    DeviceError,
    Enhancer,
    InvalidBitstreamError,
    OptionValue,
    RegisteredCodec,
    WeightsMetadata,
)
from dirac_enhance.batch import decoding, runner, writing
from dirac_enhance.batch.plan import Job, Plan
from dirac_enhance.batch.recipe import Enhanced, Failed, Outcome, Recipe, Skipped
from dirac_enhance.batch.runner import run_batch
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.image import AS_NEW_FILE, OutputSettings, write_image

PATIENCE = 10.0
"""Seconds until a test gives up waiting for another thread."""

METADATA = WeightsMetadata(
    codec_id="toy",
    network={},
    schedule={"num_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02},
    trained_timesteps=(0, 999),
    late_start=80,
    spacing="log-snr",
    evaluations=2,
)


@dataclass
class ToyCodec:
    """Files of a height, a width and a rate factor, a byte each; 0 high is damaged, 0 wide ends the program."""

    id: str = "toy"
    file_suffixes: tuple[str, ...] = (".toy",)
    options: tuple[CodecOption, ...] = ()
    decoded: weakref.WeakSet[Tensor] = field(default_factory=weakref.WeakSet)
    before: Callable[[bytes], None] = lambda _: None

    def with_options(self, **values: OptionValue) -> Self:
        return self

    def detect(self, header: bytes) -> bool:
        return True

    def decode(self, data: bytes) -> BaseReconstruction:
        self.before(data)
        height, width, rate = data
        if height == 0:
            raise InvalidBitstreamError("a toy of no height")
        if width == 0:
            raise SystemExit(3)
        pixels = torch.full((3, height, width), 0.5)
        self.decoded.add(pixels)
        return BaseReconstruction(pixels, coded_bytes=3, rate_factor=rate)


@dataclass
class ToyPredictor:
    """Predicts no residual."""

    before: Callable[[Tensor], None] = lambda _: None
    batches: list[tuple[int, ...]] = field(default_factory=list)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        self.batches.append(tuple(base_reconstruction.shape))
        self.before(base_reconstruction)
        return torch.zeros_like(noised_residual)


@dataclass
class Bench:
    """A folder of toys and what is needed to run over them."""

    folder: Path
    codec: ToyCodec = field(default_factory=ToyCodec)
    predictor: ToyPredictor = field(default_factory=ToyPredictor)
    jobs: list[Job] = field(default_factory=list)
    output: OutputSettings = AS_NEW_FILE

    def add(self, height: int, width: int, *, rate: int = 10, target: str = "results/{}.png") -> Job:
        number = len(self.jobs)
        source = self.folder / f"{number}.toy"
        source.write_bytes(bytes((height, width, rate)))
        self.jobs.append(Job(source, self.folder / target.format(number)))
        return self.jobs[-1]

    def run(self, *, alone: bool = False, progress: Callable[[float], None] = lambda _: None) -> Generator[Outcome]:
        registered = RegisteredCodec(self.codec, None, "dist-toy", "1.5")
        host = CodecHost({"toy": registered}, {}, _manager=pluggy.PluginManager("dirac_enhance"), _entry_points={})
        cpu, full = torch.device("cpu"), torch.float32
        enhancer = Enhancer(self.predictor, linear_schedule(), METADATA, "0" * 64, 8, cpu, full)
        recipe = Recipe(host, lambda _: enhancer, output=self.output)
        return run_batch(Plan(tuple(self.jobs), alone=alone), recipe, progress=progress)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("decode", "write"))]
    assert left == []
    assert not list(tmp_path.rglob("*.part"))


def _by_kind(outcomes: Iterator[Outcome]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for outcome in outcomes:
        kinds.setdefault(type(outcome).__name__, []).append(outcome.job.source.stem)
    return {kind: sorted(stems, key=int) for kind, stems in kinds.items()}


def test_small_pictures_of_equal_padded_size_share_evaluations(bench: Bench) -> None:
    for height, width in ((30, 40), (40, 30), (32, 40), (31, 33), (40, 30)):
        bench.add(height, width)

    assert _by_kind(bench.run()) == {"Enhanced": ["0", "1", "2", "3", "4"]}
    assert bench.predictor.batches == 2 * [(3, 3, 32, 40)] + 2 * [(2, 3, 40, 32)]
    assert len(list((bench.folder / "results").iterdir())) == 5


def test_groups_depend_on_the_order_of_the_files_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_PIXELS", 3 * decoding.SMALLEST_WEIGHT)
    for _ in range(8):
        bench.add(8, 8)

    assert _by_kind(bench.run()) == {"Enhanced": [str(number) for number in range(8)]}
    assert [batch[0] for batch in bench.predictor.batches[::2]] == [3, 3, 2]


def test_an_outcome_tells_what_was_done(bench: Bench) -> None:
    job = bench.add(30, 40, rate=7)

    (outcome,) = bench.run()

    assert isinstance(outcome, Enhanced)
    assert (outcome.job, outcome.codec_id, outcome.rate_factor) == (job, "toy", 7)
    assert (outcome.height, outcome.width, outcome.evaluations) == (30, 40, 2)
    assert 0 < outcome.seconds < PATIENCE


def test_progress_rises_with_every_evaluation_to_the_number_of_pictures(bench: Bench) -> None:
    for height in (8, 16, 8):
        bench.add(height, 8)
    seen: list[float] = []

    list(bench.run(progress=seen.append))

    assert seen == [1.0, 2.0, 2.5, 3.0]


def test_decoding_goes_on_while_the_network_is_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_PIXELS", decoding.SMALLEST_WEIGHT)  # each picture goes alone, and at once
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

    assert _by_kind(bench.run()) == {"Enhanced": ["0", "1", "2"]}
    assert waited[0]


def test_the_network_goes_on_while_results_are_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_PIXELS", decoding.SMALLEST_WEIGHT)
    second_enhanced, waited = Event(), []
    for height in (8, 16):
        bench.add(height, 8)
    bench.predictor.before = lambda base: second_enhanced.set() if base.shape[2] == 16 else None

    def write_slowly(*arguments: object, **keywords: object) -> None:
        waited.append(second_enhanced.wait(PATIENCE))
        write_image(*arguments, **keywords)  # type: ignore[arg-type] # as given

    monkeypatch.setattr(writing, "write_image", write_slowly)

    assert _by_kind(bench.run()) == {"Enhanced": ["0", "1"]}
    assert waited == [True, True]


def test_pixels_in_memory_are_bounded_however_many_files_there_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = 64 * 64
    monkeypatch.setattr(decoding, "QUEUED_PIXELS", 3 * weight)
    monkeypatch.setattr(runner, "BATCH_PIXELS", 4 * weight)
    monkeypatch.setattr(runner, "GROUPED_PIXELS", 2 * weight)
    monkeypatch.setattr(writing, "WRITTEN_PIXELS", 2 * weight)
    for number in range(60):
        bench.add(64, 64 if number % 7 else 56)
    alive: list[int] = []
    bench.predictor.before = lambda _: alive.append(len(bench.codec.decoded))

    assert len(_by_kind(bench.run())["Enhanced"]) == 60
    # Queue and one more, one being decoded, groups and one more, the group at work: results hold no base any more.
    assert max(alive) <= (3 + 1) + 1 + (2 + 1) + 4
    gc.collect()
    assert len(bench.codec.decoded) == 0


def test_a_bad_file_fails_alone(bench: Bench) -> None:
    for height, width in ((8, 8), (0, 8), (8, 0), (8, 8)):
        bench.add(height, width)

    outcomes = {outcome.job.source.stem: outcome for outcome in bench.run()}

    assert [type(outcomes[stem]) for stem in "0123"] == [Enhanced, Failed, Failed, Enhanced]
    messages = [str(each.error) for each in outcomes.values() if isinstance(each, Failed)]
    assert "1.toy': a toy of no height" in messages[0]
    assert "2.toy': the codec tried to end the program: exit code 3" in messages[1]


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

    assert _by_kind(bench.run()) == {"Enhanced": ["0", "2"], "Failed": ["1"]}


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

    assert _by_kind(bench.run()) == {"Enhanced": ["0"], "Skipped": ["1"]}
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

    assert _by_kind(bench.run()) == {"Enhanced": ["0"]}
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
    monkeypatch.setattr(runner, "BATCH_PIXELS", decoding.SMALLEST_WEIGHT)
    for _ in range(40):
        bench.add(8, 8)

    outcomes = bench.run()
    next(outcomes)
    outcomes.close()

    results = list((bench.folder / "results").iterdir())
    assert 1 <= len(results) < 40
    assert all(result.read_bytes().endswith(b"IEND\xaeB`\x82") for result in results)


def test_ctrl_c_stops_within_one_evaluation_and_leaves_nothing(bench: Bench) -> None:
    for _ in range(3):
        bench.add(200, 200)
    bench.predictor.before = lambda _: signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        list(bench.run())
    assert len(bench.predictor.batches) == 1
    assert not (bench.folder / "results").exists()


def test_too_little_memory_for_a_picture_is_its_own_trouble(bench: Bench) -> None:
    def run_out(base: Tensor) -> None:
        if base.shape[2] > 100:
            raise MemoryError

    bench.add(200, 200)
    bench.add(8, 8)
    bench.predictor.before = run_out

    assert _by_kind(bench.run()) == {"Enhanced": ["1"], "Failed": ["0"]}
