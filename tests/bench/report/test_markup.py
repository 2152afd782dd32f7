"""Elements: everything that is not markup is escaped."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from dirac_enhance.bench.report.markup import Markup, element, join


class _Reader(HTMLParser):
    """Reads back elements, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")))
def test_any_text_comes_back_as_text_and_nothing_else(text: str) -> None:
    reader = _Reader()
    reader.feed(element("p", text, title=text, data_label=text) + "<!-- end -->")

    assert [(tag, dict(attributes)) for tag, attributes in reader.opened] == [
        ("p", {"title": text, "data-label": text})
    ]
    assert reader.text == text


def test_markup_stays_as_it_is() -> None:
    assert element("p", element("b", "a<b"), Markup("&nbsp;"), 3) == "<p><b>a&lt;b</b>&nbsp;3</p>"
    assert join("&", Markup("&amp;")) == "&amp;&amp;"


def test_attributes() -> None:
    assert element("input", type="radio", class_="x", aria_label="1 < 2", checked=True, disabled=False, name=None) == (
        '<input type="radio" class="x" aria-label="1 &lt; 2" checked>'
    )


def test_text_that_no_file_can_hold_is_replaced() -> None:
    assert element("p", "name\udcff", title="\udcff").encode() == b'<p title="?">name?</p>'
