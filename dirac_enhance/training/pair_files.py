"""PairFiles: reads the pairs of an index, the original crop from its picture and the base from its stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from torch import Tensor

from dirac_enhance.codec import BaseReconstruction, Codec
from dirac_enhance.errors import DiracError, PluginError, TrainingError
from dirac_enhance.training.images import read_pixels
from dirac_enhance.training.pair_index import PairRow
from dirac_enhance.training.pairs import to_tensor


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where the streams and the originals of an index lie, and what decodes the streams.

    Args:
        streams: folder of the bitstreams, the index's own.
        originals: folder that the originals' names are relative to.
        codec: decodes the streams; it need not encode.
    """

    streams: Path
    originals: Path
    codec: Codec

    def read(self, row: PairRow, original: Tensor | None = None) -> tuple[Tensor, BaseReconstruction]:
        """Read one pair.

        Args:
            row: which one.
            original: the whole original, (3, H, W) uint8, where it has been read already.

        Returns:
            The original crop, (3, height, width) uint8, and its base reconstruction.

        Raises:
            TrainingError: if a file is missing or damaged, or they do not fit each other and the index.
        """
        whole = self.read_original(row) if original is None else original
        crop = whole[:, row.y : row.y + row.height, row.x : row.x + row.width].clone()  # not a view of the whole
        path = self.streams / row.bitstream
        try:
            base = self.codec.decode(path.read_bytes())
        except OSError as cause:
            raise TrainingError(f"cannot read the stream '{path}': {cause.strerror}; remove its row") from cause
        except PluginError as error:
            raise PluginError(f"the stream '{path}': {error}") from error.__cause__ or error
        except DiracError as cause:
            raise TrainingError(f"the stream '{path}' cannot be decoded: {cause}; remove its row") from cause
        if not tuple(crop.shape) == tuple(base.pixels.shape) == (3, row.height, row.width):
            sizes = " and ".join(f"{plane.shape[2]}×{plane.shape[1]}" for plane in (crop, base.pixels))
            raise TrainingError(
                f"'{row.file}' and the stream '{path}' have {sizes} pixels where the index says "
                f"{row.width}×{row.height}; name the right originals with --data, or remove the row"
            )
        return crop, base

    def read_original(self, row: PairRow) -> Tensor:
        """Read a row's whole original, (3, H, W) uint8."""
        return to_tensor(read_pixels(self.originals / row.file))

    def read_all(self, rows: Iterable[PairRow]) -> Iterator[tuple[Tensor, BaseReconstruction]]:
        """Read pairs one by one, each original once where rows of the same one follow each other."""
        for _, of_one in groupby(rows, key=lambda row: row.file):
            group = list(of_one)
            whole = self.read_original(group[0])
            yield from (self.read(row, whole) for row in group)
