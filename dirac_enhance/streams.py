"""Where bytes come from and go to: files, and standard input and output in their place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dirac_enhance.codec import HEADER_BYTES
from dirac_enhance.errors import InvalidImageError

STANDARD_STREAM = Path("-")
"""As a source standard input, as a target standard output; a file of that name goes by its full path."""


def name_source(path: Path) -> str:
    """Name a source in a message."""
    return "standard input" if path == STANDARD_STREAM else f"'{path}'"


@contextmanager
def open_source(path: Path) -> Iterator[OpenSource]:
    """Open a file, or standard input, whose first bytes tell whether the rest is worth reading.

    Raises:
        InvalidImageError: if it is missing, empty, unreadable, no regular file, a terminal, or closed; also inside.
    """
    with _open_standard_input() if path == STANDARD_STREAM else _open_file(path) as file:
        with _one_error(path):
            header = file.read(HEADER_BYTES)
        if not header:
            raise InvalidImageError(f"{name_source(path)} is empty; expected a picture")
        yield OpenSource(path, header, file)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A file of which the beginning was read.

    Args:
        path: of it.
        header: its first `HEADER_BYTES`, or all there are.
        rest: what follows.
    """

    path: Path
    header: bytes
    rest: IO[bytes]

    def read(self) -> bytes:
        """Return the whole content.

        Raises:
            InvalidImageError: if it cannot be read, or is larger than the memory.
        """
        with _one_error(self.path):
            try:
                return self.header + self.rest.read()
            except MemoryError as cause:
                raise InvalidImageError(
                    f"not enough memory to read {name_source(self.path)}; expected a compressed picture, which is small"
                ) from cause


def read_source(path: Path) -> bytes:
    """Read a whole file, or standard input; errors as of `open_source`."""
    with open_source(path) as source:
        return source.read()


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as cause:
        raise InvalidImageError(f"there is no file '{path}'") from cause
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise InvalidImageError(f"cannot read {name_source(path)}: {reason}") from cause


def _open_file(path: Path) -> IO[bytes]:
    with _one_error(path):
        if path.is_dir():
            raise InvalidImageError(f"'{path}' is a folder; name the files in it, as in {path / '*.jpg'}")
        if path.exists() and not path.is_file():
            raise InvalidImageError(f"'{path}' is a device or pipe; expected a file, or - to read from standard input")
        return path.open("rb")


def _open_standard_input() -> AbstractContextManager[IO[bytes]]:
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidImageError(
            "standard input is a terminal or closed; expected a picture, as in `dirac-enhance - < photo.jpg`"
        )
    return nullcontext(sys.stdin.buffer)  # it stays open


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
