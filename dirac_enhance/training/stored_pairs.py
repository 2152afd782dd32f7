"""PairReader: draws training pairs that were coded beforehand, and sets some aside for validation.

Original and base reconstruction are flipped and turned *together*, after decoding, which multiplies few pairs by up to
eight. That is sound where a turned reconstruction could be the codec's own reconstruction of the turned original: a
block structure that follows the content and whose largest block divides the stored crop, square transforms whose
quantiser treats both directions alike, filters without a direction. A video codec's intra pictures fulfil this but for
the direction of prediction, which held-out crops (never turned) are there to judge. JPEG does not: its quantisation
tables are not symmetric, so a quarter turn swaps them for tables no encoder writes; 4:2:2 is halved along one direction
only; and in a crop whose side is not a whole number of blocks a flip moves the block grid. There, flip originals
before coding, as `PairMaker` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dirac_enhance.codec import BaseReconstruction, Codec
from dirac_enhance.errors import TrainingError
from dirac_enhance.training.batches import PairBatch
from dirac_enhance.training.colour_symmetries import SYMMETRIES, apply_symmetry
from dirac_enhance.training.images import complete_shares
from dirac_enhance.training.pair_files import PairFiles
from dirac_enhance.training.pair_index import PairRow, group_by_source, source_of

Symmetries = Literal["none", "flips", "flips-and-turns"]
PAIR_MEMORY = 2048
"""MiB of pairs kept decoded: 5,461 of 256×256, at 6 bytes a pixel."""


@dataclass(frozen=True, slots=True)
class StoredPairRecipe:
    """How a pair is drawn from those stored.

    Args:
        crop_size: side of the window cut out of a stored crop, in pixels.
        grid: windows begin at multiples of this many pixels, so that the codec's blocks keep their place relative to
            the network's stride.
        symmetries: applied to original and base reconstruction alike: none, left-right and upside-down flips, or these
            and quarter turns.
        colour_symmetries: whether luma and chroma are negated, and the chroma planes swapped, at random, likewise.
        rate_hidden: probability that the network is not told the rate factor. It never is where the decoder does not
            report one.
    """

    crop_size: int = 128
    grid: int = 16
    symmetries: Symmetries = "flips-and-turns"
    colour_symmetries: bool = False
    rate_hidden: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """One pair in memory: (3, height, width) uint8 both, and what the decoder says of the rate factor, or NaN."""

    original: Tensor
    base_reconstruction: Tensor
    known_rate_factor: float


@dataclass(frozen=True, slots=True, eq=False)
class StoredPairs:
    """The pairs to train on.

    Args:
        rows: all of them.
        shares: probability of each row, adding up to 1.
        files: where they are.
        decoded: the first so many of them, decoded, in memory that worker processes share; the others are read and
            decoded each time they are drawn.
        held_out: rows that are not trained on.
    """

    rows: tuple[PairRow, ...]
    shares: tuple[float, ...]
    files: PairFiles
    decoded: tuple[_Pair, ...]
    held_out: tuple[PairRow, ...] = ()

    def describe(self) -> dict[str, dict[str, float]]:
        """Number of pairs, originals and share of each source, and what was held out, for the model card."""
        figures: dict[str, dict[str, float]] = {}
        for name, rows in group_by_source(self.rows).items():
            share = sum(share for row, share in zip(self.rows, self.shares, strict=True) if source_of(row) == name)
            figures[name] = {"pairs": len(rows), "originals": _originals(rows), "share": round(share, 4)}
        figures["held out"] = {"pairs": len(self.held_out), "originals": _originals(self.held_out), "share": 0.0}
        return figures

    def pair(self, index: int) -> _Pair:
        """Return a pair from memory, or read and decode it."""
        return self.decoded[index] if index < len(self.decoded) else _pack(*self.files.read(self.rows[index]))


def load_pairs(
    rows: Sequence[PairRow],
    files: PairFiles,
    *,
    memory: int = PAIR_MEMORY,
    shares: Mapping[str, float] | None = None,
    held_out: Sequence[PairRow] = (),
) -> StoredPairs:
    """Decode as many pairs as fit into memory.

    Args:
        rows: the pairs to train on, in any order.
        files: where they are.
        memory: MiB that decoded pairs may take, at 6 bytes a pixel.
        shares: of named sources among the pairs drawn; the others divide what is left, by their numbers of pairs.
        held_out: rows that are not trained on, for the description.

    Raises:
        TrainingError: if there is none, a pair cannot be read, or `shares` cannot be.
    """
    if not rows:
        raise TrainingError("no pair is left to train on; hold out fewer with --held-out, or widen --rates")
    ordered = tuple(sorted(rows, key=lambda row: (row.file, row.bitstream)))
    groups = group_by_source(ordered)
    of_source = dict(zip(groups, complete_shares({k: len(v) for k, v in groups.items()}, shares or {}), strict=True))
    fitting, room = 0, memory * 2**20
    while fitting < len(ordered) and room >= (size := 6 * ordered[fitting].width * ordered[fitting].height):
        fitting, room = fitting + 1, room - size
    return StoredPairs(
        rows=ordered,
        shares=tuple(of_source[source_of(row)] / len(groups[source_of(row)]) for row in ordered),
        files=files,
        decoded=tuple(_pack(*pair) for pair in files.read_all(ordered[:fitting])),
        held_out=tuple(held_out),
    )


@dataclass(frozen=True, slots=True)
class PairReader:
    """Draws stored pairs."""

    pool: StoredPairs
    recipe: StoredPairRecipe = field(default_factory=StoredPairRecipe)

    def __post_init__(self) -> None:
        smallest = min(self.pool.rows, key=lambda row: min(row.width, row.height))
        if min(smallest.width, smallest.height) < self.recipe.crop_size:
            raise TrainingError(
                f"the stored crop '{smallest.bitstream}' has {smallest.width}×{smallest.height} pixels; expected at "
                f"least {self.recipe.crop_size} a side; pass a smaller --crop-size"
            )

    @property
    def codec(self) -> Codec:
        """Whose reconstructions they are."""
        return self.pool.files.codec

    def draw_batch(self, generator: np.random.Generator, count: int) -> PairBatch:
        """Draw `count` pairs, some perhaps more than once."""
        indices = generator.choice(len(self.pool.rows), size=count, p=self.pool.shares)
        originals, bases, known = zip(*(self._draw(generator, int(index)) for index in indices), strict=True)
        rates = torch.tensor([self.pool.rows[index].rate_factor for index in indices], dtype=torch.float32)
        return PairBatch(torch.stack(originals), torch.stack(bases), rates, torch.tensor(known))

    def _draw(self, generator: np.random.Generator, index: int) -> tuple[Tensor, Tensor, float]:
        pair, recipe = self.pool.pair(index), self.recipe
        top, left = (
            recipe.grid * int(generator.integers((side - recipe.crop_size) // recipe.grid + 1))
            for side in pair.original.shape[1:]
        )
        flips, turns = generator.integers(2, size=2).tolist(), int(generator.integers(2))
        original, base = (
            _turn(
                plane[:, top : top + recipe.crop_size, left : left + recipe.crop_size], recipe.symmetries, flips, turns
            )
            for plane in (pair.original, pair.base_reconstruction)
        )
        if recipe.colour_symmetries:
            symmetry = int(generator.integers(len(SYMMETRIES)))
            original, base = apply_symmetry(original, symmetry), apply_symmetry(base, symmetry)
        hidden = generator.random() < recipe.rate_hidden
        return original, base, math.nan if hidden else pair.known_rate_factor


def _turn(plane: Tensor, symmetries: Symmetries, flips: Sequence[int], turns: int) -> Tensor:
    """Apply one of the square's eight symmetries: two flips, and a quarter turn or none."""
    if symmetries == "none":
        return plane
    flipped = plane.flip([axis for axis, flip in zip((1, 2), flips, strict=True) if flip])
    return flipped.rot90(turns, (1, 2)) if symmetries == "flips-and-turns" else flipped


def _originals(rows: Sequence[PairRow]) -> int:
    return len({row.file for row in rows})


def _pack(original: Tensor, base: BaseReconstruction) -> _Pair:
    known = math.nan if base.rate_factor is None else float(base.rate_factor)
    return _Pair(original, (base.pixels * 255).round().byte(), known)
