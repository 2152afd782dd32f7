"""Text between markers in README and cards, which scripts write and nobody edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_NAMES = {"jpeg": "JPEG", "vtm": "VTM", "swint-charm": "SwinT-ChARM"}
_RATE_NAMES = {"jpeg": "quality", "vtm": "QP", "swint-charm": "λ"}


def put_into(pages: Iterable[Path], text: str, *, part: str) -> None:
    """Replace what is between `<!-- part -->` and `<!-- end of part -->`.

    Raises:
        click.ClickException: if a page lacks these lines; then no page is changed.
    """
    replaced = {page: _replace(page, text, part) for page in pages}
    for page, whole in replaced.items():
        page.write_text(whole, encoding="utf-8")


def _replace(page: Path, text: str, part: str) -> str:
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise click.ClickException(f"{page} has no lines {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a table."""
    rows = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows])


def codec_name(codec_id: str) -> str:
    """Return a codec's name as people write it."""
    return _NAMES.get(codec_id, codec_id)


def rate_name(codec_id: str) -> str:
    """Return what users of the codec call its rate factor."""
    return _RATE_NAMES.get(codec_id, "rate factor")


def weights_text(record: Mapping[str, Any]) -> str:
    """Say which weights a record of `restoration.py` is of, and how they ran."""
    weights = record["weights"]
    return (
        f"weights `{weights['sha256'][:12]}`, {weights['precision']}, {weights['device']}" if weights else "no weights"
    )
