"""What is known of published figures and stands in no table: those not at hand, not comparable, or not measured so."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dirac_enhance.bench.protocols import find_protocol
from dirac_enhance.bench.published import comparable, load_published

if TYPE_CHECKING:
    from dirac_enhance.bench.protocols import Protocol
    from dirac_enhance.bench.results import Results


def about_missing(protocol: Protocol, *, set_name: str) -> str:
    """Name the methods whose figures on a set in a protocol are printed somewhere, but not at hand; "" for none."""
    sources: dict[str, list[str]] = {}
    for each in load_published().missing:
        if (each.protocol, each.set_id) == (protocol.id, set_name):
            sources.setdefault(each.source, []).append(each.method)
    return "; ".join(f"{', '.join(methods)} ({source})" for source, methods in sources.items())


def about_other_backbones(protocol: Protocol, *, set_name: str) -> str:
    """Name the methods whose LPIPS on a set in a protocol is not known to be of AlexNet, as ours is; "" for none."""
    tables = load_published().beside(protocol, set_id=set_name)
    return ", ".join(
        dict.fromkeys(figure.method for table in tables for figure in table.figures if not comparable(figure))
    )


def about_published(results: Results, *, shown: Collection[str]) -> tuple[str, ...]:
    """Say what was published on the set of results and stands in none of their tables, a line for each protocol.

    Args:
        results: with the published figures that stand beside them.
        shown: ids of the protocols that have a table, which says so itself.

    Returns:
        Figures that nothing here can be compared with, and figures that are not at hand; if none are known of at all,
        that nothing was published.
    """
    published, set_name = load_published(), results.set_name
    known = any(cell.key.method == "published" for cell in results.cells)
    notes = []
    for protocol in dict.fromkeys(table.protocol for table in published.tables):
        reason = find_protocol(protocol).reference_only
        tables = published.beside(find_protocol(protocol), set_id=set_name)
        if reason and tables:
            methods = ", ".join(dict.fromkeys(figure.method for table in tables for figure in table.figures))
            notes.append(f"published on '{set_name}', for reference only: {methods}; {reason}")
    for protocol in dict.fromkeys(each.protocol for each in published.missing):
        missing = about_missing(find_protocol(protocol), set_name=set_name)
        known |= bool(missing)
        if missing and protocol not in shown:
            notes.append(f"published on '{set_name}' in the protocol {protocol}, but not at hand: {missing}")
    if not notes and not known:
        protocols = " or ".join(sorted({cell.key.protocol for cell in results.cells}))
        notes.append(f"nothing was published on '{set_name}' in the protocol {protocols}")
    return tuple(notes)
