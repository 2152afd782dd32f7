"""Picture parameter sets (H.266, clause 7.3.2.5): the size of the coded picture, and what its headers start from."""

from __future__ import annotations

from dataclasses import dataclass

from dirac_enhance_vtm.bit_reader import BitReader, BitsMissingError
from dirac_enhance_vtm.sequence_parameters import UncommonSyntaxError, read_margins


@dataclass(frozen=True, slots=True)
class QpParameters:
    """What an intra picture's headers, and its QP, depend on.

    Args:
        initial: 26 + pps_init_qp_minus26.
        coding_units: whether coding units may change the QP.
        coding_unit_chroma: whether coding units may offset the QP of chroma.
        has_output_flag: whether picture headers say if the picture is shown.
        second_list_index: whether slice headers index the second reference list on its own.
        header_extension: whether picture headers end with an extension.
    """

    initial: int
    coding_units: bool
    coding_unit_chroma: bool
    has_output_flag: bool
    second_list_index: bool
    header_extension: bool


@dataclass(frozen=True, slots=True)
class PictureParameters:
    """A picture parameter set.

    Args:
        id: its number in the stream.
        sequence_id: of its sequence parameter set.
        size: width and height of the coded picture in luma samples.
        margins: left, right, top, bottom; what is cut off, in chroma samples; None: as the sequence says.
        qp: None where the set holds syntax that is not read here, as of tiles and subpictures.
    """

    id: int
    sequence_id: int
    size: tuple[int, int]
    margins: tuple[int, int, int, int] | None
    qp: QpParameters | None


def read_picture_parameters(content: bytes) -> PictureParameters:
    """Read a picture parameter set from its NAL unit's payload, emulation prevention removed.

    Raises:
        BitsMissingError: if it ends before the conformance window does.
    """
    reader = BitReader(content)
    number, sequence_id = reader.unsigned(6), reader.unsigned(4)
    reader.skip("1")  # mixed NAL unit types
    size = (reader.golomb(), reader.golomb())
    margins = read_margins(reader)
    try:
        qp = _read_qp(reader)
    except (UncommonSyntaxError, BitsMissingError):
        qp = None
    return PictureParameters(number, sequence_id, size, margins, qp)


def _read_qp(reader: BitReader) -> QpParameters:
    if reader.flag():
        reader.skip("ssss")  # scaling window
    has_output_flag = reader.flag()
    undivided, subpictures = reader.flag(), reader.flag()
    if subpictures or not undivided:
        raise UncommonSyntaxError("tiles, slices or subpictures")
    reader.skip("1gg")  # entropy coding, default numbers of references
    second_list_index = reader.flag()
    reader.skip("11")  # weighted prediction
    if reader.flag():
        reader.skip("g")  # wraparound
    initial, coding_units = 26 + reader.signed_golomb(), reader.flag()
    has_chroma_offsets = reader.flag()
    coding_unit_chroma = has_chroma_offsets and _read_chroma_offsets(reader)
    if reader.flag():
        _skip_deblocking(reader, has_chroma_offsets=has_chroma_offsets)
    return QpParameters(
        initial=initial,
        coding_units=coding_units,
        coding_unit_chroma=coding_unit_chroma,
        has_output_flag=has_output_flag,
        second_list_index=second_list_index,
        header_extension=reader.flag(),
    )


def _read_chroma_offsets(reader: BitReader) -> bool:
    """Read past the QP offsets of chroma, and return whether there is a list for coding units to choose from."""
    reader.skip("ss")
    joint = reader.flag()
    reader.skip("s1" if joint else "1")
    has_list = reader.flag()
    if has_list:
        for _ in range(1 + reader.golomb()):
            reader.skip("sss" if joint else "ss")
    return has_list


def _skip_deblocking(reader: BitReader, *, has_chroma_offsets: bool) -> None:
    reader.skip("1")  # slices may override
    disabled = reader.flag()
    if not disabled:
        reader.skip("ssssss" if has_chroma_offsets else "ss")
