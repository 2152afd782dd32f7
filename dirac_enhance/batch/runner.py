"""run_batch: decodes, enhances and writes many files at the same time, within bounded memory.

       └── a thread ──┘              └ caller's ┘   └─ a thread each ─┘  └─ a few threads ─┘
jobs ──decode_file──► PixelQueue ──► Grouping ──► Lanes: enhance_batch ──► write_image ──► outcomes
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

import torch

from dirac_enhance.batch.decoding import DecodedPicture, decode_ahead
from dirac_enhance.batch.grouping import Grouping
from dirac_enhance.batch.lanes import Lanes, Progress, batch_pixels, counted_pixels
from dirac_enhance.batch.plan import Plan
from dirac_enhance.batch.recipe import Failed, Outcome, Recipe, Skipped, raise_if_of_all
from dirac_enhance.batch.writing import EnhancedPicture, Writing

GROUPED_PIXELS = 8_000_000
"""Pixels that may wait in unfinished groups, until there are more of their size."""


def ignore_progress(_pictures: float) -> None:
    """Tell nobody."""


def run_batch(plan: Plan, recipe: Recipe, *, progress: Progress = ignore_progress) -> Generator[Outcome, None, None]:
    """Do the jobs of a plan, and tell what became of each, about in their order.

    Codecs and `load_enhancer_of` are called from one thread of their own, the network from several. Pictures of up to
    half of `batch_pixels` go through the network with others of their padded size; which ones depends on the files and
    their order alone. Decoded pixels in memory are bounded by the limits `QUEUED_PIXELS`, `GROUPED_PIXELS` and
    `WRITTEN_PIXELS`, a batch for each lane and one more, and one picture more at each stage, however many files there
    are.

    Close the iterator to stop: then, as after an error or Ctrl-C, evaluations that have begun and results that are
    being written are finished, the others are dropped, and neither threads nor temporary files are left.

    Raises:
        Exception: one of `recipe.of_all_files`.
    """
    with (
        decode_ahead(plan, recipe) as decoded,
        Writing(plan, recipe) as writing,
        Lanes(recipe, files=len(plan.jobs), progress=progress) as lanes,
    ):
        for group in _groups(decoded, files=len(plan.jobs)):
            if isinstance(group, list):
                yield from _write(lanes.submit(group), writing)
            else:
                yield raise_if_of_all(group, recipe)
            del group
        yield from _write(lanes.finish(), writing)
        yield from writing.finish()


def _groups(
    decoded: Iterator[DecodedPicture | Skipped | Failed], *, files: int
) -> Iterator[list[DecodedPicture] | Skipped | Failed]:
    """Put pictures that can go through the network together into lists."""
    grouping: Grouping[DecodedPicture] = Grouping(waiting=GROUPED_PIXELS)
    for item in decoded:
        if isinstance(item, DecodedPicture):
            device, key = item.enhancer.device, (id(item.enhancer), item.padded_size)
            pixels = counted_pixels(item.weight, device, files=files, threads=torch.get_num_threads())
            yield from grouping.add(item, key=key, pixels=pixels, batch=batch_pixels(device))
        else:
            yield item
        del item
    yield from grouping.rest()


def _write(results: Iterable[EnhancedPicture | Failed], writing: Writing) -> Iterator[Outcome]:
    """Have results written, and pass on which files failed."""
    for each in results:
        if isinstance(each, Failed):
            yield each
        else:
            yield from writing.write(each)
        del each
