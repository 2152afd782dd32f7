"""Scenes whose versions are plain colours, and pages made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench_results import write_results
from dirac_enhance import Window
from dirac_enhance.bench.report.page import render_page
from dirac_enhance.bench.report.scenes import Kind, Scene, Version, _encode
from dirac_enhance.bench.results import read_results
from dirac_enhance.bench.results_table import tables_of

COLOURS: dict[str, tuple[Kind, tuple[int, int, int]]] = {
    "original": ("original", (255, 255, 255)),
    "jpeg 10": ("base", (0, 0, 255)),
    "steps 1": ("steps", (0, 200, 0)),
    "steps 100": ("steps", (255, 128, 0)),
    "jpeg2png": ("peer", (200, 0, 200)),
}


@pytest.fixture
def scene() -> Scene:
    """Five plain versions of a 64×48 crop."""
    versions = [
        Version(kind, label, "30.00 dB", _encode(_plain(colour), ".webp")) for label, (kind, colour) in COLOURS.items()
    ]
    return Scene(
        "01.png", 128, 96, Window(8, 16, 48, 64), "jpeg", 10, tuple(versions), _encode(_plain((9, 9, 9)), ".jpg")
    )


def _plain(colour: tuple[int, int, int]) -> torch.Tensor:
    return torch.tensor(colour).div(255)[:, None, None].expand(3, 48, 64).contiguous()


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., str]:
    """Render a page of one results file, whose content is that of `write_results`."""

    def rendered(*scenes: Scene, title: str = "A report", **contents: Any) -> str:
        file = read_results(write_results(tmp_path / "results.json", **contents))
        return render_page({"results.json": file}, tables_of([file]), scenes=scenes, title=title)

    return rendered
