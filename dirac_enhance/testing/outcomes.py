"""What calls of a codec's methods may come to, and how a broken promise is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from dirac_enhance.errors import DiracError

P = ParamSpec("P")
T = TypeVar("T")

WHATEVER = (Exception, SystemExit)
"""What a plugin may raise where it should not; libraries that were written for scripts call `sys.exit`."""


def succeed(what: str, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call returns; whatever it raises is a broken promise."""
    try:
        return call(*args, **kwargs)
    except WHATEVER as exception:
        fail(what, "it to succeed", describe(exception), cause=exception)


def refuse(what: str, error: type[DiracError], call: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Make a call that has to raise `error`."""
    try:
        came = call(*args, **kwargs)
    except error:
        return
    except WHATEVER as exception:
        fail(what, error.__name__, describe(exception), cause=exception)
    fail(what, error.__name__, f"no error, but {type(came).__name__}")


def fail(what: str, expected: str, came: str, *, cause: BaseException | None = None) -> NoReturn:
    """Tell a broken promise.

    Raises:
        AssertionError: always.
    """
    raise AssertionError(f"{what}: expected {expected}, got {came}") from cause


def describe(exception: BaseException) -> str:
    """Return an exception's type and message."""
    return f"{type(exception).__name__}: {exception}"
