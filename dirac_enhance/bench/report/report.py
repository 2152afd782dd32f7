"""Results files to a report's file: read, grouped, illustrated, rendered and written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from dirac_enhance import BenchmarkError, DiracWarning
from dirac_enhance.atomic import check_target, write_atomically
from dirac_enhance.bench.environment import portable_arguments
from dirac_enhance.bench.protocols import SIMULATED_JPEG
from dirac_enhance.bench.report.page import render_page
from dirac_enhance.bench.report.scenes import Scene
from dirac_enhance.bench.results import Results, read_results
from dirac_enhance.bench.results_table import tables_of

MakeScenes = Callable[[Sequence[Results]], Sequence[Scene]]


def no_scenes(_files: Sequence[Results]) -> tuple[Scene, ...]:
    """Make a report without pictures."""
    return ()


def write_report(
    results: Sequence[Path],
    target: Path,
    *,
    title: str,
    scenes_for: MakeScenes = no_scenes,
    overwrite: bool = False,
) -> None:
    """Write one page that shows results files, and pictures if any are made.

    Args:
        results: files of `dirac-enhance bench`.
        target: where the page goes.
        title: of the page.
        scenes_for: called with the results once they are known to be readable.
        overwrite: replace a page that is already there.

    Raises:
        OutputExistsError: if `target` is there and not to be replaced.
        BenchmarkError: if a file is none of these, or there is not one figure in them.
        DiracError: of another kind, if the pictures cannot be made; then nothing was written.
    """
    check_target(target, overwrite=overwrite)
    files = dict(zip(portable_arguments([str(path) for path in results]), map(read_results, results), strict=True))
    tables = tables_of(files.values())
    if not tables:
        names = ", ".join(f"'{path}'" for path in results)
        raise BenchmarkError(f"there are no figures in {names}; let `dirac-enhance bench` finish one")
    page = render_page(files, tables, scenes=scenes_for(list(files.values())), title=title)
    try:
        write_atomically(target, page.encode("utf-8"), overwrite=overwrite)
    except OSError as cause:
        raise BenchmarkError(f"cannot write '{target}': {cause.strerror or cause}") from cause


def usual_codec(files: Sequence[Results]) -> str:
    """Return the one codec that the results are about.

    Raises:
        BenchmarkError: if there are several.
    """
    keys = (cell.key for file in files for cell in file.cells if cell.key.method != "published")
    codecs = dict.fromkeys(key.codec for key in keys if key.codec != SIMULATED_JPEG)
    if len(codecs) != 1:
        raise BenchmarkError(f"the results are about {len(codecs)} codecs; name that of the pictures with --codec ID")
    return next(iter(codecs))


def usual_rate(files: Sequence[Results], codec: str) -> float:
    """Return the rate to show: of those measured, the one below the middle, where codecs leave visible traces.

    Raises:
        BenchmarkError: if none was measured.
    """
    cells = [
        cell
        for file in files
        for cell in file.cells
        if cell.key.codec == codec and cell.key.method in ("base", "steps")
    ]
    bpp = {cell.key.rate: cell.bpp.mean or 0.0 for cell in cells if cell.key.rate is not None}
    if not bpp:
        raise BenchmarkError(f"the results have no rate of codec '{codec}'; name one with --rate R")
    rates = sorted(bpp, key=lambda rate: bpp[rate])
    return rates[(len(rates) - 1) // 2]


def warn_of_other_weights(files: Sequence[Results], sha256: str) -> None:
    """Warn if pictures are made with weights that no figure was measured with."""
    known = {
        cell.key.weights_sha256
        for file in files
        for cell in file.cells
        if cell.key.method == "steps" and cell.key.weights_sha256
    }
    if known and not any(sha256.startswith(each) or each.startswith(sha256) for each in known):
        warnings.warn(
            f"the pictures are made with weights {sha256[:12]}, but the figures with"
            f" {', '.join(sorted(each[:12] for each in known))}",
            DiracWarning,
            stacklevel=2,
        )
