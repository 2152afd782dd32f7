"""SymbolEncoder and SymbolDecoder: blocks of integers to one rANS stream and back.

A block's symbols come first, then the escapes among them: how many nibbles each has, and the nibbles, lowest first.
The decoder is CompressAI's, which trusts its input. Here it reads from a copy with zeros behind, long enough for the
largest block, and after each block is held to what the stream can have held.
"""

from __future__ import annotations

from typing import Any

import numpy

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_swint_charm.entropy.extension import rans_extension
from dirac_enhance_swint_charm.entropy.symbol_tables import (
    LARGEST_SYMBOL,
    MOST_NIBBLES,
    NIBBLE_BITS,
    Integers,
    SymbolTables,
)

STATE_BYTES = 8
_WORD_BYTES = 4
_LOWEST_STATE, _HIGHEST_STATE = 1 << 31, 1 << 63
"""Bounds of the coder's state between two symbols (rANS with 64 bits)."""

_SLACK_BITS = 64.0
_SLACK_PER_SYMBOL = 1e-4
"""What decoding may seem to take more than the stream has: the state's bits, and the rounding of each step."""

_SAFE_BYTES = 64


class SymbolEncoder:
    """Collects blocks of symbols; rANS codes them backwards, all at the end."""

    def __init__(self, tables: SymbolTables) -> None:
        self._tables = tables
        self._symbols: list[Integers] = []
        self._rows: list[Integers] = []

    def put(self, values: Integers, rows: Integers) -> None:
        """Add a block: flat int32 values from −2¹⁴ to 2¹⁴, and the number of the table for each."""
        escapes = self._tables.escapes[rows]
        symbols = values - self._tables.offsets[rows]
        escaped = (symbols < 0) | (symbols >= escapes)
        self._add(numpy.where(escaped, escapes, symbols), rows)
        if escaped.any():
            outside, escape = symbols[escaped], escapes[escaped]
            self._put_distances(numpy.where(outside < 0, -2 * outside - 1, 2 * (outside - escape)))

    def finish(self) -> bytes:
        """Return the stream."""
        symbols, rows = numpy.concatenate(self._symbols), numpy.concatenate(self._rows)
        symbols += self._tables.offsets[rows]
        tables = self._tables
        coded: bytes = (
            rans_extension()
            .RansEncoder()
            .encode_with_indexes(symbols.tolist(), rows.tolist(), tables.rows, tables.lengths, tables.offsets.tolist())
        )
        return coded

    def _put_distances(self, distances: Integers) -> None:
        """Add whole numbers below 2¹⁶."""
        counts = numpy.zeros_like(distances)
        for place in range(MOST_NIBBLES):
            counts += distances >> (NIBBLE_BITS * place) > 0
        self._add(counts, numpy.full_like(counts, self._tables.nibble_counts))
        for place in range(MOST_NIBBLES):
            nibbles = (distances[counts > place] >> (NIBBLE_BITS * place)) & ((1 << NIBBLE_BITS) - 1)
            self._add(nibbles, numpy.full_like(nibbles, self._tables.nibbles))

    def _add(self, symbols: Integers, rows: Integers) -> None:
        self._symbols.append(symbols.astype(numpy.int32, copy=False))
        self._rows.append(rows)


class SymbolDecoder:
    """Reads blocks of symbols from a stream, in the order they were put."""

    def __init__(self, tables: SymbolTables, stream: bytes, *, largest_block: int) -> None:
        """Open a stream.

        Args:
            tables: the ones it was coded with.
            stream: as `SymbolEncoder.finish` returned it, or anything else.
            largest_block: symbols of the largest block that will be read.

        Raises:
            InvalidBitstreamError: if no encoder wrote it.
        """
        state = int.from_bytes(stream[:STATE_BYTES], "little")
        if len(stream) < STATE_BYTES or len(stream) % _WORD_BYTES or not _LOWEST_STATE <= state < _HIGHEST_STATE:
            raise InvalidBitstreamError(f"a coding tile's {len(stream)} bytes are no stream; the file is damaged")
        self._tables = tables
        self._available = 8 * len(stream) + _SLACK_BITS
        self._decoder: Any = rans_extension().RansDecoder()
        # A symbol takes 16 bits at most.
        self._decoder.set_stream(stream + bytes(2 * largest_block + _SAFE_BYTES))

    def get(self, rows: Integers) -> Integers:
        """Read a block: flat int32 values, one for each number of a table.

        Raises:
            InvalidBitstreamError: if the stream ended before; or an escape is none that an encoder writes.
        """
        symbols = self._read(rows)
        escapes = self._tables.escapes[rows]
        escaped = symbols == escapes
        if escaped.any():
            distances = self._get_distances(int(escaped.sum()))
            symbols[escaped] = numpy.where(distances % 2 == 1, -(distances // 2) - 1, distances // 2 + escapes[escaped])
        values: Integers = symbols + self._tables.offsets[rows]
        if values.size and int(numpy.abs(values).max()) > LARGEST_SYMBOL:
            raise InvalidBitstreamError("a coding tile has latents larger than any encoder's; the file is damaged")
        return values

    def _get_distances(self, count: int) -> Integers:
        counts = self._read(numpy.full(count, self._tables.nibble_counts, numpy.int32))
        distances = numpy.zeros_like(counts)
        for place in range(MOST_NIBBLES):
            more = counts > place
            nibbles = self._read(numpy.full(int(more.sum()), self._tables.nibbles, numpy.int32))
            distances[more] |= nibbles << (NIBBLE_BITS * place)
        return distances

    def _read(self, rows: Integers) -> Integers:
        """Read symbols, numbered from 0 in each row."""
        if not rows.size:
            return numpy.zeros(0, numpy.int32)
        tables = self._tables
        used = numpy.flatnonzero(numpy.bincount(rows))  # the coder copies every table that it is given
        place = numpy.zeros(len(tables.rows), numpy.int32)
        place[used] = numpy.arange(len(used))
        values = self._decoder.decode_stream(
            place[rows].tolist(),
            [tables.rows[row] for row in used],
            [tables.lengths[row] for row in used],
            [0] * len(used),
        )
        symbols: Integers = numpy.array(values, numpy.int32)
        self._available -= float(tables.costs[rows, symbols].sum(dtype=numpy.float64)) - _SLACK_PER_SYMBOL * rows.size
        if self._available < 0:
            raise InvalidBitstreamError("a coding tile's stream ends before its latents do; the file is damaged")
        return symbols
