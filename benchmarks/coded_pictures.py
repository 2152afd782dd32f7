"""Where a benchmark's coded pictures come from: originals encoded on the spot, or streams made beforehand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dirac_enhance import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torch import Tensor

    from dirac_enhance import EncodingCodec

STREAM_INDEX = "results.jsonl"
"""In a folder of streams: a JSON object a line, `image` the original's file name and `qp` the rate factor."""


class CodedPictures(Protocol):
    """Coded files, by original and rate factor."""

    @property
    def pictures(self) -> frozenset[str] | None:
        """File names of the originals, or None where any will do."""

    def rates(self, picture: str) -> tuple[float, ...]:
        """Rate factors to measure this original at."""

    def read(self, picture: str, original: Tensor, *, rate_factor: float) -> bytes:
        """Return an original, (3, H, W) float32 in [0, 1], as coded at one of its rate factors."""


@dataclass(frozen=True, slots=True)
class EncodedNow:
    """Every original, encoded when it is asked for."""

    codec: EncodingCodec
    rate_factors: tuple[float, ...]

    @property
    def pictures(self) -> None:
        """Any."""

    def rates(self, picture: str) -> tuple[float, ...]:
        """All, for every original."""
        return self.rate_factors

    def read(self, picture: str, original: Tensor, *, rate_factor: float) -> bytes:
        """Encode.

        Raises:
            DiracError: of the codec.
        """
        return self.codec.encode(original, rate_factor=rate_factor)


@dataclass(frozen=True, slots=True)
class StoredStreams:
    """Streams on disk: original's file name → rate factor → file."""

    files: Mapping[str, Mapping[float, Path]]

    @property
    def pictures(self) -> frozenset[str]:
        """Those that there are streams of."""
        return frozenset(self.files)

    def rates(self, picture: str) -> tuple[float, ...]:
        """Those of this original's streams, which need not be those of another's."""
        return tuple(self.files[picture])

    def read(self, picture: str, original: Tensor, *, rate_factor: float) -> bytes:
        """Read the whole file.

        Raises:
            BenchmarkError: if it cannot be read.
        """
        file = self.files[picture][rate_factor]
        try:
            return file.read_bytes()
        except OSError as cause:
            raise BenchmarkError(f"cannot read the stream '{file}': {cause.strerror}") from cause


def read_streams(folder: Path, *, rate_factors: Collection[float] = ()) -> StoredStreams:
    """Find the streams of a folder by its index.

    Args:
        folder: with `STREAM_INDEX`, and the streams as `stream_file` names them.
        rate_factors: take only these; all if empty.

    Raises:
        BenchmarkError: if the index cannot be read, or has no stream of one of `rate_factors`.
    """
    files: dict[str, dict[float, Path]] = {}
    for record in read_stream_index(folder):
        if not rate_factors or record["qp"] in rate_factors:
            files.setdefault(record["image"], {})[float(record["qp"])] = stream_file(folder, record)
    found = {rate for of_picture in files.values() for rate in of_picture}
    absent = ", ".join(f"{rate:g}" for rate in sorted(set(rate_factors) - found))
    if absent or not found:
        raise BenchmarkError(f"'{folder / STREAM_INDEX}' lists no streams at {absent or 'any rate'}")
    return StoredStreams(files)


def read_stream_index(folder: Path) -> list[dict[str, Any]]:
    """Read `STREAM_INDEX`, which has a line for each stream in the folder.

    Raises:
        BenchmarkError: if it is missing, or a line is not what it should be.
    """
    index = folder / STREAM_INDEX
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
    except OSError as cause:
        raise BenchmarkError(f"cannot read '{index}': {cause.strerror}; a folder of streams has one") from cause
    return [_parse(line, f"line {number} of '{index}'") for number, line in enumerate(lines, 1) if line]


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line)
        if not (isinstance(record["image"], str) and isinstance(record["qp"], int | float)):
            raise TypeError("their types")
    except (ValueError, KeyError, TypeError) as cause:
        expected = '{"image": "01.png", "qp": 37}'
        raise BenchmarkError(f"{where} names no stream: {cause}; expected at least {expected}") from cause
    return record


def stream_file(folder: Path, record: Mapping[str, Any]) -> Path:
    """Return the file of a line of the index: 01_qp37.bin for 01.png at 37."""
    return folder / f"{Path(record['image']).stem}_qp{record['qp']}.bin"
