"""Checkpoints: everything a training run needs to go on, in one file that is replaced atomically."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.diffusion.schedule_catalogue import DEFAULT_SCHEDULE
from dirac_enhance.errors import TrainingError

FORMAT_VERSION = 1
FILE_NAME = "checkpoint.pt"
BEST_NAME = "best.pt"
"""The checkpoint that validated best, where it was asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """State of a run after `iteration` iterations and `seconds` of training, over all its resumptions.

    Args:
        codec_id: whose pairs it is trained on.
        network: `UNetConfig.to_dict()`.
        weights: the trained weights.
        averaged: their exponential moving average, which is what is exported.
        optimizer: the optimizer's state.
        recipe: data and settings, for the model card.
        history: one row a validation.
        residual_counts: `ResidualSizes.counts` of the pairs; None where they were not measured.
    """

    codec_id: str
    network: dict[str, Any]
    weights: dict[str, Tensor]
    averaged: dict[str, Tensor]
    optimizer: dict[str, Any]
    iteration: int
    seconds: float
    recipe: dict[str, Any]
    history: list[dict[str, Any]]
    residual_counts: dict[float, tuple[int, ...]] | None = None

    @property
    def schedule(self) -> str:
        """Name of the noise schedule it is trained for; early checkpoints do not tell."""
        return str(self.recipe["settings"].get("schedule", DEFAULT_SCHEDULE))


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, name: str = FILE_NAME) -> Path:
    """Write `folder/name`; a crash at any moment leaves the old one or the new one, an interruption nothing else.

    Raises:
        TrainingError: if it cannot be written, as on a full disk; the old one stays.
    """
    path = folder / name
    partial = path.with_suffix(".partial")
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    try:
        with partial.open("wb") as file:
            torch.save({"format_version": FORMAT_VERSION, **fields}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as cause:  # torch's archive writer turns some of the former into the latter
        if isinstance(cause.__context__, KeyboardInterrupt):  # that writer complains of what it could not finish, too
            raise cause.__context__ from None
        raise TrainingError(
            f"cannot write the checkpoint '{path}': {_reason(cause)}; make room and go on with --resume"
        ) from cause
    finally:
        _remove(partial)
    return path


def _reason(cause: OSError | RuntimeError) -> str:
    """Say what the operating system said, which a second error of torch's writer may hide."""
    for error in (cause, cause.__context__):
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
    return str(cause).partition("\n")[0]


def _remove(partial: Path) -> None:
    with suppress(OSError):
        partial.unlink(missing_ok=True)


def check_no_checkpoint(folder: Path) -> None:
    """Check that a training may begin in a folder.

    Raises:
        TrainingError: if it holds one already.
    """
    if (folder / FILE_NAME).exists():
        raise TrainingError(f"{folder} holds a training already; pass --resume or another -o FOLDER")


def find_checkpoint(path: Path) -> Path:
    """Return what to export of a training's folder, its best checkpoint if it kept one, else the last; or a file."""
    return path / BEST_NAME if (path / BEST_NAME).is_file() else path


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, given it or its folder, onto the CPU; no code in it is run.

    Raises:
        TrainingError: if there is none, or it is damaged or of another format.
    """
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise TrainingError(f"no checkpoint at {path}; name another folder, or leave out --resume to start a training")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        version = stored.pop("format_version")
        if version != FORMAT_VERSION:
            raise TrainingError(f"{path} has checkpoint format {version}; this version reads {FORMAT_VERSION}")
        return Checkpoint(**stored)
    except TrainingError:
        raise
    except Exception as cause:
        raise TrainingError(
            f"{path} is not a whole checkpoint ({type(cause).__name__}); start a new training"
        ) from cause
