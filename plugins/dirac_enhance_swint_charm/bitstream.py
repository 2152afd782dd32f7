"""The container `.dsc`: what it says of a picture, and the streams of its coding tiles.

```
magic 4 ─ version 1 ─ model id 8 ─ width 2 ─ height 2 ─ scale 2 ─ tile side 1 ─ encoder 3     23 bytes, big-endian
then for each coding tile, row by row:  CRC-32 4 ─ length of the stream 4, not of the last one ─ stream
```
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dirac_enhance import InvalidBitstreamError, check_pixel_count

MAGIC = b"\x8bDSC"
VERSION = 1
LARGEST_SIDE = 65535
TILE_UNIT = 64
"""Pixels; sides of coding tiles are multiples."""
LARGEST_TILE = 2048
"""Pixels a side; what a file can ask of its decoder's memory at once."""
MODEL_ID_BYTES = 8

_HEADER = struct.Struct(">4sB8sHHHBBBB")
_CHECKSUM, _LENGTH = struct.Struct(">I"), struct.Struct(">I")
_SHORTEST_STREAM = 8
_DEVICES = ("another device", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an encoder computed with: the device's kind, and PyTorch's version."""

    device: str
    torch_version: tuple[int, int]

    def __str__(self) -> str:
        return f"torch {self.torch_version[0]}.{self.torch_version[1]} on {self.device}"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before its tiles.

    Args:
        model_id: first bytes of the sha256 of the weights file it was coded with.
        width: pixels.
        height: pixels.
        scale_code: the latents' scale, a whole number from 1 to 65535 (`scale_of_code`).
        tile: side of the coding tiles in pixels, a multiple of `TILE_UNIT` up to `LARGEST_TILE`.
        encoder: what it was coded with.
    """

    model_id: bytes
    width: int
    height: int
    scale_code: int
    tile: int
    encoder: Fingerprint

    def pack(self) -> bytes:
        """Return the header's bytes."""
        device = _DEVICES.index(self.encoder.device) if self.encoder.device in _DEVICES else 0
        major, minor = (min(number, 255) for number in self.encoder.torch_version)
        size = (self.width, self.height, self.scale_code, self.tile // TILE_UNIT)
        return _HEADER.pack(MAGIC, VERSION, self.model_id, *size, device, major, minor)

    def tiles(self) -> Iterator[TilePlace]:
        """Yield where the coding tiles lie, row by row."""
        height, width = (side + -side % TILE_UNIT for side in (self.height, self.width))
        for top in range(0, height, self.tile):
            for left in range(0, width, self.tile):
                yield TilePlace(top, left, min(self.tile, height - top), min(self.tile, width - left))

    @property
    def tile_count(self) -> int:
        """How many coding tiles there are."""
        return -(-self.height // self.tile) * -(-self.width // self.tile)


@dataclass(frozen=True, slots=True)
class TilePlace:
    """Where a coding tile lies, in pixels, in the picture padded to multiples of `TILE_UNIT`."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class CodedTile:
    """A coding tile's stream, and the CRC-32 of the integers that the encoder says it decodes to."""

    checksum: int
    stream: bytes


@dataclass(frozen=True, slots=True)
class Bitstream:
    """A whole file."""

    header: Header
    tiles: Sequence[CodedTile]

    def pack(self) -> bytes:
        """Return the file's content."""
        parts = [self.header.pack()]
        for index, tile in enumerate(self.tiles):
            last = index == len(self.tiles) - 1
            parts += [_CHECKSUM.pack(tile.checksum), b"" if last else _LENGTH.pack(len(tile.stream)), tile.stream]
        return b"".join(parts)


def is_bitstream(header: bytes) -> bool:
    """Say whether a file starts as ours do, in whichever version."""
    return header.startswith(MAGIC)


def read_bitstream(data: bytes, *, max_pixels: int) -> Bitstream:
    """Take a file apart; nothing is decoded, and nothing allocated that the file itself does not take.

    Raises:
        InvalidBitstreamError: if `data` is empty, cut off, of another format or version, or claims more than
            `max_pixels` pixels.
    """
    header = _read_header(data)
    check_pixel_count(header.height, header.width, maximum=max_pixels)
    rest, count = data[_HEADER.size :], header.tile_count
    least = count * (_CHECKSUM.size + _LENGTH.size + _SHORTEST_STREAM) - _LENGTH.size
    if len(rest) < least:
        raise InvalidBitstreamError(
            f"{len(data):,} bytes are too few for {header.width}×{header.height} pixels in {count:,} coding tiles;"
            " the file is cut off or damaged"
        )
    return Bitstream(header, tuple(_split_tiles(rest, count)))


def _read_header(data: bytes) -> Header:
    if not data:
        raise InvalidBitstreamError("empty file; expected a SwinT-ChARM file")
    if not is_bitstream(data):
        raise InvalidBitstreamError(f"not a SwinT-ChARM file: it starts with {data[:4]!r}, not with {MAGIC!r}")
    if len(data) < _HEADER.size:
        raise InvalidBitstreamError(f"a SwinT-ChARM file cut off within its header, after {len(data)} bytes")
    _, version, model_id, width, height, scale_code, units, device, major, minor = _HEADER.unpack_from(data)
    if version != VERSION:
        raise InvalidBitstreamError(
            f"a SwinT-ChARM file of format version {version}; this dirac-enhance reads version {VERSION}:"
            " `pip install --upgrade dirac-enhance`"
        )
    if not (width and height and scale_code and 1 <= units <= LARGEST_TILE // TILE_UNIT and device < len(_DEVICES)):
        raise InvalidBitstreamError(
            f"a damaged SwinT-ChARM header: {width}×{height} pixels, scale {scale_code}/4096, coding tiles of"
            f" {units * TILE_UNIT} pixels"
        )
    return Header(model_id, width, height, scale_code, units * TILE_UNIT, Fingerprint(_DEVICES[device], (major, minor)))


def _split_tiles(rest: bytes, count: int) -> Iterator[CodedTile]:
    place = 0
    for index in range(count):
        start = place + _CHECKSUM.size
        if index == count - 1:
            length = len(rest) - start
        elif start + _LENGTH.size <= len(rest):
            (length,) = _LENGTH.unpack_from(rest, start)
            start += _LENGTH.size
        else:
            length = -1
        if length < _SHORTEST_STREAM or start + length > len(rest):
            raise InvalidBitstreamError(f"a SwinT-ChARM file cut off or damaged in coding tile {index + 1} of {count}")
        (checksum,) = _CHECKSUM.unpack_from(rest, place)
        yield CodedTile(checksum, rest[start : start + length])
        place = start + length
