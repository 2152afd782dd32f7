"""The starts of files that a codec must not take for its own."""

from __future__ import annotations

from typing import NamedTuple


class ForeignFile(NamedTuple):
    """The start of a file of another format, and where in it that format's signature stands."""

    name: str
    header: bytes
    signature: slice

    def is_format_of(self, sample: bytes) -> bool:
        """Whether a sample has this format's signature, so that it is not foreign to the sample's codec."""
        signature = self.header[self.signature]
        return bool(signature) and sample[self.signature] == signature


_FILES = (
    ForeignFile("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0", slice(4)),
    ForeignFile("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", slice(3)),
    ForeignFile("GIF", b"GIF89a\x10\0\x10\0\xf7\0\0", slice(4)),
    ForeignFile("TIFF", b"II*\0\x08\0\0\0\x0f\0\0\x01\x03\0", slice(4)),
    ForeignFile("BMP", b"BM\x36\x03\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", slice(2)),
    ForeignFile("PPM", b"P6\n16 16\n255\n", slice(2)),
    ForeignFile("WAV", b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0", slice(8, 12)),
    ForeignFile("WebP", b"RIFF\x24\x08\0\0WEBPVP8 \x18\x08\0\0", slice(8, 12)),
    ForeignFile("AVIF", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", slice(4, 12)),
    ForeignFile("MP4", b"\0\0\0\x18ftypisom\0\0\x02\0isomavc1", slice(4, 12)),
    ForeignFile("JPEG XL", b"\xff\x0a\x7a\x1f\x18\x02", slice(2)),
    ForeignFile("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", slice(4)),
    ForeignFile("ZIP", b"PK\x03\x04\x14\0\0\0\x08\0", slice(4)),
    ForeignFile("plain text", b"It was a bright cold day in April.\n", slice(8)),
    ForeignFile("zeros", bytes(64), slice(8)),
    ForeignFile("empty", b"", slice(0)),
)


def files_foreign_to(sample: bytes) -> tuple[ForeignFile, ...]:
    """Return the starts of files in all other formats than a sample's."""
    return tuple(file for file in _FILES if not file.is_format_of(sample))
