"""What a record of `vvc_streams.py` says: how many streams decode bit-exactly, and PSNR, by QP."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING, Any

from pages import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping


def streams_text(record: Mapping[str, Any]) -> str:
    """Return the table of a record, a line for each QP, what differs, and its origin."""
    rows = record["rows"]
    lines = [_line(qp, [row for row in rows if row["qp"] == qp]) for qp in sorted({row["qp"] for row in rows})]
    head = ["QP", "streams", "bit-exact", "dB through 8 bits", "dB at 10 bits", "CPU seconds"]
    differing = ", ".join(f"`{row['stream']}`" for row in rows if not row["exact"])
    verdict = f"Not as recorded: {differing}." if differing else "All are as recorded."
    origin = (
        f"{verdict} Bit-exact: samples, 8-bit colours, size and QP are those noted beside the stream when VTM made it. "
        "RGB PSNR of 8-bit pictures, from samples rounded to 8 bits and from those of the stream; seconds of processor "
        "time to samples. "
        f"PyAV {record['pyav']}; {record['machine']['cpu']}; `{' '.join(record['command'])}`."
    )
    return f"{markdown_table(head, lines)}\n\n{origin}"


def _line(qp: int, rows: list[dict[str, Any]]) -> list[str]:
    means = [format(mean(row[key] for row in rows), ".2f") for key in ("psnr_eight", "psnr_ten", "seconds")]
    return [str(qp), str(len(rows)), str(sum(row["exact"] for row in rows)), *means]
