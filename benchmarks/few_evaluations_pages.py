"""What a record of `few_evaluations.py` says: the best spacing of each number, the winner, and their plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from statistics import mean
from typing import TYPE_CHECKING, Any

from pages import codec_name, markdown_table
from trajectory_pages import difference, pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_INCHES = (3.6, 3.4)
_DOTS_PER_INCH = 90
_LINES = ("-", "--", ":", "-.")
_NAMES = {"base": "", "steps 1": "steps 1", "paper": "the paper's", "default": "the default", "log-snr": ""}


@dataclass(frozen=True, slots=True)
class Spacing:
    """A way to sample, and its rows by quality."""

    kind: str
    solver: str
    start: int
    end: int
    evaluations: int
    rows: Mapping[float, Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Where it goes, and how."""
        solver = f", {self.solver}" if self.evaluations > 2 else ""
        way = f"{self.start}" if self.evaluations == 1 else f"{self.start} to {self.end}{solver}"
        return f"{_NAMES[self.kind]}: {way}" if _NAMES[self.kind] else way

    def keeps_fidelity(self, reference: Spacing, *, tolerance: float) -> bool:
        """Whether its PSNR is nowhere more than the tolerance below that of the reference."""
        return all(row["psnr"] >= reference.rows[quality]["psnr"] - tolerance for quality, row in self.rows.items())

    def lpips_ratio(self, reference: Spacing) -> float:
        """Mean over qualities of its LPIPS in parts of the reference's."""
        rows = reference.rows
        return mean(float(row["lpips_alex"] / rows[quality]["lpips_alex"]) for quality, row in self.rows.items())


def spacings(record: Mapping[str, Any], *kinds: str) -> list[Spacing]:
    """List the record's ways to sample, of these kinds."""
    found: dict[tuple[Any, ...], dict[float, Mapping[str, Any]]] = {}
    for row in record["rows"]:
        if row["kind"] in kinds:
            key = tuple(row[name] for name in ("kind", "solver", "start", "end", "evaluations"))
            found.setdefault(key, {})[row["quality"]] = row
    return [
        Spacing(kind, solver, start, end, evaluations, rows)
        for (kind, solver, start, end, evaluations), rows in found.items()
    ]


def best_of_each_number(record: Mapping[str, Any]) -> list[Spacing]:
    """Return, for each number of evaluations and each solver, what has the least LPIPS among those that keep fidelity.

    Those that keep it lose no more PSNR than the tolerance against the paper's twenty at any quality. Numbers without
    such a spacing are left out.
    """
    (reference,) = spacings(record, "paper")
    groups: dict[tuple[int, str], list[Spacing]] = {}
    for spacing in spacings(record, "log-snr"):
        if spacing.keeps_fidelity(reference, tolerance=record["psnr_tolerance"]):
            groups.setdefault((spacing.evaluations, spacing.solver), []).append(spacing)
    return [min(groups[key], key=lambda spacing: spacing.lpips_ratio(reference)) for key in sorted(groups)]


def winner(record: Mapping[str, Any]) -> Spacing | None:
    """Return the fewest evaluations whose LPIPS is nowhere more than the tolerance above that of the best.

    Of as many evaluations the one with the least LPIPS; of `best_of_each_number`, and None where that is empty.
    """
    best = best_of_each_number(record)
    if not best:
        return None
    (reference,) = spacings(record, "paper")
    leader = min(best, key=lambda spacing: spacing.lpips_ratio(reference))
    as_good = [
        spacing
        for spacing in best
        if all(
            row["lpips_alex"] <= leader.rows[quality]["lpips_alex"] + record["lpips_tolerance"]
            for quality, row in spacing.rows.items()
        )
    ]
    return min(as_good, key=lambda spacing: (spacing.evaluations, spacing.lpips_ratio(reference)))


