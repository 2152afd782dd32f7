"""Series: cells of one method over its rates, as rows of tables, curves of plots and entries of legends name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dirac_enhance.bench.cells import Cell, CellKey, Method

_ORDER: tuple[Method, ...] = ("base", "steps", "peer", "published")


@dataclass(frozen=True, slots=True)
class Series:
    """One method of one codec.

    Args:
        label: short, and unlike those of all other series of its codec.
        cells: rate factor, or bits per pixel of figures published by these, → what was measured there; never empty.
    """

    label: str
    cells: Mapping[float, Cell]

    @property
    def key(self) -> CellKey:
        """That of its first cell, equal to those of the others but for what depends on the rate."""
        return next(iter(self.cells.values())).key

    @property
    def name(self) -> str:
        """Its label with what coded the pictures, for where several codecs stand together."""
        return self.label if self.label == self.key.codec else f"{self.key.codec}, {self.label}"

    def marks(self, measure_id: str | None = None) -> str:
        """The marks of its figures that are not verified, of one measure or of all; "" where all are."""
        marks = (
            mark
            for cell in self.cells.values()
            if cell.published is not None
            for name, mark in cell.published.marks.items()
            if measure_id in (None, name)
        )
        return "".join(dict.fromkeys(marks))


def series_of(cells: Iterable[Cell]) -> tuple[Series, ...]:
    """Sort cells of one set and one protocol into series: codec after codec, base, own steps, peers, published figures.

    Steps between two evaluations of one walk give the same picture: they are one series, "steps 81–90".
    """
    by_method: dict[tuple[object, ...], dict[float, Cell]] = {}
    for cell in cells:
        identity = _identity(cell.key)
        while cell.key.streams_sha256 and _place(cell) in by_method.get(identity, {}):
            identity = (*identity, "other streams")
        by_method.setdefault(identity, {})[_place(cell)] = cell
    codecs = list(dict.fromkeys(identity[0] for identity in by_method))
    members = [dict(sorted(member.items())) for member in by_method.values()]
    members.sort(key=lambda member: (codecs.index(_first(member).codec), *_sort_key(_first(member))))
    runs = _merge_equal_steps(members)
    labels = _distinct_labels(
        [_first(run[-1]) for run in runs], [_label(_first(run[0]), _first(run[-1])) for run in runs]
    )
    return tuple(Series(label, run[-1]) for label, run in zip(labels, runs, strict=True))


def _first(member: Mapping[float, Cell]) -> CellKey:
    return next(iter(member.values())).key


def _identity(key: CellKey) -> tuple[object, ...]:
    """All that makes two cells of one rate different methods."""
    if key.method == "published" and key.rate is None:
        return (key.codec,)
    # Streams have another digest at each rate.
    return (key.codec, replace(key, rate=None, streams_sha256=None), key.streams_sha256 is None)


def _place(cell: Cell) -> float:
    return cell.key.rate if cell.key.rate is not None else cell.bpp.mean or 0.0


def _sort_key(key: CellKey) -> tuple[object, ...]:
    return (
        _ORDER.index(key.method),
        key.samples,
        key.weights_sha256 or "",
        key.spacing or "",
        key.steps or 0,
        key.peer or "",
    )


def _merge_equal_steps(members: Sequence[dict[float, Cell]]) -> list[list[dict[float, Cell]]]:
    runs: list[list[dict[float, Cell]]] = []
    for member in members:
        if runs and _equal_steps(runs[-1][-1], member):
            runs[-1].append(member)
        else:
            runs.append([member])
    return runs


def _equal_steps(one: Mapping[float, Cell], other: Mapping[float, Cell]) -> bool:
    """Whether these are steps of one walk with one figure everywhere."""
    key = _first(one)
    return (
        key.method == "steps"
        and replace(_first(other), steps=key.steps, rate=key.rate, streams_sha256=key.streams_sha256) == key
        and one.keys() == other.keys()
        and all(one[place].metrics == other[place].metrics for place in one)
    )


def _label(first: CellKey, last: CellKey) -> str:
    if last.method == "base":
        return "not enhanced"
    if last.method == "steps":
        span = f"steps {last.steps}" if first is last else f"steps {first.steps}–{last.steps}"
        return f"{span}, mean of {last.samples}" if last.samples > 1 else span
    return last.codec if last.rate is None else last.peer or last.method


_DETAILS: tuple[Callable[[CellKey], str], ...] = (
    lambda key: "published" if key.method == "published" else "",
    lambda key: ", ".join(f"{name} {text}" for name, text in key.codec_options),
    lambda key: f"streams {key.streams_sha256[:8]}" if key.streams_sha256 else "",
    lambda key: f"weights {key.weights_sha256[:8]}" if key.weights_sha256 else "",
    lambda key: f"{key.spacing} spacing" if key.spacing else "",
    lambda key: f"{key.evaluations} evaluation{'s' * (key.evaluations > 1)}" if key.evaluations else "",
    lambda key: f"{key.trajectory_evaluations} to steps 100" if key.trajectory_evaluations else "",
    lambda key: "" if key.late_start is None else f"late start {key.late_start}",
    lambda key: f"η {key.eta:g}" if key.method == "steps" else "",
    lambda key: f"seed {key.seed}" if key.method == "steps" else "",
    lambda key: key.precision or "",
)
"""What tells methods of equal labels apart."""


def _distinct_labels(keys: Sequence[CellKey], labels: Sequence[str]) -> list[str]:
    """Add to each label as much as it takes to tell it from the others of its codec."""
    distinct = list(labels)
    for detail in _DETAILS:
        alike: dict[tuple[str, str], list[int]] = {}
        for place, (key, label) in enumerate(zip(keys, distinct, strict=True)):
            alike.setdefault((key.codec, label), []).append(place)
        for (_, label), places in alike.items():
            texts = [detail(keys[place]) for place in places]
            if len(set(texts)) > 1:
                for place, text in zip(places, texts, strict=True):
                    distinct[place] = f"{label}, {text}" if text else label
    return distinct
