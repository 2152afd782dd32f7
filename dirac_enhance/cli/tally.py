"""Tally: runs a plan, prints what becomes of each file, and counts."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Literal

from dirac_enhance.cli.console import print_result, remark, report
from dirac_enhance.cli.progress import Progress, follow
from dirac_enhance.errors import DiracError

if TYPE_CHECKING:
    from dirac_enhance.batch.inputs import Inputs
    from dirac_enhance.batch.plan import Plan
    from dirac_enhance.batch.recipe import Enhanced, Failed, Outcome, Recipe

Verbosity = Literal["quiet", "normal", "verbose"]


class Tally:
    """Prints what becomes of each file, and counts."""

    def __init__(self, plan: Plan, verbosity: Verbosity) -> None:
        self._plan = plan
        self._verbosity = verbosity
        self._counts: Counter[str] = Counter(skipped=len(plan.skipped), failed=len(plan.refused))

    @property
    def failures(self) -> int:
        """Files that were not enhanced, and inputs that are none."""
        return self._counts["failed"]

    def begin(self, inputs: Inputs) -> None:
        """Print what is known before anything is done."""
        for error in self._plan.refused:
            report(error)
        if not (inputs.sources or inputs.refused):
            remark("no file of a known codec is there; `dirac-enhance codecs` lists the codecs")
        if self._verbosity == "verbose":
            for path in inputs.ignored:
                remark(f"{path}: ignored, of no known codec")
            for job in self._plan.skipped:
                remark(f"{job.source}: skipped, '{job.target}' is there")

    def run(self, recipe: Recipe) -> None:
        """Do the plan's jobs."""
        from dirac_enhance.batch.runner import run_batch

        jobs = self._plan.jobs
        label = jobs[0].source.name if len(jobs) == 1 else f"{len(jobs)} files"
        try:
            with (
                follow(label, total=len(jobs), quiet=self._verbosity == "quiet") as progress,
                closing(run_batch(self._plan, recipe, progress=progress.advance)) as outcomes,
            ):
                for outcome in outcomes:
                    self._settle(outcome, progress)
        except KeyboardInterrupt:
            self.end()
            raise

    def end(self) -> None:
        """Print the counts, unless the run was over a single file or has nothing to complain of and is quiet."""
        if not self._plan.alone and (self._verbosity != "quiet" or self.failures):
            remark(", ".join(f"{self._counts[name]} {name}" for name in ("enhanced", "skipped", "failed")))

    def _settle(self, outcome: Outcome, progress: Progress) -> None:
        from dirac_enhance.batch.recipe import Enhanced, Failed

        kind = type(outcome).__name__.lower()
        self._counts[kind] += 1
        with progress.aside():
            progress.settle(outcome.job.source, enhanced=isinstance(outcome, Enhanced))
            if isinstance(outcome, Failed):
                self._report(outcome)
            elif isinstance(outcome, Enhanced):
                self._print(outcome)

    def _report(self, failed: Failed) -> None:
        if isinstance(failed.error, DiracError):
            report(failed.error)
        elif self._plan.alone:
            raise failed.error  # a mistake of ours, whose traceback is worth having
        else:
            remark(
                f"Error: '{failed.job.source}': {type(failed.error).__name__}: {failed.error}; "
                "this should not happen: enhance the file by itself, and tell the authors"
            )

    def _print(self, enhanced: Enhanced) -> None:
        if self._verbosity == "verbose":
            remark(f"{enhanced.job.source}: {', '.join(_describe(enhanced))}")
        if self._verbosity != "quiet":
            print_result(enhanced.job.target)


def _describe(enhanced: Enhanced) -> tuple[str, ...]:
    from dirac_enhance.tiling import TiledPredictor

    enhancer = enhanced.enhancer
    rate = "unknown" if enhanced.rate_factor is None else f"{enhanced.rate_factor:g}"
    tile = enhancer.predictor.tile if isinstance(enhancer.predictor, TiledPredictor) else None
    return (
        f"codec {enhanced.codec_id}",
        f"rate factor {rate}",
        f"{enhanced.width}×{enhanced.height}",
        f"{enhanced.evaluations} evaluation{'s' * (enhanced.evaluations != 1)}",
        f"device {enhancer.device}",
        f"precision {str(enhancer.precision).removeprefix('torch.')}",
        f"tile {tile or 'auto'}",
        f"weights {enhancer.weights_sha256[:12]}",
        f"{enhanced.seconds:.1f} s",
    )
