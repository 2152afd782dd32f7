"""Which pictures go through the network together."""

from __future__ import annotations

import random

from dirac_enhance.batch.grouping import Grouping


def _groups(items: list[tuple[str, int]], *, batch: int = 100, waiting: int = 1000) -> list[list[tuple[str, int]]]:
    grouping: Grouping[tuple[str, int]] = Grouping(waiting=waiting)
    ready = [group for item in items for group in grouping.add(item, key=item[0], pixels=item[1], batch=batch)]
    return ready + grouping.rest()


def test_items_of_one_key_fill_groups_in_their_order() -> None:
    a, b = ("a", 30), ("b", 30)
    assert _groups([a, b, a, a, b, a]) == [[a, a, a], [b, b], [a]]


def test_an_item_too_large_to_find_company_does_not_wait() -> None:
    assert _groups([("a", 10), ("a", 51), ("a", 500), ("a", 10)]) == [
        [("a", 51)],
        [("a", 500)],
        [("a", 10), ("a", 10)],
    ]


def test_what_waits_is_bounded_and_the_largest_group_goes_first() -> None:
    items = [("a", 10), ("b", 30), ("b", 30), ("c", 20), ("d", 20)]
    assert _groups(items, waiting=100)[0] == [("b", 30), ("b", 30)]


def test_every_item_comes_out_once_and_no_group_is_over_full_or_mixed() -> None:
    generator = random.Random(0)  # noqa: S311 - no secret
    items = [(generator.choice("abcdefg"), generator.randint(1, 80)) for _ in range(500)]
    groups = _groups(items, waiting=150)
    assert sorted(item for group in groups for item in group) == sorted(items)
    for group in groups:
        assert len({key for key, _ in group}) == 1
        assert len(group) == 1 or sum(pixels for _, pixels in group) <= 100
