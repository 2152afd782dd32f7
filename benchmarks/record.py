"""The JSON record of a benchmark run: what was run, on which machine, and what came out."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 1
RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("dirac-enhance", "torch", "pillow", "numpy")


def write_record(path: Path, *, benchmark: str, contents: Mapping[str, Any]) -> None:
    """Write one run as JSON, whole or not at all, a line for each of its `rows`; an older record is replaced."""
    record = {"schema_version": SCHEMA_VERSION, "benchmark": benchmark, **run_header(), **contents}
    rows = ",\n".join(json.dumps(_rounded(row), allow_nan=False, ensure_ascii=False) for row in record.pop("rows"))
    header = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False).removesuffix("\n}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(f'{header},\n "rows": [\n{rows}\n]}}\n', encoding="utf-8")
    unfinished.replace(path)


def run_header() -> dict[str, Any]:
    """Command line, date and machine of this process."""
    return {
        "command": ["python", *(_from_here(argument) for argument in sys.argv)],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in _LIBRARIES},
        },
    }


def file_sha256(path: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finite(value: float) -> float | None:
    """Return `value`, or None in place of infinity, which JSON lacks: the PSNR of equal pictures."""
    return value if abs(value) != float("inf") else None


def _rounded(value: Any) -> Any:
    """Numbers to six digits, wherever they are: more than any measurement here repeats."""
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _from_here(argument: str) -> str:
    """An absolute path as seen from the working folder: records name no one's home."""
    return os.path.relpath(argument) if Path(argument).is_absolute() else argument


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
