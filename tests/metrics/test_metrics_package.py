"""`dirac_enhance.metrics` on its own: what it exports, and how little it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dirac_enhance import metrics

README = Path(__file__).parents[2] / "README.md"


def loaded_after(code: str, *candidates: str) -> str:
    """Which of the candidates a fresh interpreter has loaded after running code."""
    report = f"; import sys; print(*sorted(name for name in {candidates!r} if name in sys.modules))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + report],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_every_name_can_be_imported_and_no_other() -> None:
    for name in metrics.__all__:
        assert getattr(metrics, name) is not None
    assert sorted(metrics.__all__) == dir(metrics)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = metrics.nothing  # type: ignore[attr-defined] # that is the point


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_name_is_explained(name: str) -> None:
    assert f"`{name}`" in README.read_text(encoding="utf-8")


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import dirac_enhance.metrics", "torch", "numpy") == ""


def test_nothing_but_torch_is_loaded_before_a_metric_needs_it() -> None:
    code = f"from dirac_enhance.metrics import {', '.join(metrics.__all__)}"
    heavy = ("torch", "torchvision", "torchmetrics", "torch_fidelity", "lpips", "pytorch_msssim", "scipy", "PIL")
    assert loaded_after(code, *heavy) == "torch"
