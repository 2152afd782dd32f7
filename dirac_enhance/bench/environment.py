"""What a record says of its run besides results: command line, machine and versions, without anyone's home in them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = ("dirac-enhance", "torch", "pillow", "numpy")


def portable_arguments(arguments: Sequence[str]) -> list[str]:
    """Return a command line with absolute paths as seen from the working folder: records name no one's home."""
    return [os.path.relpath(argument) if Path(argument).is_absolute() else argument for argument in arguments]


def cpu_model() -> str:
    """Return the processor's name, "unknown" where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def versions(libraries: Iterable[str] = _LIBRARIES) -> dict[str, str]:
    """Return the versions of installed distributions, by name."""
    found = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            found[name] = "not installed"
    return found


def rounded(value: Any) -> Any:
    """Round numbers to six digits, wherever they are: more than any measurement here repeats."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
