"""Running a peer's program: no shell, a time limit for it and its children, one line on what went wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dirac_enhance import RestorerError

_TAIL_BYTES = 4000
_LONGEST_REASON = 300
_MAXRSS_PER_MIB = 2**20 if sys.platform == "darwin" else 2**10

# A process is charged for the memory of the one that started it, which has torch loaded: this small one stands between.
# It says why the program cannot be started, or how it ended, how long it took and what it took at most.
_LAUNCHER = """
import os, sys, time
report = int(sys.argv[1])
os.set_inheritable(report, False)
start = time.perf_counter()
try:
    process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
except OSError as error:
    os.write(report, b"%d" % error.errno)
    sys.exit(1)
_, status, usage = os.wait4(process, 0)
os.write(report, b"%d %f %d" % (status, time.perf_counter() - start, usage.ru_maxrss))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program took.

    Args:
        seconds: from its start to its end.
        peak_memory_mib: the largest resident set of it and of those it started and waited for; None where the system
            does not tell.
    """

    seconds: float
    peak_memory_mib: float | None


def run_program(arguments: Sequence[str], *, restorer_id: str, folder: Path, time_limit: float) -> Cost:
    """Run a program to its end, with nothing to read and its output kept for the error message.

    Args:
        arguments: the program and its arguments.
        restorer_id: for messages.
        folder: to run in.
        time_limit: seconds, after which the program and all it started are killed.

    Raises:
        RestorerError: if it cannot be started, exceeds the limit, or ends with a status other than 0.
    """
    program = os.path.abspath(shutil.which(arguments[0]) or arguments[0])  # noqa: PTH100 - seen from here, as it runs elsewhere
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as report:
        measured = hasattr(os, "wait4")
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(report.fileno())] if measured else []
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                [*launcher, program, *arguments[1:]],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that its children can be ended with it
                pass_fds=(report.fileno(),) if measured else (),
            )
        except OSError as cause:
            raise _not_started(restorer_id, arguments[0], cause) from cause
        try:
            status = process.wait(timeout=time_limit)
        except subprocess.TimeoutExpired as cause:
            _end(process)
            raise RestorerError(
                f"{restorer_id} did not end within {time_limit:g} s and was stopped; raise --peer-time-limit SECONDS"
            ) from cause
        except BaseException:  # an interruption of this process
            _end(process)
            raise
        cost = Cost(time.perf_counter() - start, None)
        report.seek(0)
        said = report.read().split()
        if len(said) == 1:
            raise _not_started(restorer_id, arguments[0], OSError(int(said[0]), os.strerror(int(said[0]))))
        if said:  # else the launcher itself was killed
            status = os.waitstatus_to_exitcode(int(said[0]))
            cost = Cost(float(said[1]), int(said[2]) / _MAXRSS_PER_MIB)
        if status != 0:
            ending = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise RestorerError(f"{restorer_id} {ending}: {_last_line(output.fileno())}")
        return cost


def _not_started(restorer_id: str, program: str, cause: OSError) -> RestorerError:
    return RestorerError(f"{restorer_id} cannot be started: '{program}': {cause.strerror}")


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
