"""16 bits per sample, which Pillow cannot hold in colour: PNG and TIFF written, PNG, TIFF and PPM samples read."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import TiffImagePlugin

from dirac_enhance.errors import InvalidBitstreamError
from dirac_enhance.image_formats import tiff_tags, xmp_text

if TYPE_CHECKING:
    from dirac_enhance.codec import ImageMetadata

Samples = npt.NDArray[np.uint16]
"""(H, W, C) with C = 1 grayscale, 2 grayscale and alpha, 3 RGB, 4 RGB and alpha."""

_PNG_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour type by number of channels (PNG third edition, table 9)."""
_PNG_PAETH = 4
_BAND_ROWS = 64
"""Rows that are filtered at a time, which takes ten times their memory."""
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_PNM_HEADER = re.compile(
    _GAP.join((rb"P(?P<kind>[56])", rb"(?P<width>\d{1,9})", rb"(?P<height>\d{1,9})", rb"(?P<maximum>\d{1,5})\s"))
)
_METRES_PER_INCH = 0.0254
_GRAYSCALE, _RGB, _UNASSOCIATED_ALPHA, _PER_INCH = 1, 2, 2, 2
"""Values of TIFF tags (TIFF 6.0, section 8)."""


def encode_png(samples: Samples, metadata: ImageMetadata) -> bytes:
    """Encode samples as a 16-bit PNG file that carries the colour profile, EXIF, XMP and resolution of `metadata`."""
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPE[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), *_png_metadata(metadata), (b"IDAT", _compress(samples)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, body) for kind, body in chunks)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_metadata(metadata: ImageMetadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.icc_profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile)
    if metadata.dpi:
        horizontal, vertical = (round(dots / _METRES_PER_INCH) for dots in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", horizontal, vertical, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_text(metadata.xmp).encode()


def _compress(samples: Samples) -> bytes:
    """Filter and deflate; low bytes are noise, for which looking for runs only is as good as a search and quicker."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    above = np.zeros_like(samples[:1])
    content = bytearray()
    for top in range(0, len(samples), _BAND_ROWS):
        band = np.concatenate((above, samples[top : top + _BAND_ROWS]))
        content += deflate.compress(_filter_rows(band))
        above = band[-1:]
    return bytes(content + deflate.flush())


def _filter_rows(samples: npt.NDArray[np.uint16]) -> bytes:
    """Predict each byte from its left, upper and upper left neighbours (Paeth; PNG third edition, section 9.4).

    Args:
        samples: (1 + H, W, C); the first row is the one above, and is not encoded.
    """
    width, channels = samples.shape[1:]
    size = 2 * channels
    padded = np.zeros((len(samples), size * (width + 1)), np.int16)
    padded[:, size:] = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    raw, left, up, corner = padded[1:, size:], padded[1:, :-size], padded[:-1, size:], padded[:-1, :-size]
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    nearest = np.where(to_up <= to_corner, up, corner)
    predicted = np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
    rows = np.full((len(raw), 1 + raw.shape[1]), _PNG_PAETH, np.uint8)
    rows[:, 1:] = (raw - predicted).astype(np.uint8)
    return rows.tobytes()


def encode_tiff(samples: Samples, metadata: ImageMetadata) -> bytes:
    """Encode samples, not of grayscale with alpha, which hardly a program reads, as an uncompressed 16-bit TIFF file.

    The metadata are those of `encode_png`.
    """
    height, width, channels = samples.shape
    content = samples.astype("<u2").tobytes()
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    tags = tiff_tags(metadata)
    for tag in tags:
        directory[tag] = tags.get_ifd(tag) or tags[tag]
    directory[TiffImagePlugin.IMAGEWIDTH] = width
    directory[TiffImagePlugin.IMAGELENGTH] = height
    directory[TiffImagePlugin.BITSPERSAMPLE] = (16,) * channels
    directory[TiffImagePlugin.COMPRESSION] = 1
    directory[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = _GRAYSCALE if channels == 1 else _RGB
    directory[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    directory[TiffImagePlugin.ROWSPERSTRIP] = height
    directory[TiffImagePlugin.STRIPBYTECOUNTS] = len(content)
    directory[TiffImagePlugin.STRIPOFFSETS] = 0  # counted from the end of the directory, as Pillow writes it
    if channels == 4:
        directory[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED_ALPHA
    if metadata.icc_profile:
        directory[TiffImagePlugin.ICCPROFILE] = metadata.icc_profile
    if metadata.dpi:
        directory[TiffImagePlugin.X_RESOLUTION], directory[TiffImagePlugin.Y_RESOLUTION] = metadata.dpi
        directory[TiffImagePlugin.RESOLUTION_UNIT] = _PER_INCH
    file = io.BytesIO()
    directory.save(file)
    file.write(content)
    return file.getvalue()


ENCODERS: Mapping[str, Callable[[Samples, ImageMetadata], bytes]] = MappingProxyType(
    {"PNG": encode_png, "TIFF": encode_tiff}
)
"""By the format's name in Pillow."""


def decode_png(data: bytes) -> Samples:
    """Decode the samples of a 16-bit PNG file that is known to be whole."""
    colour_type = data[25]
    samples = _decode_with_opencv(data[:8] + b"".join(_essential_chunks(data)) + _png_chunk(b"IEND", b""))
    return samples[..., [0, -1]] if colour_type == _PNG_COLOUR_TYPE[2] and samples.shape[2] == 4 else samples


def _essential_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks that hold size and samples, without the metadata about which libpng would print warnings."""
    position = 8
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] in (b"IHDR", b"IDAT") and end <= len(data):
            yield data[position:end]
        position = end


def decode_tiff(data: bytes) -> Samples:
    """Decode the samples of a 16-bit TIFF file that is known to be whole and upright."""
    return _decode_with_opencv(data)


def _decode_with_opencv(data: bytes) -> Samples:
    """Decode a 16-bit file.

    Raises:
        InvalidBitstreamError: if its layout is one that OpenCV does not read.
    """
    import cv2

    try:
        samples: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as cause:
        raise _unreadable_layout() from cause
    if samples is None or samples.dtype != np.uint16:
        raise _unreadable_layout()
    planes: Samples = samples.reshape(*samples.shape[:2], -1)
    if planes.shape[2] >= 3:
        planes[..., :3] = planes[..., 2::-1].copy()  # OpenCV's order is blue, green, red
    return planes


def _unreadable_layout() -> InvalidBitstreamError:
    return InvalidBitstreamError("a file of 16 bits per sample in a layout that cannot be read; save it as plain PNG")


def is_deep_pnm(data: bytes) -> bool:
    """Whether a file is a binary PGM or PPM of more than 8 bits per sample."""
    header = _PNM_HEADER.match(data)
    return header is not None and int(header["maximum"]) > 255


def decode_pnm(data: bytes) -> Samples:
    """Decode the samples of a PGM or PPM file of 9 to 16 bits per sample, scaled to 16.

    Raises:
        InvalidBitstreamError: if it is truncated or damaged.
    """
    header = _PNM_HEADER.match(data)
    assert header is not None
    width, height, maximum = (int(header[name]) for name in ("width", "height", "maximum"))
    channels = 1 if header["kind"] == b"5" else 3
    samples = np.frombuffer(data[header.end() :][: 2 * width * height * channels], ">u2")
    if samples.size < width * height * channels or samples.max() > maximum:
        raise InvalidBitstreamError("a PPM file that is truncated or damaged; save it again")
    scaled: Samples = np.rint(samples * (65535 / maximum)).astype(np.uint16)
    return scaled.reshape(height, width, channels)
