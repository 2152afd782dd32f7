"""Work on several pictures at once, handed back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int) -> Iterator[Result]:
    """Apply a function to items in `jobs` threads, and yield the results in the items' order.

    The first item is worked on alone, so that what fails at once, or loads something, does it once. Items are drawn
    as they are needed, `jobs` ahead at most; with one job everything happens in the caller's thread.
    """
    pending = iter(items)
    if jobs == 1:
        yield from map(function, pending)
        return
    for first in pending:
        yield function(first)
        break
    with ThreadPoolExecutor(jobs) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in pending:
                waiting.append(pool.submit(function, item))
                if len(waiting) > jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
