"""CodedPictures: the coded files of a benchmark, encoded on the spot or made beforehand, and what they decode to."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dirac_enhance import BaseReconstruction, BenchmarkError, DiracError
from dirac_enhance.rate_search import encode_at

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance import Codec, EncodingCodec

STREAM_INDEX = "results.jsonl"
"""In a folder of streams: a JSON object a line, `image` the original's name and `rate`, or `qp`, its rate factor."""


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
        return encode_at(self.codec, original, rate_factor=rate_factor).content


@dataclass(frozen=True, slots=True)
class StoredStreams:
    """Streams on disk: original's file name → rate factor → file."""

    files: Mapping[str, Mapping[float, Path]]

    @property
    def pictures(self) -> frozenset[str]:
        """Those that there are streams of."""
        return frozenset(self.files)

    @property
    def rate_factors(self) -> tuple[float, ...]:
        """Those of any original, rising."""
        return tuple(sorted({rate for of_picture in self.files.values() for rate in of_picture}))

    def rates(self, picture: str) -> tuple[float, ...]:
        """Those of this original's streams, which need not be those of another's."""
        return tuple(self.files[picture])

    def read(self, picture: str, original: Tensor, *, rate_factor: float) -> bytes:
        """Read the whole file.

        Raises:
            BenchmarkError: if it cannot be read.
        """
        return _read(self.files[picture][rate_factor])

    def of(self, pictures: Iterable[str]) -> StoredStreams:
        """Return the streams of some of the originals."""
        return StoredStreams({picture: self.files[picture] for picture in pictures})

    def sha256(self, rate_factor: float) -> str:
        """Digest the streams at a rate factor, in the order of the originals; one that cannot be read counts as empty.

        Returns:
            64 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for _, of_picture in sorted(self.files.items()):
            try:
                content = _read(of_picture[rate_factor])
            except (BenchmarkError, KeyError):
                content = b""
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """Coded pictures that are each had once, whoever asks: encoding may take minutes."""

    coded: CodedPictures
    _contents: dict[tuple[str, float], bytes] = field(default_factory=dict)

    @property
    def pictures(self) -> frozenset[str] | None:
        """As of `coded`."""
        return self.coded.pictures

    def rates(self, picture: str) -> tuple[float, ...]:
        """As of `coded`."""
        return self.coded.rates(picture)

    def read(self, picture: str, original: Tensor, *, rate_factor: float) -> bytes:
        """As of `coded`, the first time."""
        key = (picture, rate_factor)
        if key not in self._contents:
            self._contents[key] = self.coded.read(picture, original, rate_factor=rate_factor)
        return self._contents[key]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """An original and what a codec made of it.

    Args:
        original: (3, H, W) float32 in [0, 1].
        content: the coded file; empty where coding was simulated.
        base: what it decodes to.
        bits_per_pixel: of the file; None where coding was simulated.
        seconds: that decoding took; None where it was simulated.
    """

    original: Tensor
    content: bytes
    base: BaseReconstruction
    bits_per_pixel: float | None
    seconds: float | None


def decode_picture(codec: Codec, coded: CodedPictures, picture: str, original: Tensor, *, rate_factor: float) -> Coded:
    """Get an original as coded at a rate factor, and decode that.

    Raises:
        BenchmarkError: if it cannot be had or decoded, or is not of the original's size.
    """
    try:
        content = coded.read(picture, original, rate_factor=rate_factor)
        start = time.perf_counter()
        base = codec.decode(content)
    except DiracError as cause:
        raise BenchmarkError(f"{picture} at {rate_factor:g}: {cause}") from cause
    seconds = time.perf_counter() - start
    if base.pixels.shape != original.shape:
        _, height, width = original.shape
        raise BenchmarkError(
            f"{picture} has {width}×{height} pixels, what was coded at {rate_factor:g} {base.width}×{base.height}; name"
            " the folder of its originals"
        )
    return Coded(original, content, base, base.bits_per_pixel, seconds)


def decode_corner(
    codec: Codec, coded: CodedPictures, picture: str, original: Tensor, *, side: int
) -> BaseReconstruction:
    """Decode an upper left corner of `side` pixels, or less, at some rate, to warm up with before anything is timed.

    Raises:
        DiracError: if it cannot be had or decoded.
    """
    corner = (slice(None), slice(side), slice(side))
    rate = coded.rates(picture)[0]
    base = codec.decode(coded.read(picture, original[corner], rate_factor=rate))
    return BaseReconstruction(base.pixels[corner].contiguous(), base.coded_bytes, rate_factor=base.rate_factor)


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
        rate = float(_rate_of(record))
        if not rate_factors or rate in rate_factors:
            files.setdefault(record["image"], {})[rate] = stream_file(folder, record)
    streams = StoredStreams(files)
    absent = ", ".join(f"{rate:g}" for rate in sorted(set(rate_factors) - set(streams.rate_factors)))
    if absent or not files:
        raise BenchmarkError(f"'{folder / STREAM_INDEX}' lists no streams at {absent or 'any rate'}")
    return streams


def read_stream_index(folder: Path) -> list[dict[str, Any]]:
    """Read `STREAM_INDEX`, which has a line for each stream in the folder.

    Raises:
        BenchmarkError: if it is missing, or a line is not what it should be.
    """
    index = folder / STREAM_INDEX
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "no text"
        raise BenchmarkError(f"cannot read '{index}': {reason}; a folder of streams has one") from cause
    return [_parse(line, f"line {number} of '{index}'") for number, line in enumerate(lines, 1) if line]


def stream_file(folder: Path, record: Mapping[str, Any]) -> Path:
    """Return the file of a line of the index: its `file`, or else 01_qp37.bin for 01.png at 37."""
    name: str = record.get("file", f"{Path(record['image']).stem}_qp{_rate_of(record):g}.bin")
    return folder / name


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as cause:
        raise BenchmarkError(f"cannot read the stream '{file}': {cause.strerror}") from cause


def _rate_of(record: Mapping[str, Any]) -> int | float:
    rate: int | float = record["rate"] if "rate" in record else record["qp"]
    return rate


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line)
        texts = (record["image"], record.get("file", ""))
        if not (all(isinstance(text, str) for text in texts) and math.isfinite(_rate_of(record))):
            raise TypeError("their types")
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        expected = '{"image": "01.png", "qp": 37}'
        raise BenchmarkError(f"{where} names no stream: {cause}; expected at least {expected}") from cause
    return record
