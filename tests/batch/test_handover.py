"""The queue between threads: order, bound and both ways to end."""

from __future__ import annotations

from threading import Event, Thread

from dirac_enhance.batch.handover import PixelQueue

PATIENCE = 10.0
"""Seconds until a test gives up waiting for another thread."""


def test_items_arrive_in_their_order_and_then_it_ends() -> None:
    queue: PixelQueue[int] = PixelQueue(1000)
    assert all(queue.put(number, pixels=1) for number in range(5))
    queue.finish()
    assert list(queue) == [0, 1, 2, 3, 4]


def test_the_producer_is_held_up_one_item_over_the_limit() -> None:
    queue: PixelQueue[str] = PixelQueue(100)
    over = Event()

    def produce() -> None:
        queue.put("small", pixels=100)
        queue.put("large", pixels=500)
        over.set()
        queue.finish()

    producer = Thread(target=produce)
    producer.start()
    items = iter(queue)
    assert next(items) == "small"
    assert not over.wait(0.05)
    assert next(items) == "large"
    assert over.wait(PATIENCE)
    assert list(items) == []
    producer.join(PATIENCE)


def test_closing_frees_the_producer_and_tells_it_to_stop() -> None:
    queue: PixelQueue[str] = PixelQueue(100)
    wanted: list[bool] = []
    producer = Thread(target=lambda: wanted.append(queue.put("large", pixels=500)))
    producer.start()
    queue.close()
    producer.join(PATIENCE)
    assert wanted == [False]
    assert list(queue) == []
