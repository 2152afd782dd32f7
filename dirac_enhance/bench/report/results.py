"""Results files of `dirac-enhance bench`, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.cells import Method
from dirac_enhance.bench.protocols import find_protocol
from dirac_enhance.bench.results import FORMAT, VERSION


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one method at one rate.

    Args:
        codec: id of the base codec.
        rate: its rate factor, or of a published figure what its table gives; None where that says nothing.
        method: what made the pictures.
        peer: which restorer or paper, for the methods "peer" and "published".
        weights_sha256, steps, samples, seed, evaluations, spacing: of the enhancer, as far as one ran.
        protocol: id of how it was measured.
        bpp: mean over the pictures, in bits per pixel; None where it is unknown.
        metrics: metric → mean over the pictures, or the set's one value; not finite for equal pictures' PSNR.
        seconds_per_megapixel, peak_memory_mib: of the method, None where they were not measured.
    """

    codec: str
    rate: float | None
    method: Method
    peer: str | None
    weights_sha256: str | None
    steps: int | None
    samples: int
    seed: int | None
    evaluations: int | None
    spacing: str | None
    protocol: str
    bpp: float | None
    metrics: Mapping[str, float]
    seconds_per_megapixel: float | None
    peak_memory_mib: float | None


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """One run of the benchmark.

    Args:
        name: of the file.
        command: that wrote it, word by word.
        set_name: of the pictures.
        pixel_hash: sha256 of the originals' pixels.
        images: the pictures' names.
        device, versions: what it ran on and with, as the run described it.
        cells: its figures.
    """

    name: str
    command: tuple[str, ...]
    set_name: str
    pixel_hash: str
    images: tuple[str, ...]
    device: Mapping[str, object]
    versions: Mapping[str, object]
    cells: tuple[Cell, ...]


def read_results(path: Path) -> ResultsFile:
    """Read a results file.

    Raises:
        BenchmarkError: if it is missing, not one of these, of another version, or damaged.
    """
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise BenchmarkError(f"cannot read '{path}': {cause.strerror or cause}") from cause
    except (ValueError, RecursionError) as cause:
        raise _foreign(path, f"it is not JSON ({cause})") from cause
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise _foreign(path, f'its "format" is not "{FORMAT}"')
    if contents.get("version") != VERSION:
        raise BenchmarkError(
            f"'{path}' holds results of version {contents.get('version')!r:.40}, but this report reads version"
            f" {VERSION}; use the dirac-enhance that wrote it, or measure again with this one"
        )
    try:
        return _parse(path.name, contents)
    except BenchmarkError as cause:
        raise BenchmarkError(f"'{path}': {cause}") from cause
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        reason = f"{type(cause).__name__}: {cause}"
        raise BenchmarkError(f"the results in '{path}' are damaged ({reason:.200}); measure them again") from cause


def _foreign(path: Path, reason: str) -> BenchmarkError:
    return BenchmarkError(f"'{path}' is no results file: {reason}; pass JSON files that `dirac-enhance bench` wrote")


def _parse(name: str, contents: Mapping[str, Any]) -> ResultsFile:
    return ResultsFile(
        name=name,
        command=tuple(str(word) for word in _list(contents["command"])),
        set_name=str(contents["set"]["name"]),
        pixel_hash=str(contents["set"]["pixel_hash"]),
        images=tuple(str(image) for image in _list(contents["images"])),
        device=dict(contents["device"].items()),
        versions=dict(contents["versions"].items()),
        cells=tuple(_parse_cell(cell) for cell in _list(contents["cells"])),
    )


def _parse_cell(cell: Mapping[str, Any]) -> Cell:
    method = cell["method"]
    if method not in get_args(Method):
        raise ValueError(f"method {method!r}")
    metrics = {str(name): _mean(summary) for name, summary in cell["metrics"].items()}
    return Cell(
        codec=str(cell["codec"]),
        rate=_number(cell["rate"]),
        method=method,
        peer=None if cell["peer"] is None else str(cell["peer"]),
        weights_sha256=None if cell["weights_sha256"] is None else str(cell["weights_sha256"]),
        steps=_whole(cell["steps"]),
        samples=_whole(cell["samples"]) or 1,
        seed=_whole(cell["seed"]),
        evaluations=_whole(cell["evaluations"]),
        spacing=None if cell["spacing"] is None else str(cell["spacing"]),
        protocol=find_protocol(str(cell["protocol"])).id,
        bpp=_mean(cell["bpp"]),
        metrics={metric: mean for metric, mean in metrics.items() if mean is not None},
        seconds_per_megapixel=_number(cell["seconds_per_megapixel"]),
        peak_memory_mib=_number(cell["peak_memory_mib"]),
    )


def _mean(summary: Mapping[str, Any] | None) -> float | None:
    return None if summary is None else _number(summary["mean"])


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} is no number")
    return float(value)


def _whole(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(f"{value!r:.40} is no whole number")


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise TypeError(f"{value!r:.40} is no list")
