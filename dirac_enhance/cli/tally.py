"""Tally: runs a plan, prints what becomes of each file, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Literal

from dirac_enhance.cli.console import print_result, remark, report
from dirac_enhance.cli.progress import Progress, follow
from dirac_enhance.errors import DiracError

if TYPE_CHECKING:
    from dirac_enhance.batch.inputs import Inputs
    from dirac_enhance.batch.plan import Plan
    from dirac_enhance.batch.recipe import DecodedFile, Enhanced, Failed, Outcome

Verbosity = Literal["quiet", "normal", "verbose"]

MOST_KINDS = 6
"""Suffixes that are named of the files that were ignored."""


class Tally:
    """Prints what becomes of each file, and counts.

    Args:
        plan: of the run.
        verbosity: how much is printed.
        verb: what is done to a file, in the past tense.
    """

    def __init__(self, plan: Plan, verbosity: Verbosity, *, verb: Literal["enhanced", "decoded"] = "enhanced") -> None:
        self._plan = plan
        self._verbosity = verbosity
        self._verb = verb
        self._counts: Counter[str] = Counter(skipped=len(plan.skipped), failed=len(plan.refused))
        self._ignored: str | None = None

    @property
    def failures(self) -> int:
        """Files that could not be done, and inputs that are none."""
        return self._counts["failed"]

    def begin(self, inputs: Inputs) -> None:
        """Print what is known before anything is done."""
        self._ignored = _sum_up_ignored(inputs) if inputs.ignored else None
        for error in self._plan.refused:
            report(error)
        if not (inputs.sources or inputs.refused):
            remark("no file of a known codec is there; `dirac-enhance codecs` lists the codecs")
        if self._verbosity == "verbose":
            for path in inputs.ignored:
                remark(f"{path}: ignored, {inputs.ignored_as}")
            for job in self._plan.skipped:
                remark(f"{job.source}: skipped, '{job.target}' is there")

    def run(self, start: Callable[[Progress], Generator[Outcome, None, None]]) -> None:
        """Do the plan's jobs: `start` is given what shows their progress, and yields what became of each."""
        jobs = self._plan.jobs
        settled = len(self._plan.skipped) + len(self._plan.refused)
        total = len(jobs) + settled
        label = jobs[0].source.name if total == 1 else f"{total} files"
        try:
            with (
                follow(label, total=total, settled=settled, quiet=self._verbosity == "quiet") as progress,
                closing(start(progress)) as outcomes,
            ):
                for outcome in outcomes:
                    self._settle(outcome, progress)
        except KeyboardInterrupt:
            self.end()
            raise

    def end(self) -> None:
        """Print the counts, unless the run was over a single file or has nothing to complain of and is quiet.

        Files that were ignored are counted, too, in a line before, which a quiet run leaves out.
        """
        if self._ignored is not None and self._verbosity != "quiet":
            remark(self._ignored)
        if not self._plan.alone and (self._verbosity != "quiet" or self.failures):
            remark(", ".join(f"{self._counts[name]} {name}" for name in (self._verb, "skipped", "failed")))

    def _settle(self, outcome: Outcome, progress: Progress) -> None:
        from dirac_enhance.batch.recipe import Failed, Skipped

        kind = "failed" if isinstance(outcome, Failed) else "skipped" if isinstance(outcome, Skipped) else self._verb
        self._counts[kind] += 1
        with progress.aside():
            progress.settle(outcome.job.source, done=kind == self._verb)
            if isinstance(outcome, Failed):
                self._report(outcome)
            elif not isinstance(outcome, Skipped):
                self._print(outcome)

    def _report(self, failed: Failed) -> None:
        if isinstance(failed.error, DiracError):
            report(failed.error)
        elif self._plan.alone:
            raise failed.error  # a mistake of ours, whose traceback is worth having
        else:
            remark(
                f"Error: '{failed.job.source}': {type(failed.error).__name__}: {failed.error}; "
                "this should not happen: run it on that file alone, and tell the authors"
            )

    def _print(self, done: Enhanced | DecodedFile) -> None:
        from dirac_enhance.batch.recipe import Enhanced

        if self._verbosity == "verbose" and isinstance(done, Enhanced):
            remark(f"{done.job.source}: {', '.join(_describe(done))}")
        if self._verbosity != "quiet":
            print_result(done.job.target)


def _sum_up_ignored(inputs: Inputs) -> str:
    """Say how many files were ignored, of which suffixes, and how to have those taken that may be decoded pictures."""
    from dirac_enhance.batch.inputs import OF_NO_CODEC, recognise_decoded

    count = len(inputs.ignored)
    by_suffix = Counter(path.suffix.lower() or "without a suffix" for path in inputs.ignored)
    kinds = [f"{number} {suffix}" for suffix, number in sorted(by_suffix.items(), key=lambda item: (-item[1], item[0]))]
    listed = ", ".join([*kinds[:MOST_KINDS], *(["others"] if len(kinds) > MOST_KINDS else [])])
    hinted = inputs.ignored_as == OF_NO_CODEC and any(map(recognise_decoded, inputs.ignored))
    hint = "; for decoded pictures pass the codec of their artefacts, --enhancer ID" if hinted else ""
    return f"{count} file{'s' * (count != 1)} ignored, {inputs.ignored_as}: {listed}{hint}"


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
