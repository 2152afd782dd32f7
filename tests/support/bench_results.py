"""Results files of the benchmark, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WEIGHTS = "77d2bcde0123" + "0" * 52
PIXELS = "f4da0d6b7b1b" + "0" * 52
NOT_CODED: dict[str, Any] = {"mean": None, "values": []}
"""Bits per pixel of a figure published at a quality."""


def make_cell(method: str, rate: float | None, metrics: dict[str, float], /, **others: Any) -> dict[str, Any]:
    """A cell of the schema; `others` replaces what is usual."""
    ours = method == "steps"
    usual = {
        "codec": "jpeg",
        "rate": rate,
        "method": method,
        "peer": None,
        "weights_sha256": WEIGHTS if ours else None,
        "steps": 100 if ours else None,
        "samples": 1,
        "seed": 0,
        "evaluations": 3 if ours else None,
        "spacing": "log-snr" if ours else None,
        "protocol": "jpeg-colour",
        "bpp": {"mean": 0.03 * (rate or 10), "values": [0.03 * (rate or 10)] * 2},
        "metrics": {name: {"mean": mean, "values": [mean, mean]} for name, mean in metrics.items()},
        "seconds_per_megapixel": 1.5 if ours else None,
        "peak_memory_mib": None,
    }
    return {**usual, **others}


def usual_cells() -> list[dict[str, Any]]:
    """JPEG, two steps, a peer and a published figure at two rates."""
    cells = []
    for rate, decibels in ((10, 26.5), (20, 29.0)):
        cells += [
            make_cell("base", rate, {"psnr": decibels, "lpips": 0.32}),
            make_cell("steps", rate, {"psnr": decibels + 1, "lpips": 0.28}, steps=1, evaluations=1),
            make_cell("steps", rate, {"psnr": decibels + 0.5, "lpips": 0.2}),
            make_cell("peer", rate, {"psnr": decibels + 0.25, "lpips": 0.33}, peer="jpeg2png"),
            make_cell("published", rate, {"psnr": decibels + 0.75}, peer="Somebody", bpp=NOT_CODED),
        ]
    return cells


def write_results(path: Path, *, cells: list[dict[str, Any]] | None = None, **others: Any) -> Path:
    """A results file of version 1, which has one run; `others` replaces what usually stands at its top level."""
    usual = {
        "format": "dirac-enhance bench",
        "version": 1,
        "command": ["dirac-enhance", "bench", "my photographs", "--rates", "10,20"],
        "set": {"name": "kodak", "images": 2, "pixel_hash": PIXELS},
        "images": ["01.png", "02.png"],
        "device": {"name": "cpu", "threads": 2},
        "versions": {"dirac-enhance": "0.1.0", "torch": "2.15.0"},
        "cells": usual_cells() if cells is None else cells,
    }
    path.write_text(json.dumps({**usual, **others}), encoding="utf-8")
    return path
