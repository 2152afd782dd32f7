"""decode_batch: writes what enhancing starts from, file by file."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from dirac_enhance.batch.plan import Plan, is_done
from dirac_enhance.batch.recipe import OF_ALL_FILES, DecodedFile, Failed, Outcome, Skipped, failed
from dirac_enhance.errors import OutputExistsError
from dirac_enhance.pipeline import DETECTED, CodecChoice, decode_to_file

if TYPE_CHECKING:
    from dirac_enhance.batch.plan import Job
    from dirac_enhance.host import CodecHost
    from dirac_enhance.image import OutputSettings


def decode_batch(
    plan: Plan, *, host: CodecHost, output: OutputSettings, choice: CodecChoice = DETECTED
) -> Generator[Outcome, None, None]:
    """Decode the files of a plan without enhancing them, and tell what became of each, in their order.

    Raises:
        Exception: one of `OF_ALL_FILES`.
    """
    for job in plan.jobs:
        yield _decode(job, plan, host=host, output=output, choice=choice)


def _decode(job: Job, plan: Plan, *, host: CodecHost, output: OutputSettings, choice: CodecChoice) -> Outcome:
    if not plan.alone and not output.overwrite and is_done(job):  # another process may work on the same folder
        return Skipped(job)
    try:
        decode_to_file(
            job.source, job.target, host=host, choice=choice, output=output, creates_folder=plan.creates_folder
        )
    except OF_ALL_FILES:
        raise
    except OutputExistsError as error:
        return Failed(job, error) if plan.alone else Skipped(job)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one file, the others go on
        return failed(job, error, purpose="to write its result")
    return DecodedFile(job)
