"""Runs in processes of their own, which tests interrupt or kill once they have got somewhere."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 120.0
"""Seconds that a slow machine may take for what a quick one does in two."""

needs_signals = pytest.mark.skipif(os.name != "posix", reason="a process cannot be sent SIGINT or SIGKILL elsewhere")


def start_python(*arguments: object, alone: bool = False, **environment: str) -> subprocess.Popen[str]:
    """Start Python at the root of the repository on one thread; what it says, on either stream, is kept apart.

    Args:
        arguments: of Python.
        alone: whether it is in a process group of its own, with the processes that it starts.
        environment: besides what this process has.
    """
    with _no_signal_ignored():
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=alone,
        )


@contextmanager
def _no_signal_ignored() -> Iterator[None]:
    """Give a process that is started meanwhile the usual signals, which a test run under `nohup` would not pass on."""
    endings = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    ignored = [number for number in endings if number and signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def start_ranks(size: int, *arguments: object) -> list[subprocess.Popen[str]]:
    """Start the processes of one distributed run as `start_python` does, told of each other as by `torchrun`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        meeting = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    ranks = ({"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size))
    return [start_python(*arguments, alone=False, **meeting, **rank) for rank in ranks]


def wait_until(got_there: Callable[[], object], process: subprocess.Popen[str], *, patience: float = PATIENCE) -> None:
    """Wait until a run has got somewhere; it must neither end before that nor take longer than `patience` seconds.

    A run that takes longer is killed.
    """
    deadline = time.monotonic() + patience
    while not got_there():
        assert process.poll() is None, process.communicate()
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"it got nowhere in {patience:g} seconds: {process.communicate()}")
        time.sleep(0.01)


def kill_9(process: subprocess.Popen[str]) -> None:
    """End a run as `kill -9` does, which it cannot answer; it must not have ended by itself."""
    process.kill()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL, said
