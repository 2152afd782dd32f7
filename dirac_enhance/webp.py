"""What a WebP file holds (RFC 9649, section 2), told by its chunks before libwebp allocates a canvas."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebpHeader:
    """What the chunks of a WebP file say.

    Args:
        animated: there are several frames.
        lossy: the only frame is coded with loss.
        height: rows of the canvas or of a lossless frame, whichever has more pixels; 0 where neither is there.
        width: its columns.
    """

    animated: bool
    lossy: bool
    height: int
    width: int


def read_webp_header(data: bytes) -> WebpHeader:
    """Read the chunks of a file that starts as WebP files do; one that is cut short says what it still can."""
    chunks = dict(_riff_chunks(data))
    sizes = [(0, 0)]
    if len(chunks.get(b"VP8X", b"")) >= 10:
        width, height = (int.from_bytes(chunks[b"VP8X"][start : start + 3], "little") + 1 for start in (4, 7))
        sizes.append((height, width))
    if len(chunks.get(b"VP8L", b"")) >= 5:
        bits = int.from_bytes(chunks[b"VP8L"][1:5], "little")
        sizes.append(((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1))
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    return WebpHeader(animated=b"ANIM" in chunks, lossy=b"VP8 " in chunks, height=height, width=width)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the first bytes of each chunk."""
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + min(size, 16)]
        position += 8 + size + size % 2
