"""Benchmark scripts run in this process: what they print, what they record, and what is made of the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

import presentations

if TYPE_CHECKING:
    from pathlib import Path

    import click


def run_script(main: click.Command, folder: Path, *arguments: object) -> tuple[str, dict[str, Any]]:
    """Run a script that leaves `record.json` in a folder, and return the printed text and the record."""
    file = folder / "record.json"
    command = [*map(str, arguments), "--json", str(file)]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(file.read_text())
    return result.output, record


def present(folder: Path, part: str) -> tuple[str, list[str]]:
    """What `presentations.py` makes of the folder's record: a page, and the names of its pictures."""
    page = folder / "page.md"
    page.write_text(f"before\n<!-- {part} -->\n<!-- end of {part} -->\nafter\n")
    arguments = [str(folder / "record.json"), "--into", str(page), "--folder", str(folder / "drawn")]
    result = CliRunner().invoke(presentations.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return page.read_text(), [path.name for path in (folder / "drawn").glob("*.png")]
