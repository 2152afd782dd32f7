"""Atomic file writing: a reader sees the whole new file, or what was there before; and the check that it will work.

Whoever writes a temporary file holds a lock on it, of which the system lets go however that process ends. So one that
can be locked is nobody's any more, and may be removed, even where several processes write to one folder.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from dirac_enhance.errors import InvalidImageError, OutputExistsError

if sys.platform != "win32":  # nothing is locked there, and nothing that a killed process left is removed
    import fcntl

_TEMPORARY = re.compile(r"\.dirac-enhance\.[0-9a-f]{16}\.part")


def write_atomically(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write `content` to `path` through a temporary file in the same folder, synchronised and then renamed.

    Whatever fails or interrupts the writing, the folder is left as it was.

    Raises:
        OutputExistsError: if `path` exists, or comes into being meanwhile, and `overwrite` is false.
        OSError: if the folder is missing, not writable or full.
    """
    file = _create_temporary(path.parent)
    temporary = Path(file.name)
    try:
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()  # Windows renames no open file; elsewhere the lock is held until the file has its name
            if overwrite:
                temporary.replace(path)
            else:
                _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote to a folder.

    Those that are being written stay, and so does whatever else is there, and all where nobody can tell.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError):  # the folder is missing or unreadable; what needs it will say so
        for path in [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]:
            with suppress(OSError):  # locked, or no file, or somebody else's
                _remove_unlocked(path)


def _create_temporary(folder: Path) -> IO[bytes]:
    """Create a temporary file, locked while it is open."""
    while True:
        file = (folder / f".dirac-enhance.{secrets.token_hex(8)}.part").open("xb")
        if sys.platform == "win32":
            return file
        with suppress(OSError):  # a file system without locks, on which nothing is removed either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was taken for a leftover before it was locked


def _remove_unlocked(path: Path) -> None:
    """Remove a file, unless a process holds its lock.

    Raises:
        OSError: if one does, or it cannot be removed.
    """
    if sys.platform != "win32":
        with os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _publish(temporary: Path, path: Path) -> None:
    """Give the temporary file its name, which must be free."""
    try:
        os.link(temporary, path)  # unlike a rename, it fails where the name is taken, whoever took it
    except FileExistsError as cause:
        raise already_there(path) from cause
    except OSError as cause:  # a file system without hard links
        if path.exists():
            raise already_there(path) from cause
        temporary.replace(path)


def already_there(path: Path) -> OutputExistsError:
    """The error to raise where `path` exists and may not be overwritten."""
    return OutputExistsError(f"'{path}' already exists; pass --overwrite (overwrite=True) to replace it")


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Check, before any work is done, that a picture can be written to `path`.

    Raises:
        InvalidImageError: if `path` is a folder, or its folder is missing or not writable.
        OutputExistsError: if the file exists and is not to be replaced.
    """
    try:
        if path.is_dir():
            raise InvalidImageError(f"cannot write '{path}': it is a folder; name a file in it")
        if not path.parent.is_dir():
            raise InvalidImageError(f"cannot write '{path}': there is no folder '{path.parent}'; create it first")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise InvalidImageError(f"cannot write '{path}': the folder '{path.parent}' is not writable")
        if not overwrite and (path.is_symlink() or path.exists()):
            raise already_there(path)
    except OSError as cause:  # a name that is too long, say
        raise InvalidImageError(f"cannot write '{path}': {cause.strerror or cause}") from cause


def create_folder(folder: Path) -> None:
    """Create a folder to write to, and those above it, where they are missing.

    Raises:
        InvalidImageError: if that cannot be, or one that is there is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise InvalidImageError(
            f"cannot create the folder '{folder}': {cause.strerror or cause}; pass another -o FOLDER"
        ) from cause
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidImageError(f"cannot write to the folder '{folder}': it is not writable; pass another -o FOLDER")
