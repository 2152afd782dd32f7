"""Signals that end the process: what they raise, how often, and what is put back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from dirac_enhance import interruption
from dirac_enhance.interruption import ENDING, EndedBySignal, describe, exit_code, unwound_by
from processes import needs_signals

pytestmark = needs_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Have each of the signals do here what it does in a new process."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_unwinds_as_ctrl_c_does(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, unwound_by(*ENDING):
        signal.raise_signal(number)

    assert exit_code(caught.value) == 128 + number
    assert describe(caught.value) == f"Ended by {number.name}."
    assert [signal.getsignal(each) for each in ENDING] == [signal.SIG_DFL] * len(ENDING)


def test_ctrl_c_keeps_its_code_and_words() -> None:
    assert (exit_code(KeyboardInterrupt()), describe(KeyboardInterrupt())) == (130, "Interrupted.")


def end_twice(cleaned: list[bool]) -> None:
    with unwound_by(*ENDING):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGHUP)
            cleaned.append(True)


def test_a_second_signal_does_not_meet_the_cleaning_up() -> None:
    cleaned: list[bool] = []
    with pytest.raises(EndedBySignal, match="SIGTERM"):
        end_twice(cleaned)
    assert cleaned


def test_a_signal_long_after_another_is_a_new_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "_SAME_REQUEST", 0.0)
    cleaned: list[bool] = []
    with pytest.raises(EndedBySignal, match="SIGHUP"):
        end_twice(cleaned)
    assert not cleaned


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with unwound_by(*ENDING):
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_in_another_thread_nothing_changes() -> None:
    seen: list[object] = []

    def look() -> None:
        with unwound_by(*ENDING):
            seen.extend(signal.getsignal(number) for number in ENDING)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL] * len(ENDING)
