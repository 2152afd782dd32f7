"""Checkpoints: everything a training run needs to go on, in one file that is replaced atomically."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dirac_enhance.errors import TrainingError

FORMAT_VERSION = 1
FILE_NAME = "checkpoint.pt"


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


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write `folder/checkpoint.pt`; a crash at any moment leaves the old one or the new one."""
    path = folder / FILE_NAME
    partial = path.with_suffix(".partial")
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    with partial.open("wb") as file:
        torch.save({"format_version": FORMAT_VERSION, **fields}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return path


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
