"""A report read back from its HTML."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """A page read back: its elements with their attributes, its tables' rows, its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.captions: list[str] = []
        self.rows: list[tuple[str, list[str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("img", "input", "meta"):
            self.open.append(tag)
        if tag == "caption":
            self.captions.append("")
        if tag == "tr":
            self.rows.append((self.captions[-1], []))
        if tag in ("th", "td"):
            self.rows[-1][1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and "caption" in self.open:
            self.captions[-1] += data
        if "th" in self.open or "td" in self.open:
            self.rows[-1][1][-1] += f"{' ' * (self.open[-1] == 'small')}{data}"

    def table(self, caption: str) -> list[list[str]]:
        """The rows of the tables with a caption that begins so."""
        return [row for of, row in self.rows if of.startswith(caption)]
