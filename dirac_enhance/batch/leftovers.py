"""Leftovers: what killed runs have left where the results of a plan go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirac_enhance.atomic import remove_leftovers
from dirac_enhance.streams import STANDARD_STREAM

if TYPE_CHECKING:
    from dirac_enhance.batch.plan import Plan


def clear_leftovers(plan: Plan) -> None:
    """Remove half-written results of processes that were killed, from all folders that results of a plan lie in."""
    targets = {job.target for job in (*plan.jobs, *plan.skipped)} - {STANDARD_STREAM}
    for folder in sorted({target.parent for target in targets}):
        remove_leftovers(folder)
