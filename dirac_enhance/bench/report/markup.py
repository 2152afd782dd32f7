"""HTML and SVG elements built so that nothing can be forgotten to be escaped."""

from __future__ import annotations

from html import escape

_VOID = {"img", "input", "meta", "br"}


class Markup(str):
    """Text that is HTML already; every other text is escaped on its way into an element."""

    __slots__ = ()


def element(tag: str, /, *children: object, **attributes: object) -> Markup:
    """Build one element.

    Args:
        tag: name of the element.
        children: `Markup` as it is, anything else as escaped text.
        attributes: by name, with "_" for "-" and an "_" behind Python's own words; True for one without a value, None
            and False leave it out.
    """
    opening = "".join([tag, *(_attribute(key, value) for key, value in attributes.items())])
    return Markup(f"<{opening}>" if tag in _VOID else f"<{opening}>{join(*children)}</{tag}>")


def join(*children: object) -> Markup:
    """Join `Markup` as it is and anything else as escaped text."""
    return Markup("".join(child if isinstance(child, Markup) else escape(_clean(str(child))) for child in children))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(_clean(str(value)))}"'


def _clean(text: str) -> str:
    """Replace what no UTF-8 file can hold: lone surrogates, as Python has them in names that are not UTF-8."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
