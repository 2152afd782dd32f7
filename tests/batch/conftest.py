"""A folder of toy pictures, a codec and a network for them, and a run over it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pluggy
import pytest
import torch
from torch import Tensor
from typing_extensions import Self

import random_weights
from dirac_enhance import (
    BaseReconstruction,
    CodecHost,
    CodecOption,
    Enhancer,
    InvalidBitstreamError,
    OptionValue,
    RegisteredCodec,
)
from dirac_enhance.batch.plan import Job, Plan
from dirac_enhance.batch.recipe import Outcome, Recipe
from dirac_enhance.batch.runner import run_batch
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.image import AS_NEW_FILE, OutputSettings

METADATA = replace(random_weights.METADATA, codec_id="toy", network={})


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
    """Predicts no residual, or what it is told to."""

    before: Callable[[Tensor], None] = lambda _: None
    residual_of: Callable[[Tensor], Tensor] = torch.zeros_like
    batches: list[tuple[int, ...]] = field(default_factory=list)

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        self.batches.append(tuple(base_reconstruction.shape))
        self.before(base_reconstruction)
        return self.residual_of(base_reconstruction)


@dataclass
class Bench:
    """A folder of toys and what is needed to run over them."""

    folder: Path
    codec: ToyCodec = field(default_factory=ToyCodec)
    predictor: ToyPredictor = field(default_factory=ToyPredictor)
    jobs: list[Job] = field(default_factory=list)
    output: OutputSettings = AS_NEW_FILE
    device: str = "cpu"

    def add(self, height: int, width: int, *, rate: int = 10, target: str = "results/{}.png") -> Job:
        number = len(self.jobs)
        source = self.folder / f"{number}.toy"
        source.write_bytes(bytes((height, width, rate)))
        self.jobs.append(Job(source, self.folder / target.format(number)))
        return self.jobs[-1]

    def run(self, *, alone: bool = False, progress: Callable[[float], None] = lambda _: None) -> Generator[Outcome]:
        registered = RegisteredCodec(self.codec, None, "dist-toy", "1.5")
        host = CodecHost({"toy": registered}, {}, _manager=pluggy.PluginManager("dirac_enhance"), _entry_points={})
        device, full = torch.device(self.device), torch.float32
        enhancer = Enhancer(self.predictor, linear_schedule(), METADATA, "0" * 64, 8, device, full)
        recipe = Recipe(host, lambda _: enhancer, output=self.output)
        return run_batch(Plan(tuple(self.jobs), alone=alone, creates_folder=not alone), recipe, progress=progress)

    def run_to_end(self) -> dict[str, list[str]]:
        """Run, and return the numbers of the files by what became of them."""
        kinds: dict[str, list[str]] = {}
        for outcome in self.run():
            kinds.setdefault(type(outcome).__name__, []).append(outcome.job.source.stem)
        return {kind: sorted(stems, key=int) for kind, stems in kinds.items()}


UseLanes = Callable[[int], None]
"""Has the runs of a test go on so many lanes."""


@pytest.fixture
def lanes_of(monkeypatch: pytest.MonkeyPatch) -> UseLanes:
    def use(lanes: int) -> None:
        monkeypatch.setattr(torch, "get_num_threads", lambda: lanes)
        monkeypatch.setattr(torch, "set_num_threads", lambda _: None)

    return use


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("decode", "lane", "write"))]
    assert left == []
    assert not list(tmp_path.rglob("*.part"))
