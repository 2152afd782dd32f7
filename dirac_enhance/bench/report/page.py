"""The page: all of a report in one HTML file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from dirac_enhance.bench.report.charts import render_charts
from dirac_enhance.bench.report.markup import Markup, element, join
from dirac_enhance.bench.report.scenes import Scene
from dirac_enhance.bench.report.sliders import render_sliders
from dirac_enhance.bench.report.tables import cost_table, metric_table, published_note
from dirac_enhance.bench.results import Results
from dirac_enhance.bench.results_table import ResultsTable


def render_page(
    files: Mapping[str, Results], tables: Sequence[ResultsTable], *, scenes: Sequence[Scene] = (), title: str
) -> str:
    """Render a report.

    Every text from files is escaped, and the page's content security policy lets no script run but its own, and
    nothing be fetched.

    Args:
        files: what was read, by the name of its file, for the page to say how it was measured.
        tables: what of it may be compared.
        scenes: pictures to compare.
        title: of the page.

    Returns:
        The page's text, to be written as UTF-8.
    """
    style, script = (Markup(_read(name)) for name in ("report.css", "report.js"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style=style, script=script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    sections = [_section(table, number=number) for number, table in enumerate(tables)]
    body = element(
        "body",
        _header(title, tables, scenes),
        element("main", render_sliders(scenes), *sections),
        _footer(files),
        element("script", script),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(*, style: str, script: str) -> str:
    """Forbid everything but this style sheet, this script and pictures inside the page."""

    def only(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return f"default-src 'none'; img-src data:; style-src {only(style)}; script-src {only(script)}"


def _header(title: str, tables: Sequence[ResultsTable], scenes: Sequence[Scene]) -> Markup:
    links = [element("a", "Pictures", href="#pictures")] if scenes else []
    links += [element("a", _name(table, tables), href=f"#table-{number}") for number, table in enumerate(tables)]
    return element(
        "header",
        element("h1", title),
        element("div", element("span", "fidelity"), element("i"), element("span", "realism"), class_="scale"),
        element("nav", *links, aria_label="Sections"),
    )


def _name(table: ResultsTable, tables: Sequence[ResultsTable]) -> str:
    """Name a table by its set, and by its protocol where that set was measured in several."""
    alike = [other for other in tables if other.set_name == table.set_name]
    return table.set_name if len(alike) == 1 else f"{table.set_name}, {table.protocol.id}"


def _section(table: ResultsTable, *, number: int) -> Markup:
    count = f"{table.images} picture{'' if table.images == 1 else 's'}"
    protocol = table.protocol
    return element(
        "section",
        element("h2", table.set_name, " ", element("span", count, class_="quiet")),
        element(
            "p",
            element("span", protocol.id, class_="tag protocol"),
            f" {protocol.coding}; {protocol.measuring}. Nothing measured otherwise stands here. Pixels ",
            element("code", table.pixel_hash[:12]),
            ".",
            class_="quiet",
        ),
        render_charts(table),
        *(_tables(table, codec) for codec in table.codecs),
        published_note(table),
        id=f"table-{number}",
    )


def _tables(table: ResultsTable, codec: str) -> Markup:
    tables = [metric_table(table, codec, measure) for measure in table.measures]
    heading = element("h3", codec)
    return join(heading, element("div", *tables, cost_table(table, codec), class_="tables"))


def _footer(files: Mapping[str, Results]) -> Markup:
    details = [
        element(
            "details",
            element("summary", name),
            *_runs(results),
            _facts({"pixels sha256": results.pixel_hash, **_weights(results)}),
            *(element("p", f"Left out: {each.what}: {each.reason}", class_="quiet") for each in results.left_out),
        )
        for name, results in files.items()
    ]
    return element("footer", element("h2", "How it was measured"), *details)


def _runs(results: Results) -> Iterator[Markup]:
    """Each run's command line and machine; of several, how many cells are its own."""
    for number, run in enumerate(results.runs):
        if len(results.runs) > 1:
            cells = sum(cell.run == number for cell in results.cells)
            yield element("p", f"Run {number + 1} of {len(results.runs)}, {cells} cells", class_="quiet")
        date = {} if run.date is None else {"date": run.date}
        networks = {f"sha256 of the network of {name}": sha256 for name, sha256 in run.networks.items()}
        yield element("pre", shlex.join(run.command))
        yield _facts({**date, **run.device, **run.machine, **run.versions, **networks})


def _weights(results: Results) -> Mapping[str, object]:
    weights = dict.fromkeys(cell.key.weights_sha256 for cell in results.cells if cell.key.weights_sha256)
    return {"weights sha256": ", ".join(weights)} if weights else {}


def _facts(facts: Mapping[str, object]) -> Markup:
    return element("dl", *(element("div", element("dt", name), element("dd", _say(facts[name]))) for name in facts))


def _say(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)
