"""Planes: a decoded picture as the decoder left it, integers in Y, Cb and Cr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy
import numpy.typing

from dirac_enhance import InvalidBitstreamError

if TYPE_CHECKING:
    from dirac_enhance_vtm.first_picture import FirstPicture

Plane = numpy.typing.NDArray[numpy.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A picture in luma and chroma.

    Args:
        luma: (H, W) uint16 in [0, 2^bit_depth − 1].
        chroma: Cb and Cr, each (⌈H/v⌉, ⌈W/h⌉) uint16, h and v 1 or 2 as the chroma is subsampled; None for 4:0:0.
        bit_depth: bits per sample.
    """

    luma: Plane
    chroma: tuple[Plane, Plane] | None
    bit_depth: int

    def to_eight_bits(self) -> Planes:
        """Round to 8 bits as VTM's decoder does when told `-d 8`: half a step up, and no further than 255."""
        if self.bit_depth <= 8:
            return self
        chroma = self.chroma and (self._round(self.chroma[0]), self._round(self.chroma[1]))
        return Planes(self._round(self.luma), chroma, bit_depth=8)

    def _round(self, plane: Plane) -> Plane:
        shift = self.bit_depth - 8
        return numpy.minimum((plane + (1 << (shift - 1))) >> shift, 255).astype(numpy.uint16)


def read_planes(content: bytes, picture: FirstPicture) -> Planes:
    """Read planes as VTM's decoder writes them: Y, Cb, Cr, row by row, in 8 bits or in 16 with the lower byte first.

    Raises:
        InvalidBitstreamError: if there are more samples or less than the picture has.
    """
    across, down = picture.subsampling
    shapes = [(picture.height, picture.width)]
    if picture.chroma_format != "4:0:0":
        shapes += [(picture.height // down, picture.width // across)] * 2
    sample = numpy.dtype("<u2" if picture.bit_depth > 8 else "u1")
    counts = [height * width for height, width in shapes]
    if len(content) != sum(counts) * sample.itemsize:
        raise InvalidBitstreamError(
            f"VTM's decoder wrote {len(content)} bytes; expected {sum(counts) * sample.itemsize},"
            f" {picture.width}×{picture.height} in {picture.chroma_format}"
        )
    flat = numpy.frombuffer(content, sample).astype(numpy.uint16)
    ends = numpy.cumsum(counts)[:-1]
    luma, *chroma = (part.reshape(shape) for part, shape in zip(numpy.split(flat, ends), shapes, strict=True))
    return Planes(luma, (chroma[0], chroma[1]) if chroma else None, picture.bit_depth)
