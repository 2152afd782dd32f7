"""Running a program of others: without a shell, within a time limit, and with nothing left behind in any case."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from threading import Thread
from typing import IO

from dirac_enhance import PluginError

_KEPT_BYTES = 1 << 20
_GRACE_SECONDS = 5


class ProgramError(PluginError):
    """A program that could not be started, failed, was killed, or ran for too long."""


class ProgramFailedError(ProgramError):
    """A program that was started, and then ended with an error or was killed."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for one run of a program, and remove it with all that is in it.

    Raises:
        ProgramError: if it cannot be made or written to, as when the disk is full.
    """
    try:
        with TemporaryDirectory(prefix="dirac-enhance-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as cause:
        raise ProgramError(
            f"cannot work in the temporary folder '{_temporary_place()}': {cause.strerror or cause};"
            " set TMPDIR to a folder on a disk with space"
        ) from cause


def _temporary_place() -> str:
    try:
        return gettempdir()
    except OSError:
        return os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - only named


def run_program(command: Sequence[str | Path], *, folder: Path, timeout: float, success: tuple[int, ...] = (0,)) -> str:
    """Run a program in `folder`, which is also where it and its children put their temporary files.

    When this returns or raises, Ctrl-C included, the program and the processes it started have ended.

    Args:
        command: the program's path and its arguments.
        folder: to run in.
        timeout: seconds it may take.
        success: the exit codes that are none of an error.

    Returns:
        What it printed, to both standard output and standard error; the last mebibyte of it.

    Raises:
        ProgramError: if it cannot be started, or takes too long.
        ProgramFailedError: if it ends with another exit code or is killed; the message has the last line it printed.
    """
    name = Path(command[0]).name
    process = _start(command, folder)
    printed = bytearray()
    reader = Thread(target=_keep_end, args=(process.stdout, printed), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired as cause:
        raise ProgramError(
            f"{name} was stopped after {timeout:g} seconds; allow it more with --codec-option timeout=SECONDS"
        ) from cause
    finally:
        _end(process)
        reader.join(_GRACE_SECONDS)
    text = printed.decode("utf-8", errors="replace")
    if code not in success:
        raise ProgramFailedError(f"{name} {_describe_end(code)}: {last_line(text)}")
    return text


def last_line(text: str) -> str:
    """Return the last line that is not blank, or what stands for none."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "it printed nothing"


def _start(command: Sequence[str | Path], folder: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its children can be ended with it
        )
    except OSError as cause:
        raise ProgramError(f"cannot run '{command[0]}': {cause.strerror or cause}; {_advise(cause)}") from cause


def _advise(cause: OSError) -> str:
    if isinstance(cause, FileNotFoundError):
        return "check codec option build-dir"
    if isinstance(cause, PermissionError):
        return "make it executable with chmod +x"
    return "it must be built for this machine"


def _keep_end(stream: IO[bytes], printed: bytearray) -> None:
    """Read to the end, so that the program never waits for us, and keep the last of it."""
    with stream:
        while chunk := stream.read(4096):
            printed += chunk
            del printed[:-_KEPT_BYTES]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program, if it still runs, and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _describe_end(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
