"""RemainingTime: how long a run will still take, from how long its pictures took so far."""

from __future__ import annotations

from collections.abc import Iterable


class RemainingTime:
    """Estimates by kind of work: a peer takes minutes where the plain codec takes milliseconds.

    Args:
        planned: kind and number of pictures of each part of the run.
    """

    def __init__(self, planned: Iterable[tuple[str, int]]) -> None:
        self._left: dict[str, int] = {}
        for kind, pictures in planned:
            self._left[kind] = self._left.get(kind, 0) + pictures
        self._seen: dict[str, tuple[float, int]] = {}

    def picture(self, kind: str, seconds: float) -> None:
        """Count a picture that is done."""
        total, number = self._seen.get(kind, (0.0, 0))
        self._seen[kind] = total + seconds, number + 1
        self._left[kind] -= 1

    def give_up(self, kind: str, pictures: int) -> None:
        """Count pictures that will not be done."""
        self._left[kind] -= pictures

    def seconds(self) -> float | None:
        """Return the estimate: None before the first picture; a kind not seen yet takes as long as those on average."""
        if not self._seen:
            return None
        rates = {kind: total / number for kind, (total, number) in self._seen.items()}
        usual = sum(rates.values()) / len(rates)
        return sum(left * rates.get(kind, usual) for kind, left in self._left.items())


def format_seconds(seconds: float) -> str:
    """As people say it: "45 s", "12 min", "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
