"""Results files to a report's file: read, grouped, illustrated, rendered and written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from dirac_enhance import BenchmarkError, DiracWarning
from dirac_enhance.atomic import check_target, write_atomically
from dirac_enhance.bench.report.groups import group_results
from dirac_enhance.bench.report.page import render_page
from dirac_enhance.bench.report.results import ResultsFile, read_results
from dirac_enhance.bench.report.scenes import Scene

MakeScenes = Callable[[Sequence[ResultsFile]], Sequence[Scene]]


def no_scenes(_files: Sequence[ResultsFile]) -> tuple[Scene, ...]:
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

    Warns:
        DiracWarning: if a figure was measured twice.

    Raises:
        OutputExistsError: if `target` is there and not to be replaced.
        BenchmarkError: if a file is none of these, or there is not one figure in them.
        DiracError: of another kind, if the pictures cannot be made; then nothing was written.
    """
    check_target(target, overwrite=overwrite)
    files = [read_results(path) for path in results]
    groups = group_results(files)
    if not groups:
        names = ", ".join(f"'{path}'" for path in results)
        raise BenchmarkError(f"there are no figures in {names}; let `dirac-enhance bench` finish one")
    page = render_page(files, groups, scenes=scenes_for(files), title=title)
    try:
        write_atomically(target, page.encode("utf-8"), overwrite=overwrite)
    except OSError as cause:
        raise BenchmarkError(f"cannot write '{target}': {cause.strerror or cause}") from cause


def usual_codec(files: Sequence[ResultsFile]) -> str:
    """Return the one codec that the results are about.

    Raises:
        BenchmarkError: if there are several.
    """
    codecs = dict.fromkeys(cell.codec for file in files for cell in file.cells if cell.method != "published")
    if len(codecs) != 1:
        raise BenchmarkError(f"the results are about {len(codecs)} codecs; name that of the pictures with --codec ID")
    return next(iter(codecs))


def usual_rate(files: Sequence[ResultsFile], codec: str) -> float:
    """Return the rate to show: of those measured, the one below the middle, where codecs leave visible traces.

    Raises:
        BenchmarkError: if none was measured.
    """
    cells = [cell for file in files for cell in file.cells if cell.codec == codec and cell.method in ("base", "steps")]
    bpp = {cell.rate: cell.bpp or 0.0 for cell in cells if cell.rate is not None}
    if not bpp:
        raise BenchmarkError(f"the results have no rate of codec '{codec}'; name one with --rate R")
    rates = sorted(bpp, key=lambda rate: bpp[rate])
    return rates[(len(rates) - 1) // 2]


def warn_of_other_weights(files: Sequence[ResultsFile], sha256: str) -> None:
    """Warn if pictures are made with weights that no figure was measured with."""
    known = {cell.weights_sha256 for file in files for cell in file.cells if cell.weights_sha256}
    if known and not any(sha256.startswith(each) or each.startswith(sha256) for each in known):
        warnings.warn(
            f"the pictures are made with weights {sha256[:12]}, but the figures with"
            f" {', '.join(sorted(each[:12] for each in known))}",
            DiracWarning,
            stacklevel=2,
        )
