"""Running a peer's program: no shell, a time limit for it and its children, one line on what went wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dirac_enhance import RestorerError

_TAIL_BYTES = 4000
_LONGEST_REASON = 300


def run_program(arguments: Sequence[str], *, restorer_id: str, folder: Path, time_limit: float) -> None:
    """Run a program to its end, with nothing to read and its output kept for the error message.

    Args:
        arguments: the program and its arguments.
        restorer_id: for messages.
        folder: to run in.
        time_limit: seconds, after which the program and all it started are killed.

    Raises:
        RestorerError: if it cannot be started, exceeds the limit, or ends with a status other than 0.
    """
    program = shutil.which(arguments[0]) or arguments[0]
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                [os.path.abspath(program), *arguments[1:]],  # noqa: PTH100 - seen from here, as it runs elsewhere
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that its children can be ended with it
            )
        except OSError as cause:
            raise RestorerError(f"{restorer_id} cannot be started: '{arguments[0]}': {cause.strerror}") from cause
        try:
            status = process.wait(timeout=time_limit)
        except subprocess.TimeoutExpired as cause:
            _end(process)
            raise RestorerError(
                f"{restorer_id} did not end within {time_limit:g} s and was stopped; raise its time limit"
            ) from cause
        except BaseException:  # an interruption of this process
            _end(process)
            raise
        if status != 0:
            ending = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise RestorerError(f"{restorer_id} {ending}: {_last_line(output.fileno())}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that is still running, and its group."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:  # it ended meanwhile
        pass
    process.wait()


def _last_line(descriptor: int) -> str:
    """The last line a program printed: an exception's message, a tool's complaint."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, max(0, size - _TAIL_BYTES), os.SEEK_SET)
    lines = os.read(descriptor, _TAIL_BYTES).decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][-_LONGEST_REASON:] if said else "it printed nothing"
