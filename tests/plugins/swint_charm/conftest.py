"""Photographs drawn by arithmetic, and a codec that codes them without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dirac_enhance_swint_charm import SwintCharmCodec
from tiny_swint_charm import LIGHT, write_weights


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four small pictures with gradients, an edge and grain."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    y, x = np.mgrid[0:80, 0:100] / 100
    for index in range(4):
        slopes, edge = generator.uniform(-1, 1, (3, 2)), (x + y > generator.uniform(0.5, 1.3))[:, :, None]
        smooth = np.stack([0.5 + 0.4 * (a * x + b * y) for a, b in slopes], axis=2)
        levels = 255 * (
            smooth + edge * generator.uniform(-0.3, 0.3, 3) + generator.normal(scale=0.02, size=(80, 100, 1))
        )
        Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(folder / f"{'ab'[index % 2]}__{index}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a codec that codes without having been trained."""
    return write_weights(tmp_path_factory.mktemp("weights") / "swint-charm-codec.safetensors")


@pytest.fixture
def codec(tiny_weights: Path) -> SwintCharmCodec:
    """The codec with those weights, on the CPU."""
    return SwintCharmCodec(weights=str(tiny_weights), device="cpu")


@pytest.fixture(scope="session")
def light_codec(tmp_path_factory: pytest.TempPathFactory) -> SwintCharmCodec:
    """One that decodes in milliseconds."""
    weights = write_weights(tmp_path_factory.mktemp("weights") / "light.safetensors", config=LIGHT)
    return SwintCharmCodec(weights=str(weights), device="cpu")
