"""EXIF blocks as raw bytes: orientation read or reset, thumbnail dropped, every other byte left where it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from dirac_enhance.errors import InvalidImageError

_ORIENTATION = 0x0112
_UPRIGHT = 1
_SHORT = 3
_THUMBNAIL_OFFSET = (0x0201, 0x0111)
"""Where the thumbnail starts: of a JPEG one, of an uncompressed one."""
_THUMBNAIL_LENGTH = (0x0202, 0x0117)
_ENTRY_BYTES = 12


@dataclass(frozen=True, slots=True)
class _Directory:
    """One image file directory of a TIFF structure: its entries as (position, tag, value), and what follows."""

    entries: tuple[tuple[int, int, int], ...]
    link: int
    """Position of the offset of the next directory."""
    following: int
    """Offset of the next directory, 0 if this is the last."""

    def values(self, tags: tuple[int, ...]) -> Iterator[int]:
        """The values of the entries that carry one of `tags`."""
        return (value for _, tag, value in self.entries if tag in tags)


def upright_exif(exif: bytes) -> bytes:
    """Return `exif` for a picture whose orientation was applied to its pixels.

    The block is patched in place (EXIF 2.32, section 4.5), so offsets inside maker notes stay valid, which
    writing it anew would break. A thumbnail at the end of the block is cut off, one elsewhere is zeroed.

    Args:
        exif: the block without its "Exif\\0\\0" prefix.

    Raises:
        InvalidImageError: if the block is damaged.
    """
    block = bytearray(exif)
    try:
        order, main = _read_main_directory(block)
        _reset_orientation(block, order, main)
        if main.following:
            struct.pack_into(f"{order}I", block, main.link, 0)
            _erase_thumbnail(block, _read_directory(block, order, offset=main.following), after=main.link + 4)
    except (KeyError, struct.error) as cause:
        raise InvalidImageError("the EXIF block is damaged") from cause
    return bytes(block)


def upright_tiff(tiff: bytes) -> bytes:
    """Return a TIFF file, which has the structure of an EXIF block, with its orientation reset to 1.

    Raises:
        InvalidImageError: if its main directory is damaged, or it is a BigTIFF file.
    """
    block = bytearray(tiff)
    try:
        _reset_orientation(block, *_read_main_directory(block))
    except (KeyError, struct.error) as cause:
        raise InvalidImageError("the TIFF directory is damaged, or that of a BigTIFF file") from cause
    return bytes(block)


def read_orientation(exif: bytes) -> int:
    """Return the orientation 1…8 that an EXIF block without its prefix gives; 1 where it is absurd or absent."""
    try:
        _, main = _read_main_directory(bytearray(exif))
    except (KeyError, struct.error):
        return _UPRIGHT
    orientation = next(main.values((_ORIENTATION,)), _UPRIGHT)
    return orientation if 1 <= orientation <= 8 else _UPRIGHT


def _read_main_directory(block: bytearray) -> tuple[str, _Directory]:
    """Return the byte order, as `struct` has it, and the first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[bytes(block[:4])]
    return order, _read_directory(block, order, offset=struct.unpack_from(f"{order}I", block, 4)[0])


def _reset_orientation(block: bytearray, order: str, main: _Directory) -> None:
    for position, tag, _ in main.entries:
        if tag == _ORIENTATION:
            struct.pack_into(f"{order}HHIHH", block, position, _ORIENTATION, _SHORT, 1, _UPRIGHT, 0)


def _read_directory(block: bytearray, order: str, *, offset: int) -> _Directory:
    (count,) = struct.unpack_from(f"{order}H", block, offset)
    positions = range(offset + 2, offset + 2 + _ENTRY_BYTES * count, _ENTRY_BYTES)
    link = offset + 2 + _ENTRY_BYTES * count
    (following,) = struct.unpack_from(f"{order}I", block, link)
    return _Directory(tuple(_read_entry(block, order, position=position) for position in positions), link, following)


def _read_entry(block: bytearray, order: str, *, position: int) -> tuple[int, int, int]:
    tag, kind = struct.unpack_from(f"{order}HH", block, position)
    (value,) = struct.unpack_from(f"{order}H" if kind == _SHORT else f"{order}I", block, position + 8)
    return position, tag, value


def _erase_thumbnail(block: bytearray, directory: _Directory, *, after: int) -> None:
    """Erase the thumbnail's pixels; a range that reaches into the main directory can only be damage and is left."""
    for start, length in zip(directory.values(_THUMBNAIL_OFFSET), directory.values(_THUMBNAIL_LENGTH), strict=False):
        stop = start + length
        if after <= start < stop == len(block):
            del block[start:]
        elif after <= start < stop < len(block):
            block[start:stop] = bytes(length)