def best_text(record: Mapping[str, Any]) -> str:
    """Lay out the plain codec, what is standard, and the best spacing of each number, the winner in bold."""
    qualities = sorted({row["quality"] for row in record["rows"]})
    won = winner(record)
    (reference,) = spacings(record, "paper")
    plain = {row["quality"]: row for row in record["rows"] if row["kind"] == "base"}
    lines = [[codec_name(record["codec"]), "", *(pair(plain[quality]) for quality in qualities), "", ""]]
    for spacing in [*spacings(record, "steps 1", "paper", "default"), *best_of_each_number(record)]:
        cells = [
            spacing.name,
            str(spacing.evaluations),
            *(pair(spacing.rows[quality]) for quality in qualities),
            f"{spacing.lpips_ratio(reference):.3f}×",
            f"{_seconds(spacing.rows.values()):.2f}",
        ]
        lines.append([f"**{cell}**" for cell in cells] if spacing == won else cells)
    head = ["timesteps", "evaluations", *(f"quality {quality:g}" for quality in qualities), "LPIPS", "s/MP"]
    said = (
        "In each cell PSNR and LPIPS. Of each number of evaluations, and of each solver where there are more than two,"
        f" the spacing with the least LPIPS, in parts of the paper's, among those nowhere more than"
        f" {record['psnr_tolerance']:g} dB below the paper's twenty; in bold the fewest evaluations that are"
        f" nowhere more than {record['lpips_tolerance']:g} LPIPS above the best of them. Seconds are the network's."
    )
    if won is not None:
        (default,) = spacings(record, "default")
        apart = (
            f"quality {quality:g}: {difference(won.rows[quality], default.rows[quality])}" for quality in qualities
        )
        said += f" It against the default of the weights, with standard errors over pictures: {'; '.join(apart)}."
    return f"{markdown_table(head, lines)}\n\n{said}"


def draw_planes(record: Mapping[str, Any]) -> Figure:
    """Draw LPIPS against PSNR, a curve through the numbers of evaluations for each spacing; a row for each solver."""
    from matplotlib.figure import Figure

    qualities = sorted({row["quality"] for row in record["rows"]})
    tried = spacings(record, "log-snr")
    solvers = list(dict.fromkeys(spacing.solver for spacing in tried))
    size = (_PANEL_INCHES[0] * len(qualities), _PANEL_INCHES[1] * len(solvers))
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(len(solvers), len(qualities), squeeze=False)
    for row, solver in enumerate(solvers):
        for axes, quality in zip(grid[row], qualities, strict=True):
            # What has fewer than three evaluations has no order, and begins the curves of both solvers.
            _draw_curves(axes, [each for each in tried if each.solver == solver or each.evaluations < 3], quality)
            for marker, spacing in zip("*D", spacings(record, "paper", "default"), strict=True):
                label = f"{_NAMES[spacing.kind]} {spacing.evaluations}"
                axes.plot(*_places([spacing], quality), marker, color="black", label=label)
            axes.set_title(f"{solver}, quality {quality:g}", fontsize=9)
            axes.set_xlabel("PSNR (dB)")
            axes.set_ylabel("LPIPS (AlexNet)")
            axes.grid(visible=True, alpha=0.3)
    grid[0][0].legend(fontsize=6)
    return figure


def _draw_curves(axes: Axes, tried: Sequence[Spacing], quality: float) -> None:
    starts = sorted({spacing.start for spacing in tried}, reverse=True)
    ends = sorted({spacing.end for spacing in tried if spacing.evaluations > 1}, reverse=True)
    for (colour, start), (line, end) in product(enumerate(starts), enumerate(ends)):
        curve = [each for each in tried if each.start == start and (each.end == end or each.evaluations == 1)]
        if not curve:
            continue
        curve.sort(key=lambda each: each.evaluations)
        x, y = _places(curve, quality)
        style = {"color": f"C{colour % 10}", "linestyle": _LINES[line % len(_LINES)], "linewidth": 0.9}
        axes.plot(x, y, marker="o", markersize=2.5, label=f"{start} to {end}", **style)  # type: ignore[arg-type] # one dictionary of several keywords
        axes.annotate(str(curve[-1].evaluations), (x[-1], y[-1]), fontsize=6)


def _places(curve: Sequence[Spacing], quality: float) -> tuple[list[float], list[float]]:
    rows = [spacing.rows[quality] for spacing in curve]
    return [row["psnr"] for row in rows], [row["lpips_alex"] for row in rows]


def _seconds(rows: Iterable[Mapping[str, Any]]) -> float:
    return mean(float(row["network_seconds_per_megapixel"]) for row in rows)
