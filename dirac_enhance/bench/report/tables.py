"""Tables of one group: a metric for each rate and method, and what each method costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dirac_enhance.bench.published_markdown import MARKS
from dirac_enhance.bench.report.groups import Group, Series
from dirac_enhance.bench.report.markup import Markup, element, join
from dirac_enhance.bench.report.metric_names import MetricName, describe_metric

_TAGS = {"base": None, "steps": None, "peer": "peer", "published": "published"}
_MINUS = "−"


def metric_table(group: Group, codec: str, metric: str) -> Markup:
    """Make a table of one metric: a row for each method, a column for each rate; empty where nothing was measured."""
    rows = [series for series in group.of_codec(codec) if any(metric in cell.metrics for cell in series.cells.values())]
    if not rows:
        return Markup()
    rates = _rates(rows, metric)
    name = describe_metric(metric)
    best = [_best(rows, rate, metric, name) for rate in rates]
    base = group.base(codec)
    body = []
    for series in rows:
        cells = [
            _cell(group, series, rate, metric, name=name, base=base, best=value)
            for rate, value in zip(rates, best, strict=True)
        ]
        body.append(element("tr", _row_heading(series), *cells, class_=f"row-{series.method}"))
    direction = {"higher": "higher is better", "lower": "lower is better", None: ""}[name.better]
    return _scrolling(
        element(
            "table",
            element("caption", element("b", name.heading), " ", element("span", direction, class_="quiet")),
            element("thead", *_rate_headings(rates, base)),
            element("tbody", *body),
        ),
        label=f"{name.heading} of {codec} on {group.set_name}",
    )


def cost_table(group: Group, codec: str) -> Markup:
    """Make a table of evaluations, time and memory, averaged over the rates; empty where nothing was measured."""
    rows = []
    for series in group.of_codec(codec):
        cells = series.cells.values()
        seconds = _mean([cell.seconds_per_megapixel for cell in cells])
        memory = max((cell.peak_memory_mib for cell in cells if cell.peak_memory_mib is not None), default=None)
        if seconds is None and memory is None:
            continue
        evaluations = sorted({cell.evaluations for cell in cells if cell.evaluations is not None})
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
        label=f"cost of {codec} on {group.set_name}",
    )


def unverified_note(group: Group) -> Markup:
    """Explain the marks of published figures that are not verified; empty where there are none."""
    found = {
        group.evidence(cell, metric)
        for series in group.series
        if series.method == "published"
        for cell in series.cells.values()
        for metric in cell.metrics
    }
    texts = {"plotted": "≈ read off a plot", "remembered": "† remembered, not verified: check before quoting"}
    notes = [text for evidence, text in texts.items() if evidence in found]
    return element("p", "; ".join(notes), class_="quiet") if notes else Markup()


def format_value(value: float, digits: int) -> str:
    """Print a number with a real minus, and infinity as its sign."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return f"{value:.{digits}f}".replace("-", _MINUS)


def _rates(rows: Sequence[Series], metric: str) -> list[float | None]:
    rates = {rate for series in rows for rate, cell in series.cells.items() if metric in cell.metrics}
    return sorted(rates, key=lambda rate: (rate is not None, rate or 0.0))


def _best(rows: Sequence[Series], rate: float | None, metric: str, name: MetricName) -> float | None:
    values = [series.cells[rate].metrics[metric] for series in rows if metric in _metrics(series, rate)]
    if name.better is None or len(values) < 2:
        return None
    return max(values) if name.better == "higher" else min(values)


def _metrics(series: Series, rate: float | None) -> dict[str, float]:
    return dict(series.cells[rate].metrics) if rate in series.cells else {}


def _rate_headings(rates: Sequence[float | None], base: Series | None) -> tuple[Markup, ...]:
    first = element(
        "tr",
        element("th", "rate factor", scope="row"),
        *(element("th", "–" if rate is None else f"{rate:g}", scope="col") for rate in rates),
    )
    bpp = [base.cells[rate].bpp if base is not None and rate in base.cells else None for rate in rates]
    if all(value is None for value in bpp):
        return (first,)
    cells = [element("td", "" if value is None else f"{value:.3f}") for value in bpp]
    return (first, element("tr", element("th", "bits per pixel", scope="row"), *cells, class_="quiet"))


def _row_heading(series: Series) -> Markup:
    tag = _TAGS[series.method]
    return element("th", series.label, *([" ", element("span", tag, class_=f"tag {tag}")] if tag else []), scope="row")


def _cell(
    group: Group,
    series: Series,
    rate: float | None,
    metric: str,
    *,
    name: MetricName,
    base: Series | None,
    best: float | None,
) -> Markup:
    value = _metrics(series, rate).get(metric)
    if value is None:
        return element("td", "–", class_="none")
    mark = ""
    if series.method == "published":
        mark = MARKS[group.evidence(series.cells[rate], metric)]
    text = f"{format_value(value, name.digits)}{mark}"
    shown = element("strong", text) if value == best else join(text)
    start = None if base is None or series.method == "base" else _metrics(base, rate).get(metric)
    return element("td", shown, _gain(value, start, name), class_="best" if value == best else None)


def _gain(value: float, start: float | None, name: MetricName) -> Markup:
    """How far a value is from the base's, coloured by whether that is better; empty where it cannot be said."""
    if start is None or not (math.isfinite(value) and math.isfinite(start)):
        return Markup()
    gain = value - start
    text = format_value(gain, name.digits)
    if not float(f"{gain:.{name.digits}f}"):
        return element("small", "±0")
    kind = None if name.better is None else "better" if (gain > 0) == (name.better == "higher") else "worse"
    return element("small", text if gain < 0 else f"+{text}", class_=kind)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _scrolling(table: Markup, *, label: str) -> Markup:
    """Let a wide table scroll by itself, by keyboard too."""
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)
