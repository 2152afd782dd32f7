"""FileReport: what can be said of a coded picture, and which enhancer weights would run on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.errors import WeightsError
from dirac_enhance.pipeline import DETECTED, CodecChoice, decode_file
from dirac_enhance.weights import find_weights

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost, RegisteredCodec

UNREADABLE = "unreadable"
"""Stands for the name of a colour profile that is damaged or has none."""


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """The weights that enhancing would use.

    Args:
        file: their name, None if there are none.
        sha256: of the file, in hexadecimal; None if it cannot be used.
        problem: why they cannot be used, and what to do, or None.
    """

    file: str | None
    sha256: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class FileReport:
    """A coded picture; the names of the fields are those of `dirac-enhance info --json`.

    Args:
        file: its path as given.
        codec: id of the codec that decodes it, or whose artefacts decoded pixels were told to carry.
        plugin: distribution and version that codec came with.
        width, height: in pixels, in coded orientation.
        orientation: EXIF orientation, 1 … 8; 1 is upright.
        bits_per_sample: of the source.
        grayscale: whether the source has one channel of colour.
        alpha: whether it has one of transparency.
        coded_bytes: length of the file, 0 for decoded pixels.
        bits_per_pixel: the same in bits over its pixels.
        rate_factor: the codec's own quality number, None where the bits do not say.
        details: what else the codec knows of it.
        icc_profile: name of its colour profile, `UNREADABLE` for one without; None if there is no profile.
        exif_bytes, xmp_bytes: lengths of these blocks, 0 where there is none.
        dpi: horizontal and vertical resolution, None if not given.
        weights: that enhancing would use.
    """

    file: str
    codec: str
    plugin: str
    width: int
    height: int
    orientation: int
    bits_per_sample: int
    grayscale: bool
    alpha: bool
    coded_bytes: int
    bits_per_pixel: float
    rate_factor: float | None
    details: Mapping[str, str]
    icc_profile: str | None
    exif_bytes: int
    xmp_bytes: int
    dpi: tuple[float, float] | None
    weights: WeightsReport


def inspect_file(path: Path, host: CodecHost, *, choice: CodecChoice = DETECTED) -> FileReport:
    """Decode a file and report on it; whether its weights can be used is checked, too, and never an error.

    Raises:
        DiracError: as `decode_file` does.
    """
    decoded = decode_file(path, host, choice=choice)
    base, codec = decoded.base, decoded.codec
    metadata = base.metadata
    return FileReport(
        file=str(path),
        codec=codec.codec.id,
        plugin=f"{codec.distribution} {codec.version}",
        width=base.width,
        height=base.height,
        orientation=metadata.orientation,
        bits_per_sample=metadata.bit_depth,
        grayscale=metadata.grayscale,
        alpha=base.alpha is not None,
        coded_bytes=base.coded_bytes,
        bits_per_pixel=base.bits_per_pixel,
        rate_factor=base.rate_factor,
        details=dict(base.details),
        icc_profile=_profile(metadata.icc_profile),
        exif_bytes=len(metadata.exif or b""),
        xmp_bytes=len(metadata.xmp or b""),
        dpi=metadata.dpi,
        weights=inspect_weights(codec),
    )


def inspect_weights(codec: RegisteredCodec) -> WeightsReport:
    """Report on the weights that a codec's pictures would be enhanced with."""
    try:
        file = find_weights(codec.codec.id, codec.weights)
    except WeightsError as error:
        return WeightsReport(None, None, str(error))
    try:
        return WeightsReport(file.path.name, file.verify(), None)
    except WeightsError as error:
        return WeightsReport(file.path.name, None, str(error))


def _profile(profile: bytes | None) -> str | None:
    from dirac_enhance.colour_profile import profile_name

    return None if profile is None else profile_name(profile) or UNREADABLE
