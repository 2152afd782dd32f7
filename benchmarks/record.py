"""The JSON record of a benchmark run: what was run, on which machine, and what came out."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirac_enhance.bench.environment import cpu_model, portable_arguments, rounded, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA_VERSION = 1
RESULTS = Path(__file__).parent / "results"


def write_record(path: Path, *, benchmark: str, contents: Mapping[str, Any]) -> None:
    """Write one run as JSON, whole or not at all, a line for each of its `rows`; an older record is replaced."""
    record = {"schema_version": SCHEMA_VERSION, "benchmark": benchmark, **run_header(), **contents}
    rows = ",\n".join(json.dumps(rounded(row), allow_nan=False, ensure_ascii=False) for row in record.pop("rows"))
    header = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False).removesuffix("\n}")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(f'{header},\n "rows": [\n{rows}\n]}}\n', encoding="utf-8")
    unfinished.replace(path)


def publish_record(
    path: Path, *, benchmark: str, contents: Mapping[str, Any], text: Callable[[Mapping[str, Any]], str]
) -> None:
    """Write one run as `write_record` does, and print what `text` says of the record, and where it is."""
    write_record(path, benchmark=benchmark, contents=contents)
    click.echo(text({**run_header(), **contents}))
    click.echo(f"written to {path}")


def run_header() -> dict[str, Any]:
    """Command line, date and machine of this process."""
    return {
        "command": ["python", *portable_arguments(sys.argv)],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "libraries": versions(),
        },
    }
