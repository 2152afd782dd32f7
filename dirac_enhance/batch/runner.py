"""run_batch: decodes, enhances and writes many files at the same time, within bounded memory.

       └── a thread ──┘              └── caller's thread ──┘   └─ a few threads ─┘
jobs ──decode_file──► PixelQueue ──► Grouping ──► enhance_batch ──► write_image ──► outcomes
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

from dirac_enhance.batch.decoding import DecodedPicture, decode_ahead
from dirac_enhance.batch.grouping import Grouping
from dirac_enhance.batch.plan import Plan
from dirac_enhance.batch.recipe import Enhanced, Failed, Outcome, Recipe, Skipped, raise_if_of_all
from dirac_enhance.batch.writing import EnhancedPicture, Writing
from dirac_enhance.enhancer import BATCH_PIXELS

GROUPED_PIXELS = 8_000_000
"""Pixels that may wait in unfinished groups, until there are more of their size."""

Progress = Callable[[float], None]
"""Called after each evaluation of the network with the number of pictures enhanced so far, parts of them included."""


def ignore_progress(_pictures: float) -> None:
    """Tell nobody."""


def run_batch(plan: Plan, recipe: Recipe, *, progress: Progress = ignore_progress) -> Generator[Outcome, None, None]:
    """Do the jobs of a plan, and tell what became of each, about in their order.

    Codecs and `load_enhancer_of` are called from one thread of their own, the network from the caller's. Pictures of
    up to half of `BATCH_PIXELS` go through the network with others of their padded size; which ones depends on the
    order of the files alone. Decoded pixels in memory are bounded by the limits `QUEUED_PIXELS`, `GROUPED_PIXELS`
    and `WRITTEN_PIXELS` and one picture more at each stage, however many files there are.

    Close the iterator to stop: then, as after an error or Ctrl-C, results that are being written are finished, the
    others are dropped, and neither threads nor temporary files are left.

    Raises:
        Exception: one of `recipe.of_all_files`.
    """
    done = 0.0

    def advance(part: float) -> None:
        progress(done + part)

    with decode_ahead(plan, recipe) as decoded, Writing(plan, recipe) as writing:
        for group in _groups(decoded):
            if not isinstance(group, list):
                yield raise_if_of_all(group, recipe)
                continue
            for each in _enhance(group, recipe, advance):
                if isinstance(each, Failed):
                    yield raise_if_of_all(each, recipe)
                else:
                    yield from writing.write(each)
                del each
            done += len(group)
            del group
        yield from writing.finish()


def _groups(decoded: Iterator[DecodedPicture | Skipped | Failed]) -> Iterator[list[DecodedPicture] | Skipped | Failed]:
    """Put pictures that can go through the network together into lists."""
    grouping: Grouping[DecodedPicture] = Grouping(batch=BATCH_PIXELS, waiting=GROUPED_PIXELS)
    for item in decoded:
        if isinstance(item, DecodedPicture):
            key = (id(item.enhancer), item.padded_size)
            yield from grouping.add(item, key=key, pixels=item.weight)
        else:
            yield item
        del item
    yield from grouping.rest()


def _enhance(group: list[DecodedPicture], recipe: Recipe, advance: Progress) -> Iterator[EnhancedPicture | Failed]:
    """Enhance a group together, or, after an error, each of its pictures alone."""
    started = time.perf_counter()
    try:
        enhanced = group[0].enhancer.enhance_batch(
            [picture.decoded.base for picture in group],
            recipe.sampling,
            progress=lambda done, total: advance(len(group) * done / total),
        )
    except Exception as error:
        if isinstance(error, recipe.of_all_files):
            raise
        if len(group) == 1:
            yield Failed(group[0].job, error)
        else:
            for picture in group:
                yield from _enhance([picture], recipe, ignore_progress)
        return
    seconds = (time.perf_counter() - started) / len(group)
    for picture, pixels in zip(group, enhanced, strict=True):
        base = picture.decoded.base
        yield EnhancedPicture(
            pixels, base.alpha, base.metadata, picture.weight, _describe(picture, recipe, seconds=seconds)
        )


def _describe(picture: DecodedPicture, recipe: Recipe, *, seconds: float) -> Enhanced:
    """Tell what was done to a picture, in `seconds` of the network."""
    base, sampling = picture.decoded.base, recipe.sampling
    return Enhanced(
        picture.job,
        picture.decoded.codec.codec.id,
        base.rate_factor,
        base.height,
        base.width,
        picture.enhancer,
        sampling.samples * picture.enhancer.evaluations(**sampling.trajectory_keywords()),
        picture.seconds + seconds,
    )
