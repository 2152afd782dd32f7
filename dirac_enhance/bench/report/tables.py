"""Tables of one group: a metric for each rate and method, and what each method costs."""

from __future__ import annotations

from collections.abc import Sequence

from dirac_enhance.bench.cells import Cell
from dirac_enhance.bench.measures import Measure
from dirac_enhance.bench.report.markup import Markup, element, join
from dirac_enhance.bench.results_table import ResultsTable, format_figure
from dirac_enhance.bench.series import Series

_TAGS = {"base": None, "steps": None, "peer": "peer", "published": "published"}
_MINUS = "−"


def metric_table(table: ResultsTable, codec: str, measure: Measure) -> Markup:
    """Make a table of one metric: a row for each method, a column for each rate; empty where nothing was measured."""
    rows = [each for each in table.of_codec(codec) if any(measure.id in cell.metrics for cell in each.cells.values())]
    if not rows:
        return Markup()
    rates = sorted({rate for each in rows for rate, cell in each.cells.items() if measure.id in cell.metrics})
    base = table.base(codec)
    best = [_best(rows, rate, measure) for rate in rates]
    body = []
    for each in rows:
        cells = [
            _cell(each.cells.get(rate), measure, base=None if base is None else base.cells.get(rate), best=value)
            for rate, value in zip(rates, best, strict=True)
        ]
        body.append(element("tr", _row_heading(each), *cells, class_=f"row-{each.key.method}"))
    direction = "higher is better" if measure.higher_is_better else "lower is better"
    return _scrolling(
        element(
            "table",
            element("caption", element("b", measure.heading), " ", element("span", direction, class_="quiet")),
            element("thead", *_rate_headings(rates, rows, base)),
            element("tbody", *body),
        ),
        label=f"{measure.heading} of {codec} on {table.set_name}",
    )


def cost_table(table: ResultsTable, codec: str) -> Markup:
    """Make a table of evaluations, time and memory, averaged over the rates; empty where nothing was measured."""
    rows = []
    for series in table.of_codec(codec):
        cells = series.cells.values()
        seconds = _mean([cell.seconds_per_megapixel for cell in cells])
        memory = max((cell.peak_memory_mib for cell in cells if cell.peak_memory_mib is not None), default=None)
        if seconds is None and memory is None:
            continue
        evaluations = sorted({cell.key.evaluations for cell in cells if cell.key.evaluations is not None})
        values = (
            ("–" if not evaluations else str(evaluations[0]) + (f"…{evaluations[-1]}" if len(evaluations) > 1 else "")),
            ("–" if seconds is None else f"{seconds:.3g}"),
            ("–" if memory is None else f"{memory:,.0f}"),
        )
        rows.append(element("tr", _row_heading(series), *(element("td", value) for value in values)))
    if not rows:
        return Markup()
    headings = ("network evaluations", "seconds per megapixel", "peak memory, MiB")
    return _scrolling(
        element(
            "table",
            element("caption", element("b", "Cost"), " ", element("span", "mean over the rates", class_="quiet")),
            element("thead", element("tr", element("th"), *(element("th", text, scope="col") for text in headings))),
            element("tbody", *rows),
        ),
        label=f"cost of {codec} on {table.set_name}",
    )


def published_note(table: ResultsTable) -> Markup:
    """Say where published figures are from, which are missing, and what marks mean; empty where there is nothing."""
    notes = table.about_published()
    if not notes:
        return Markup()
    return element("p", ". ".join(notes), ".", class_="quiet")


def format_value(value: float, digits: int) -> str:
    """Print a number with a real minus."""
    return f"{value:.{digits}f}".replace("-", _MINUS)


def _best(rows: Sequence[Series], rate: float, measure: Measure) -> float | None:
    """The best figure at a rate, if there are several; an infinite one is not compared."""
    means = [mean for each in rows if rate in each.cells and (mean := each.cells[rate].mean(measure.id)) is not None]
    if len(means) < 2:
        return None
    return max(means) if measure.higher_is_better else min(means)


def _rate_headings(rates: Sequence[float], rows: Sequence[Series], base: Series | None) -> tuple[Markup, ...]:
    """Rate factors and the bits per pixel of the codec's files; of figures given by bits per pixel only these."""
    by_bits = all(cell.key.rate is None for each in rows for cell in each.cells.values())
    first = element(
        "tr",
        element("th", "bits per pixel" if by_bits else "rate factor", scope="row"),
        *(element("th", f"{rate:g}", scope="col") for rate in rates),
    )
    bpp = [base.cells[rate].bpp.mean if base is not None and rate in base.cells else None for rate in rates]
    if all(value is None for value in bpp):
        return (first,)
    cells = [element("td", "" if value is None else f"{value:.3f}") for value in bpp]
    return (first, element("tr", element("th", "bits per pixel", scope="row"), *cells, class_="quiet"))


def _row_heading(series: Series) -> Markup:
    tag = _TAGS[series.key.method]
    return element("th", series.label, *([" ", element("span", tag, class_=f"tag {tag}")] if tag else []), scope="row")


def _cell(cell: Cell | None, measure: Measure, *, base: Cell | None, best: float | None) -> Markup:
    text = "" if cell is None else format_figure(cell, measure)
    if cell is None or not text:
        return element("td", "–", class_="none")
    is_best = best is not None and cell.mean(measure.id) == best
    shown = element("strong", text) if is_best else join(text)
    gain = Markup() if base is None or base is cell else _gain(cell, base, measure)
    return element("td", shown, gain, class_="best" if is_best else None)


def _gain(cell: Cell, base: Cell, measure: Measure) -> Markup:
    """How far a value is from the base's, coloured by whether that is better; empty where it cannot be said."""
    value, start = cell.mean(measure.id), base.mean(measure.id)
    if value is None or start is None:
        return Markup()
    text = format_value(value - start, measure.digits)
    if not float(text.replace(_MINUS, "-")):
        return element("small", "±0")
    better = (value > start) == measure.higher_is_better
    return element("small", text if value < start else f"+{text}", class_="better" if better else "worse")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _scrolling(table: Markup, *, label: str) -> Markup:
    """Let a wide table scroll by itself, by keyboard too."""
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)
