"""Model cards: sections that an export writes, above a part that people write and every export keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dirac_enhance.atomic import write_atomically

HAND_WRITTEN = "<!-- below this line the card is written by hand, and kept by the next export -->"


def write_card(path: Path, sections: Sequence[str]) -> None:
    """Write Markdown sections, and below them what was written by hand in the card that is there already."""
    kept = path.read_text(encoding="utf-8").partition(HAND_WRITTEN)[2] if path.exists() else "\n"
    write_atomically(path, ("\n\n".join([*sections, HAND_WRITTEN]) + kept).encode(), overwrite=True)


def settings_section(title: str, values: Mapping[str, Any]) -> str:
    """Return a section with a line for each setting."""
    rows = [f"| `{key}` | {_rounded(value)} |" for key, value in values.items()]
    return "\n".join([f"## {title}", "", "| setting | value |", "|---|---|", *rows])


def rows_section(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a section with a table; its columns are the first row's."""
    if not rows:
        return f"## {title}\n\nNone."
    head = list(rows[0])
    lines = [" | ".join(_figure(row.get(key, "")) for key in head) for row in rows]
    return "\n".join(
        [f"## {title}", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {x} |" for x in lines)]
    )


def _rounded(value: Any) -> str:
    """Print a setting, its numbers to four digits, however deep they lie."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(_rounded(each) for each in value)})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
