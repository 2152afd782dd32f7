"""The first picture of a VVC stream: where it ends, its size and format, and the QP it was coded with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_vtm.bit_reader import BitsMissingError
from dirac_enhance_vtm.nal_units import NalType, NalUnit, is_vvc, name_other_format, split_nal_units
from dirac_enhance_vtm.picture_parameters import PictureParameters, read_picture_parameters
from dirac_enhance_vtm.sequence_parameters import SequenceParameters, UncommonSyntaxError, read_sequence_parameters
from dirac_enhance_vtm.slice_qp import ParameterSets, read_slice_qp

MAXIMUM_PIXELS = 200_000_000
"""More than a sensor of 2026 delivers; a stream of a hundred bytes can claim more."""

_SUBSAMPLING = {"4:0:0": (1, 1), "4:2:0": (2, 2), "4:2:2": (2, 1), "4:4:4": (1, 1)}
"""SubWidthC and SubHeightC (H.266, table 2)."""


@dataclass(frozen=True, slots=True)
class FirstPicture:
    """The first picture of a stream, still coded.

    Args:
        stream: the stream up to the end of that picture.
        width: of the picture as it is shown, in luma samples.
        height: likewise.
        chroma_format: "4:0:0", "4:2:0", "4:2:2" or "4:4:4".
        bit_depth: bits per sample.
        qp: its luma QP, or None where its headers hold syntax that is not read.
        pictures: how many pictures the whole stream holds.
    """

    stream: bytes
    width: int
    height: int
    chroma_format: str
    bit_depth: int
    qp: int | None
    pictures: int

    @property
    def subsampling(self) -> tuple[int, int]:
        """How many luma samples a chroma sample stands for, across and down."""
        return _SUBSAMPLING[self.chroma_format]


def find_first_picture(data: bytes) -> FirstPicture:
    """Find the first picture of a stream and read its headers; the samples are not decoded.

    Raises:
        InvalidBitstreamError: if `data` is empty, of another format, cut off before the picture begins or damaged
            there, if the first picture depends on others, or is of more than `MAXIMUM_PIXELS`.
    """
    _check_format(data)
    units = split_nal_units(data)
    starts = [index for index, unit in enumerate(units) if unit.starts_picture]
    slices = [index for index, unit in enumerate(units) if unit.is_slice]
    if not starts or not slices:
        raise InvalidBitstreamError("a VVC stream that ends before its first picture; expected a whole file")
    first = units[slices[0]]
    if not first.is_intra_random_access or starts[0] > slices[0]:
        raise InvalidBitstreamError(
            "a VVC stream that starts with a picture predicted from one that is missing; expected an intra picture"
        )
    end = _find_end(units, starts, first_slice=slices[0])
    headers = units[starts[0]]
    try:
        sets = _read_parameter_sets(units[: slices[0]])
        sequence, parameters = sets.of(headers)
    except (BitsMissingError, UncommonSyntaxError, KeyError, IndexError) as cause:
        raise InvalidBitstreamError(
            f"a VVC stream with damaged or unusual parameter sets ({type(cause).__name__}: {cause})"
        ) from cause
    width, height = _shown_size(sequence, parameters)
    return FirstPicture(
        stream=data if end is None else data[: units[end].start],
        width=width,
        height=height,
        chroma_format=sequence.chroma_format,
        bit_depth=sequence.bit_depth,
        qp=_read_qp(headers, first, sets),
        pictures=len(starts),
    )


def _check_format(data: bytes) -> None:
    if not data:
        raise InvalidBitstreamError("empty file; expected a VVC byte stream")
    if not is_vvc(data):
        other = name_other_format(data)
        found = f"this is {other}" if other else "no start code of a VVC parameter set at the beginning"
        raise InvalidBitstreamError(f"not a VVC byte stream (H.266, annex B): {found}")


def _find_end(units: Sequence[NalUnit], starts: Sequence[int], *, first_slice: int) -> int | None:
    """Return the index of the NAL unit after the first picture's last one; None where that ends the stream.

    What comes between the slices of two pictures, parameter sets mostly, is not needed to decode the first.
    """
    later = [start for start in starts if start > first_slice]
    if not later:
        return None
    return max(index for index in range(first_slice, later[0]) if units[index].is_slice) + 1


def _read_parameter_sets(units: Sequence[NalUnit]) -> ParameterSets:
    sequences, pictures = {}, {}
    for unit in units:
        if unit.type == NalType.SEQUENCE_PARAMETERS:
            sequence = read_sequence_parameters(unit.header)
            sequences[sequence.id] = sequence
        elif unit.type == NalType.PICTURE_PARAMETERS:
            picture = read_picture_parameters(unit.header)
            pictures[picture.id] = picture
    return ParameterSets(sequences, pictures)


def _shown_size(sequence: SequenceParameters, picture: PictureParameters) -> tuple[int, int]:
    """Return width and height within the conformance window.

    Raises:
        InvalidBitstreamError: if nothing is left of them, or too much.
    """
    left, right, top, bottom = picture.margins or (sequence.margins if picture.size == sequence.size else (0, 0, 0, 0))
    across, down = _SUBSAMPLING[sequence.chroma_format]
    width, height = picture.size[0] - across * (left + right), picture.size[1] - down * (top + bottom)
    if width < 1 or height < 1:
        raise InvalidBitstreamError(f"a VVC stream that claims {width}×{height} pixels; expected a whole file")
    if width * height > MAXIMUM_PIXELS:
        raise InvalidBitstreamError(
            f"a VVC stream that claims {width}×{height} pixels;"
            f" at most {MAXIMUM_PIXELS // 1_000_000} megapixels are decoded"
        )
    return width, height


def _read_qp(headers: NalUnit, first_slice: NalUnit, sets: ParameterSets) -> int | None:
    try:
        return read_slice_qp(headers, first_slice, sets)
    except (UncommonSyntaxError, BitsMissingError, KeyError):
        return None
