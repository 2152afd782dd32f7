"""What a record of `swint_charm.py` says beside published curves: the rate–distortion table, and its picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from interpolation import value_at_rate
from pages import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

PUBLISHED = Path(__file__).parent / "kodak_curves.json"
RANGE = (0.15, 0.5)
"""Bits per pixel between which the codec is compared."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Rate and distortion of a codec, rates ascending.

    Args:
        name: of the codec.
        bits_per_pixel: mean over the pictures.
        psnr: in dB, likewise.
    """

    name: str
    bits_per_pixel: tuple[float, ...]
    psnr: tuple[float, ...]

    @classmethod
    def of(cls, name: str, points: Sequence[dict[str, Any]]) -> Curve:
        """Take the rows of a record in order of their rate, without those that cost more and give no more."""
        bits: list[float] = []
        levels: list[float] = []
        for point in sorted(points, key=lambda point: (point["bits_per_pixel"], -point["psnr"])):
            if not levels or point["psnr"] > levels[-1]:
                bits.append(point["bits_per_pixel"])
                levels.append(point["psnr"])
        return cls(name, tuple(bits), tuple(levels))

    def at(self, bits_per_pixel: float) -> float | None:
        """Interpolate PSNR linearly over the logarithm of the rate; None beyond what was measured."""
        return value_at_rate(bits_per_pixel, zip(self.bits_per_pixel, self.psnr, strict=True))

    def within(self, low: float, high: float) -> Curve:
        """Cut the curve to a range of rates, its ends interpolated where the curve goes beyond them."""
        points = [point for point in zip(self.bits_per_pixel, self.psnr, strict=True) if low < point[0] < high]
        ends = [(end, value) for end in (low, high) if (value := self.at(end)) is not None]
        inside = sorted(points + ends)
        return Curve(self.name, tuple(bits for bits, _ in inside), tuple(level for _, level in inside))


def bd_rate(test: Curve, anchor: Curve) -> float:
    """Bjøntegaard's mean difference of the rate at equal PSNR, by Akima splines.

    Returns:
        Percent, negative where `test` is the smaller one; NaN where the curves have no PSNR in common.
    """
    from bjontegaard import bd_rate as compute

    return float(
        compute(
            anchor.bits_per_pixel,
            anchor.psnr,
            test.bits_per_pixel,
            test.psnr,
            method="akima",
            require_matching_points=False,
            min_overlap=0,
        )
    )


def read_published() -> tuple[list[Curve], list[dict[str, Any]]]:
    """Return the published curves, and the published BD-rates."""
    stored = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    curves = [Curve(each["name"], tuple(each["bits_per_pixel"]), tuple(each["psnr"])) for each in stored["curves"]]
    return curves, stored["bd_rates"]


def rate_distortion_text(record: Mapping[str, Any]) -> str:
    """Return table, BD-rates and origin of a record."""
    rows = [row for row in record["rows"] if row["codec"] == "swint-charm"]
    ours, jpeg = _measured(record)
    published, stated = read_published()
    return "\n\n".join(
        [_table(rows, published), _gains(rows), _bd_rates(ours, [jpeg, *published], stated), _origin(record)]
    )


def _table(rows: Sequence[dict[str, Any]], published: Sequence[Curve]) -> str:
    head = [
        "λ",
        "bpp",
        "dB",
        "JPEG at most as large: dB (gain)",
        *(f"{curve.name} at this rate" for curve in published),
    ]
    lines = [
        [
            f"{row['rate_factor']:g}",
            f"{row['bits_per_pixel']:.3f}",
            f"{row['psnr']:.2f}",
            _jpeg_cell(row),
            *(_number(curve.at(row["bits_per_pixel"])) for curve in published),
            f"{_percent(row['streams_over_promise'])} ({_percent(row['largest_streams_over_promise'])})",
        ]
        for row in rows
    ]
    return markdown_table([*head, "streams over promise (largest)"], lines)


def _jpeg_cell(row: dict[str, Any]) -> str:
    """Say how many pictures quality 1 does not bring down to the size, where there are any: those favour JPEG."""
    larger = round((1 - row["jpeg_fits"]) * len(row["pictures"]))
    note = f"; quality 1 is larger in {larger}" if larger else ""
    return f"{row['jpeg_psnr']:.2f} ({row['psnr'] - row['jpeg_psnr']:+.2f}){note}"


def _gains(rows: Sequence[dict[str, Any]]) -> str:
    low, high = RANGE
    gains = [row["psnr"] - row["jpeg_psnr"] for row in rows if low <= row["bits_per_pixel"] <= high]
    if not gains:
        return f"No rate factor has {low:g} to {high:g} bits per pixel."
    return (
        f"Of the rate factors with {low:g} to {high:g} bits per pixel: {mean(gains):+.2f} dB against JPEG on average, "
        f"{min(gains):+.2f} dB at the worst."
    )


def _bd_rates(ours: Curve, others: Sequence[Curve], stated: Sequence[dict[str, Any]]) -> str:
    low, high = RANGE
    cut = ours.within(low, high)
    if len(cut.psnr) < 2:
        return f"No BD-rate: fewer than two points of {ours.name} between {low:g} and {high:g} bits per pixel."
    figures = [f"{bd_rate(cut, other):+.1f} % against {other.name}" for other in others]
    published = [f"{each['name']} {each['percent']:+.2f} % against {each['against']}" for each in stated]
    return (
        f"BD-rate between {low:g} and {high:g} bits per pixel: {', '.join(figures)}. Published: {', '.join(published)} "
        f"({'; '.join(each['setting'] for each in stated)})."
    )


def _origin(record: Mapping[str, Any]) -> str:
    sources = ", ".join(f"`{each['source']}`" for each in json.loads(PUBLISHED.read_text(encoding="utf-8"))["curves"])
    return (
        f"{record['pictures']} pictures; RGB PSNR of 8-bit pictures; bits of whole files; JPEG is libjpeg's by Pillow, "
        f"optimised, 4:2:0, of each picture the best quality that is no larger; streams are files without the "
        f"{max(row['overhead_bytes'] for row in record['rows'] if row['codec'] == 'swint-charm'):.0f} bytes around "
        f"them, and the prior's promise is of the float32 networks; codec weights "
        f"`{record['codec_weights']['sha256'][:12]}`; {record['machine']['cpu']}, {record['threads']} threads; "
        f"`{' '.join(record['command'])}`. BPG and VTM are published curves, interpolated: {sources}."
    )


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.2f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def draw_curves(record: Mapping[str, Any]) -> Figure:
    """Draw PSNR over bits per pixel, the published curves beside those of the record."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=90, layout="constrained")
    axes = figure.subplots()
    ours, jpeg = _measured(record)
    for curve in (ours, jpeg, *read_published()[0]):
        axes.plot(curve.bits_per_pixel, curve.psnr, marker="o" if curve is ours else None, label=curve.name)
    axes.set_xlim(0, ours.bits_per_pixel[-1] * 1.1)
    axes.set_ylim(ours.psnr[0] - 3, ours.psnr[-1] + 3)
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel("PSNR, dB")
    axes.legend()
    axes.grid(alpha=0.3)
    return figure


def _measured(record: Mapping[str, Any]) -> tuple[Curve, Curve]:
    """Return the curves of SwinT-ChARM and of JPEG."""
    names = {"swint-charm": "SwinT-ChARM", "jpeg": "JPEG"}
    curves = [Curve.of(name, [row for row in record["rows"] if row["codec"] == codec]) for codec, name in names.items()]
    return curves[0], curves[1]
