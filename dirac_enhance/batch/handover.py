"""PixelQueue: hands pictures from one thread to another, and holds up the first while many pixels wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class PixelQueue(Generic[Item]):
    """A queue from one producer to one consumer, never over its limit by more than one item.

    Args:
        limit: pixels that may wait before the producer does.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[tuple[Item, int]] = deque()
        self._pixels = 0
        self._finished = self._closed = False
        self._changed = Condition()

    def put(self, item: Item, *, pixels: int) -> bool:
        """Hand over an item, and wait until there is room for the next; return whether one is still wanted."""
        with self._changed:
            self._items.append((item, pixels))
            self._pixels += pixels
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._pixels <= self._limit)
            return not self._closed

    def finish(self) -> None:
        """Say, as the producer, that nothing more will come."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """Say, as the consumer, that nothing more is wanted; what waits is dropped."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Take items in their order, waiting for them, until the producer has finished."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._finished or self._closed)
                if not self._items:
                    return
                item, pixels = self._items.popleft()
                self._pixels -= pixels
                self._changed.notify_all()
            yield item
            del item  # not kept while the next is waited for
