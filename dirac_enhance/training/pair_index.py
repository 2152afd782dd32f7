"""PairRow: a coded crop and where its original is, and the CSV index that lists such pairs beside their streams."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.images import source_name

FILE_NAME = "index.csv"
QP = "qp"
"""What an index made with a video codec may call its column of rate factors."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """One pair; the fields are the index's columns.

    Args:
        bitstream: the coded crop, relative to the index's folder.
        file: the original picture, relative to the folder of originals.
        x: column of the crop's left edge in the original, upright.
        y: row of its upper edge.
        width: of the crop in pixels.
        height: of the crop in pixels.
        rate_factor: what it was coded at.
        bytes: length of the bitstream.
    """

    bitstream: str
    file: str
    x: int
    y: int
    width: int
    height: int
    rate_factor: float
    bytes: int

    def __post_init__(self) -> None:
        if min(self.x, self.y) < 0 or min(self.width, self.height) < 1 or not self.bitstream or not self.file:
            raise ValueError(f"not a crop: {self}")


COLUMNS = tuple(field.name for field in fields(PairRow))


def read_index(path: Path) -> tuple[PairRow, ...]:
    """Read an index; further columns are ignored, and the rate factor's may be called `qp`.

    Raises:
        TrainingError: if it cannot be read, lacks a column, or a row of it cannot be.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(COLUMNS) - {_column(name) for name in reader.fieldnames or ()}
            if missing:
                raise TrainingError(f"the index '{path}' lacks the columns {', '.join(sorted(missing))}")
            return tuple(_parse(row, path, line=reader.line_num) for row in reader)
    except OSError as cause:
        raise TrainingError(f"cannot read the index '{path}': {cause.strerror}; pass --pairs INDEX.csv") from cause
    except csv.Error as cause:
        raise TrainingError(f"the index '{path}' is no CSV file: {cause}") from cause


def read_indexes(paths: Sequence[Path]) -> tuple[tuple[PairRow, ...], Path]:
    """Read several indexes as one.

    Returns:
        The rows of all, and the folder that their bitstreams are relative to: the lowest that holds every index.

    Raises:
        TrainingError: as for `read_index`.
    """
    folders = [path.parent.resolve() for path in paths]
    common = Path(os.path.commonpath(folders))
    rows = [
        replace(row, bitstream=str(folder.relative_to(common) / row.bitstream))
        for path, folder in zip(paths, folders, strict=True)
        for row in read_index(path)
    ]
    return tuple(rows), common


def _column(name: str) -> str:
    return "rate_factor" if name == QP else name


def _parse(cells: dict[str, str], path: Path, *, line: int) -> PairRow:
    try:
        values = {_column(name): cell for name, cell in cells.items()}
        numbers = {name: int(values[name]) for name in ("x", "y", "width", "height", "bytes")}
        rate = float(values["rate_factor"])
        return PairRow(bitstream=values["bitstream"], file=values["file"], rate_factor=rate, **numbers)
    except (ValueError, TypeError) as cause:  # a missing cell is None
        raise TrainingError(f"line {line} of the index '{path}' is no pair: {cause}; mend or remove it") from cause


def split_rows(
    rows: Sequence[PairRow], *, held_out: float, limit: int | None = None
) -> tuple[tuple[PairRow, ...], tuple[PairRow, ...]]:
    """Split pairs into those to train on and those held out; no original has pairs among both.

    The split and the limit depend on names only, so that trainings on half and on all of the pairs are measured on the
    same crops, and the smaller set is a part of the larger one.

    Args:
        rows: all pairs.
        held_out: share of the *originals* whose pairs are held out.
        limit: keep at most so many to train on.

    Raises:
        TrainingError: if none is left to train on.
    """
    originals = sorted({row.file for row in rows}, key=_scramble)
    apart = set(originals[: math.ceil(held_out * len(originals))])
    training = sorted((row for row in rows if row.file not in apart), key=lambda row: _scramble(row.bitstream))
    if not training:
        raise TrainingError(
            f"{len(rows)} pairs of {len(originals)} originals, and none left to train on; hold out fewer with "
            "--held-out, or widen --rates"
        )
    return tuple(training[:limit]), tuple(row for row in rows if row.file in apart)


def group_by_source(rows: Sequence[PairRow]) -> dict[str, list[PairRow]]:
    """Group pairs by the source of their originals, as `load_pool` names it."""
    groups: dict[str, list[PairRow]] = {}
    for row in rows:
        groups.setdefault(source_of(row), []).append(row)
    return dict(sorted(groups.items()))


def source_of(row: PairRow) -> str:
    """Return the source of a row's original: its file name up to `__`, or else its folder's name."""
    return source_name(Path(row.file)) or "originals"


def _scramble(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", errors="surrogateescape")).digest()


@contextmanager
def open_index(path: Path) -> Iterator[Callable[[PairRow], None]]:
    """Open an index, new or not, for one process at a time, and yield what appends a row to it.

    A row is appended in one write and synchronised, or not at all; half a row that a crash left is cut off first.

    Raises:
        TrainingError: if another process has it open.
        OSError: if it cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        _lock(descriptor, path)
        _cut_torn_row(descriptor, path)
        if not os.fstat(descriptor).st_size:
            _append(descriptor, COLUMNS)
        yield lambda row: _append(descriptor, tuple(getattr(row, name) for name in COLUMNS))
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:  # not on Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        raise TrainingError(f"another process is adding to '{path}'; wait for it or pass another -o FOLDER") from cause


def _cut_torn_row(descriptor: int, path: Path) -> None:
    content = path.read_bytes()
    os.ftruncate(descriptor, content.rfind(b"\n") + 1)


def _append(descriptor: int, cells: tuple[object, ...]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(
        f"{cell:.9g}" if isinstance(cell, float) else cell for cell in cells
    )
    line = buffer.getvalue().encode("utf-8", errors="surrogateescape")
    end = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise
