"""The parts of an EXIF block that dirac-enhance acts on; everything else is carried unread."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass

from PIL.ExifTags import Base
from PIL.Image import Exif

_PREFIX = b"Exif\x00\x00"
_CENTIMETRES = 3
_CENTIMETRES_PER_INCH = 2.54
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error, OverflowError)


@dataclass(frozen=True, slots=True)
class ExifReading:
    """An EXIF block without its prefix, and the orientation and resolution it gives."""

    raw: bytes | None = None
    orientation: int = 1
    dpi: tuple[float, float] | None = None


def read_exif(block: bytes | None) -> ExifReading:
    """Read an EXIF block as it stands in a JPEG's APP1 segment; a damaged one says nothing and is still carried."""
    raw = (block or b"").removeprefix(_PREFIX)
    if not raw:
        return ExifReading()
    exif = Exif()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            exif.load(raw)
            return ExifReading(raw, _orientation(exif), _dpi(exif))
    except _PILLOW_ERRORS:
        return ExifReading(raw)


def _orientation(exif: Exif) -> int:
    value = exif.get(Base.Orientation)
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _dpi(exif: Exif) -> tuple[float, float] | None:
    try:
        horizontal, vertical = float(exif[Base.XResolution]), float(exif[Base.YResolution])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    scale = _CENTIMETRES_PER_INCH if exif.get(Base.ResolutionUnit) == _CENTIMETRES else 1.0
    return (horizontal * scale, vertical * scale) if horizontal > 0 and vertical > 0 else None
