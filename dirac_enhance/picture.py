"""Picture: the upright pixels of any file that a codec or the image reader knows, for encoding and comparing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.errors import UnknownCodecError
from dirac_enhance.image import decode_rgb, read_if_decoded
from dirac_enhance.pipeline import decode_content
from dirac_enhance.streams import name_source, read_source

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.codec import BaseReconstruction
    from dirac_enhance.host import CodecHost

_FLIPPED_AXES = {2: (-1,), 3: (-2, -1), 4: (-2,), 6: (-1,), 7: (-2, -1), 8: (-2,)}
"""EXIF orientation → which of rows (−2) and columns (−1) to reverse, after the exchange of both."""
_EXCHANGED = (5, 6, 7, 8)
"""The EXIF orientations in which rows and columns are exchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as it is to be seen.

    Args:
        pixels: (3, H, W) float32 in [0, 1], upright, without alpha.
        icc_profile: their colour profile; None means sRGB.
    """

    pixels: Tensor
    icc_profile: bytes | None


def upright(planes: Tensor, orientation: int) -> Tensor:
    """Apply an EXIF orientation (EXIF 2.32, table 5).

    Args:
        planes: (..., H, W), in coded orientation.
        orientation: 1 … 8; 1 changes nothing.

    Returns:
        (..., H, W), or (..., W, H) for orientations 5 to 8; a view where possible.
    """
    turned = planes.transpose(-2, -1) if orientation in _EXCHANGED else planes
    return turned.flip(_FLIPPED_AXES[orientation]) if orientation in _FLIPPED_AXES else turned


def read_picture(path: Path, host: CodecHost) -> Picture:
    """Read a file with the codec that recognises it, or else as decoded pixels, or else as any image file.

    Raises:
        InvalidImageError: if the file is missing, empty, damaged, or of no known codec and no image.
        InvalidBitstreamError: if its codec cannot decode it.
        PluginError: if the codec breaks its contract.
    """
    content = read_source(path)
    try:
        base: BaseReconstruction | None = decode_content(content, path, host).base
    except UnknownCodecError:
        base = read_if_decoded(content)
    if base is None:
        from dirac_enhance.colour_profile import read_profile

        return Picture(decode_rgb(content, name=name_source(path)), read_profile(content))
    return Picture(upright(base.pixels, base.metadata.orientation), base.metadata.icc_profile)
