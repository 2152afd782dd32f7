"""Which file is being worked on, for warnings: they arise in decoders and encoders, which see bytes but no name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SUBJECT: ContextVar[str | None] = ContextVar("subject", default=None)


@contextmanager
def about(name: str) -> Iterator[None]:
    """Let warnings given inside, in this thread, be about the file of this name."""
    token = _SUBJECT.set(name)
    try:
        yield
    finally:
        _SUBJECT.reset(token)


def current_subject() -> str | None:
    """Return the name of the file that this thread is working on, or None."""
    return _SUBJECT.get()
