"""Grouping: small pictures of one size are collected until they fill a batch for the network."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Grouping(Generic[Item]):
    """Collects items by key; which of them form a group depends on their order alone, never on time.

    Args:
        waiting: pixels of all unfinished groups together, above which the largest is given out as it is.
    """

    def __init__(self, *, waiting: int) -> None:
        self._waiting = waiting
        self._groups: dict[Hashable, list[Item]] = {}
        self._pixels: dict[Hashable, int] = {}

    def add(self, item: Item, *, key: Hashable, pixels: int, batch: int) -> list[list[Item]]:
        """Add an item, and return the groups that are to be worked on now.

        Args:
            item: whatever it is.
            key: of the items that it may form a group with.
            pixels: that it counts for; alone if that is more than half a group.
            batch: pixels of a full group of this key.
        """
        if 2 * pixels > batch:
            return [[item]]
        ready = []
        if self._pixels.get(key, 0) + pixels > batch:
            ready.append(self._give_out(key))
        self._groups.setdefault(key, []).append(item)
        self._pixels[key] = self._pixels.get(key, 0) + pixels
        if sum(self._pixels.values()) > self._waiting:
            ready.append(self._give_out(max(self._pixels, key=lambda key: self._pixels[key])))
        return ready

    def rest(self) -> list[list[Item]]:
        """Return the unfinished groups."""
        return [self._give_out(key) for key in list(self._groups)]

    def _give_out(self, key: Hashable) -> list[Item]:
        del self._pixels[key]
        return self._groups.pop(key)
