"""Checkpoints that are interrupted while they are written, and trainings that are asked to end."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dirac_enhance.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from processes import PATIENCE, needs_signals, start_python, wait_until

CHECKPOINT = Checkpoint(
    codec_id="jpeg",
    network={},
    weights={"bias": torch.zeros(1000)},
    averaged={"bias": torch.ones(1000)},
    optimizer={},
    iteration=12,
    seconds=1.0,
    recipe={},
    history=[],
)


def interrupt(*_: object) -> int:
    raise KeyboardInterrupt


class InterruptedFile(io.FileIO):
    """One whose third write is interrupted; what has been written is then not what torch's writer counted."""

    writes = 0

    def write(self, content: object, /) -> int:
        self.writes += 1
        return interrupt() if self.writes == 3 else super().write(content)  # type: ignore[arg-type] # bytes-like


def interrupt_synchronising(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", interrupt)


def interrupt_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_interrupted(path: Path, mode: str) -> InterruptedFile:
        return InterruptedFile(path, mode)

    monkeypatch.setattr(Path, "open", open_interrupted)


@pytest.mark.parametrize("interrupted", [interrupt_synchronising, interrupt_writing])
def test_an_interruption_leaves_the_old_checkpoint_and_nothing_else(
    interrupted: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_checkpoint(tmp_path, CHECKPOINT)

    with monkeypatch.context() as patch:
        interrupted(patch)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, replace(CHECKPOINT, iteration=13))

    assert list(tmp_path.iterdir()) == [path]
    assert load_checkpoint(path).iteration == 12
    assert load_checkpoint(save_checkpoint(tmp_path, replace(CHECKPOINT, iteration=13))).iteration == 13


@needs_signals
def test_a_training_that_is_asked_to_end_leaves_a_whole_checkpoint_and_says_so(
    photographs: Path, tmp_path: Path
) -> None:
    network = ("--network", "tiny", "--crop-size", 32, "--batch-size", 2, "--lpips-weight", 0)
    limits = ("--interval", 1, "--workers", 0, "--iterations", 100_000, "--precision", "float32")
    run = start_python(
        *("-m", "dirac_enhance", "train", "--codec", "jpeg", "--data", photographs, "-o", tmp_path), *network, *limits
    )
    wait_until((tmp_path / "checkpoint.pt").exists, run)
    run.terminate()
    _, said = run.communicate(timeout=PATIENCE)

    assert (run.returncode, said) == (128 + signal.SIGTERM, "Ended by SIGTERM.\n")
    assert load_checkpoint(tmp_path).iteration >= 1
    assert not list(tmp_path.glob("*.partial"))
