"""What a record says of its run besides results: command line, machine and versions, without anyone's home in them."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = ("dirac-enhance", "torch", "pillow", "numpy")
_OF_METRICS_AND_PEERS = ("torchvision", "lpips", "pytorch-msssim", "torch-fidelity", "spandrel")
_PART_BYTES = 2**20


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


def machine() -> dict[str, Any]:
    """Return the system, how many cores it has, and the version of Python."""
    system = f"{platform.system()} {platform.machine()}"
    return {"system": system, "cores": os.cpu_count(), "python": platform.python_version()}


def versions() -> dict[str, str]:
    """Return library → version; of those that only some metrics and peers need, the installed ones."""
    found = {name: _version(name) for name in (*_LIBRARIES, *_OF_METRICS_AND_PEERS)}
    return {name: each or "not installed" for name, each in found.items() if each or name in _LIBRARIES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # this one, run from a checkout
        return None


def file_sha256(path: Path) -> str:
    """Return the digest of a file of any size, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            digest.update(part)
    return digest.hexdigest()


def now() -> str:
    """Return date and time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def rounded(value: Any) -> Any:
    """Round numbers to six digits, wherever they are: more than any measurement here repeats."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
