"""Signals that ask a process to end, met as Ctrl-C is: what is under way unwinds, and cleans up after itself."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What service managers, job queues and `kill` send; and what a terminal sends that is closed, if there is such."""
_SAME_REQUEST = 5.0
"""Seconds in which a second signal is no second request: a closed terminal's processes get SIGHUP from several."""


class EndedBySignal(KeyboardInterrupt):
    """The process was asked to end by a signal; like its parent no error.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def unwound_by(*numbers: int) -> Iterator[None]:
    """Raise `EndedBySignal` in the main thread when one of these signals comes; what they did before returns after.

    Further ones within seconds are ignored, so that they do not meet the cleaning up that the first one began. A signal
    that the process was told to ignore, as by `nohup`, stays ignored. In another thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    answered_until = float("-inf")

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal answered_until
        if time.monotonic() >= answered_until:
            answered_until = time.monotonic() + _SAME_REQUEST
            raise EndedBySignal(number)

    before = {number: signal.getsignal(number) for number in numbers}
    heeded = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in heeded:
            signal.signal(number, end)
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Return what a shell shows for a process that the signal ended: 128 and its number."""
    number = interruption.number if isinstance(interruption, EndedBySignal) else signal.SIGINT
    return 128 + number


def describe(interruption: KeyboardInterrupt) -> str:
    """Say in a line what happened."""
    if isinstance(interruption, EndedBySignal):
        return f"Ended by {signal.Signals(interruption.number).name}."
    return "Interrupted."
