"""A lock on a folder, for reading and writing its files in one go; it leaves no file behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait for others, in whichever thread or process, that lock the folder, and keep them out meanwhile.

    The system lets go of a lock whose process is killed. Where a folder cannot be locked, as on Windows and on some
    network file systems, nobody is kept out.

    Raises:
        OSError: if there is no such folder.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
