"""Where bytes come from and go to: files, and standard input and output in their place."""

from __future__ import annotations

import sys
from pathlib import Path

from dirac_enhance.errors import InvalidImageError

STANDARD_STREAM = Path("-")
"""As a source standard input, as a target standard output; a file of that name goes by its full path."""


def name_source(path: Path) -> str:
    """Name a source in a message."""
    return "standard input" if path == STANDARD_STREAM else f"'{path}'"


def read_source(path: Path) -> bytes:
    """Read a whole file, or standard input.

    Raises:
        InvalidImageError: if it is missing, empty, unreadable, no regular file, a terminal, or closed.
    """
    try:
        content = _read_standard_input() if path == STANDARD_STREAM else _read_file(path)
    except FileNotFoundError as cause:
        raise InvalidImageError(f"there is no file '{path}'") from cause
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise InvalidImageError(f"cannot read {name_source(path)}: {reason}") from cause
    if not content:
        raise InvalidImageError(f"{name_source(path)} is empty; expected a picture")
    return content


def _read_file(path: Path) -> bytes:
    if path.is_dir():
        raise InvalidImageError(f"'{path}' is a folder; name the files in it, as in {path / '*.jpg'}")
    if path.exists() and not path.is_file():
        raise InvalidImageError(f"'{path}' is a device or pipe; expected a file, or - to read from standard input")
    return path.read_bytes()


def _read_standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidImageError(
            "standard input is a terminal or closed; expected a picture, as in `dirac-enhance - < photo.jpg`"
        )
    return sys.stdin.buffer.read()


def check_standard_output() -> None:
    """Check that bytes may be written to standard output.

    Raises:
        InvalidImageError: if it is a terminal or closed.
    """
    if sys.stdout is None or sys.stdout.isatty():
        raise InvalidImageError(
            "standard output is a terminal or closed; redirect it, as in `dirac-enhance - > out.png`, or pass -o FILE"
        )


def write_standard_output(content: bytes) -> None:
    """Write bytes to standard output.

    Raises:
        OSError: if whoever reads it went away, or its disk is full.
    """
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
