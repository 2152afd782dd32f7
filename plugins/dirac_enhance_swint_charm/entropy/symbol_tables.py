"""SymbolTables: the integer probability tables that symbols are coded with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy
from numpy.typing import NDArray
from torch import Tensor

from dirac_enhance import WeightsError

PRECISION_BITS = 16
"""Probabilities are in units of 2⁻¹⁶, which CompressAI's coder is built for."""

NIBBLE_BITS = 4
MOST_NIBBLES = 4
"""A symbol outside its table is coded by the distance: up to 2¹⁶, in up to four pieces of four bits."""

LARGEST_SYMBOL = 1 << 14
"""Symbols are from −2¹⁴ to 2¹⁴, and so are the tables: no symbol is 2¹⁵ off its table."""

_TOTAL = 1 << PRECISION_BITS
_NIBBLE_COUNT_FREQUENCIES = (16384, 32768, 12288, 3072, 1024)
_NEVER = _TOTAL + 1

Integers = NDArray[numpy.int32]


@dataclass(frozen=True, slots=True, eq=False)
class SymbolTables:
    """Cumulative frequencies, as the coder takes them, and what else its caller needs of them.

    Rows are: one for each channel of the hyper-latents, one for each standard deviation of the latents, the number of
    nibbles of an escape, and a nibble. A row's last symbol is its escape; to the coder it is one like the others, so
    that its own way of coding escapes, which may read any number of bits, is never taken.

    Args:
        rows: cumulative frequencies from 0 to 2¹⁶, and one entry beyond, each row.
        lengths: entries of each row.
        offsets: value of each row's first symbol.
        escapes: number of each row's escape symbol; −1 for the last two rows, which have none.
        costs: bits of each symbol of each row; a row for each, padded with zeros.
        gaussians: number of the first row for the latents.
    """

    rows: list[list[int]]
    lengths: list[int]
    offsets: Integers
    escapes: Integers
    costs: NDArray[numpy.float32]
    gaussians: int

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> SymbolTables:
        """Take the tables that CompressAI's `update` made and the weights hold.

        Raises:
            WeightsError: if they are missing or no probability tables.
        """
        hyper, hyper_offsets = _read_tables(state, "bottleneck")
        latent, latent_offsets = _read_tables(state, "gaussian")
        own = [_cumulate(_NIBBLE_COUNT_FREQUENCIES), _cumulate((_TOTAL >> NIBBLE_BITS,) * (1 << NIBBLE_BITS))]
        rows = [*hyper, *latent, *own]
        return cls(
            rows=[[*row, _NEVER] for row in rows],
            lengths=[len(row) + 1 for row in rows],
            offsets=numpy.array([*hyper_offsets, *latent_offsets, 0, 0], numpy.int32),
            escapes=numpy.array([*(len(row) - 2 for row in (*hyper, *latent)), -1, -1], numpy.int32),
            costs=_costs(rows),
            gaussians=len(hyper),
        )

    @property
    def nibble_counts(self) -> int:
        """Number of the row for how many nibbles an escape has."""
        return len(self.rows) - 2

    @property
    def nibbles(self) -> int:
        """Number of the row for a nibble."""
        return len(self.rows) - 1


def _read_tables(state: Mapping[str, Tensor], name: str) -> tuple[list[list[int]], list[int]]:
    """Return cumulative frequencies, without their padding, and offsets."""
    try:
        cdfs, lengths, offsets = (
            state[f"{name}.{part}"].tolist() for part in ("_quantized_cdf", "_cdf_length", "_offset")
        )
    except KeyError as cause:
        raise WeightsError(f"the codec's weights lack the tables {cause}; expected them as exported") from cause
    if not cdfs or not len(cdfs) == len(lengths) == len(offsets):
        raise WeightsError(f"the codec's weights have no tables in '{name}'; they were exported before `update`")
    rows = [row[:length] for row, length in zip(cdfs, lengths, strict=True)]
    for row in rows:
        ascends = all(low < high for low, high in pairwise(row))
        if len(row) < 3 or row[0] != 0 or row[-1] != _TOTAL or not ascends:
            raise WeightsError(f"a table in '{name}' of the codec's weights is no cumulative distribution to 2^16")
    for row, offset in zip(rows, offsets, strict=True):
        if not -LARGEST_SYMBOL < offset < offset + len(row) < LARGEST_SYMBOL:
            raise WeightsError(
                f"a table in '{name}' of the codec's weights starts at {offset}, {len(row)} entries long"
            )
    return rows, offsets


def _cumulate(frequencies: tuple[int, ...]) -> list[int]:
    return [0, *(int(total) for total in numpy.cumsum(frequencies))]


def _costs(rows: list[list[int]]) -> NDArray[numpy.float32]:
    table = numpy.zeros((len(rows), max(len(row) for row in rows) - 1), numpy.float32)
    for place, row in enumerate(rows):
        table[place, : len(row) - 1] = PRECISION_BITS - numpy.log2(numpy.diff(row))
    return table
