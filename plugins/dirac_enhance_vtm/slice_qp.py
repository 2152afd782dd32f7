"""The QP of an intra picture, from its picture header and the header of its slice (H.266, 7.3.2.8 and 7.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dirac_enhance_vtm.bit_reader import BitReader
from dirac_enhance_vtm.nal_units import NalType, NalUnit
from dirac_enhance_vtm.picture_parameters import PictureParameters, QpParameters
from dirac_enhance_vtm.sequence_parameters import (
    HeaderTools,
    SequenceParameters,
    UncommonSyntaxError,
    skip_partitioning,
    skip_reference_list,
)


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The parameter sets of a stream, by their numbers."""

    sequences: Mapping[int, SequenceParameters]
    pictures: Mapping[int, PictureParameters]

    def of(self, headers: NalUnit) -> tuple[SequenceParameters, PictureParameters]:
        """Return the sets of the picture whose header is in this NAL unit.

        Raises:
            BitsMissingError: if the header ends early.
            KeyError: if a set is missing.
        """
        picture = self.pictures[_read_start(_open(headers)).picture_parameters]
        return self.sequences[picture.sequence_id], picture


@dataclass(frozen=True, slots=True)
class _Start:
    """The first syntax elements of a picture header."""

    reference: bool
    gradual: bool
    inter: bool
    picture_parameters: int


def read_slice_qp(headers: NalUnit, first_slice: NalUnit, sets: ParameterSets) -> int:
    """Return the luma QP that the slice of an intra picture starts from, SliceQpY (H.266, equation 86).

    VTM codes all of a picture with the QP it was given, unless told otherwise; so do other encoders without rate
    control and perceptual adaptation.

    Args:
        headers: the NAL unit with the picture header; the slice itself, where that carries it.
        first_slice: the first slice of that picture.
        sets: the parameter sets that came before it.

    Raises:
        UncommonSyntaxError: if the headers hold syntax that is not read here: tiles, several slices, subpictures,
            several layers, long-term references, inter prediction.
        BitsMissingError: if a header ends early.
        KeyError: if a parameter set is missing.
    """
    sequence, picture = sets.of(headers)
    tools, qp = sequence.tools, picture.qp
    if tools is None or qp is None:
        raise UncommonSyntaxError("parameter sets")
    has_chroma = sequence.chroma_format != "4:0:0"
    reader = _open(headers)
    used = _skip_picture_header(reader, tools, qp, has_chroma=has_chroma)
    if not headers.is_slice:
        reader = _open(first_slice)
    _skip_slice_header(
        reader,
        tools,
        second_list_index=qp.second_list_index,
        kind=first_slice.type,
        has_chroma=has_chroma,
        used="" if headers.is_slice else used,
    )
    return qp.initial + reader.signed_golomb()


def _open(unit: NalUnit) -> BitReader:
    """Begin to read a picture header, or the slice header that it would be in; there, the first bit says if it is."""
    reader = BitReader(unit.header)
    if unit.is_slice:
        reader.skip("1")
    return reader


def _read_start(reader: BitReader) -> _Start:
    random_access = reader.flag()
    reference = not reader.flag()
    gradual = random_access and reader.flag()
    inter = reader.flag()
    if inter:
        reader.skip("1")
    return _Start(reference, gradual, inter, reader.golomb())


def _skip_picture_header(reader: BitReader, tools: HeaderTools, qp: QpParameters, *, has_chroma: bool) -> str:
    """Read past picture_header_structure, and return the pattern of the flags that slices then have in their headers.

    A slice that does not carry the picture header says for itself whether it uses luma mapping and scaling lists.
    """
    start = _read_start(reader)
    if start.inter or start.gradual:
        raise UncommonSyntaxError("inter prediction")
    reader.unsigned(tools.order_count_bits + tools.extra_picture_header_bits)
    if tools.order_count_cycle_bits is not None and reader.flag():
        reader.unsigned(tools.order_count_cycle_bits)
    used = _skip_adaptation(reader, tools, has_chroma=has_chroma)
    if qp.has_output_flag and start.reference:
        reader.skip("1")
    if tools.partition_override and reader.flag():
        for _ in range(2 if tools.dual_tree else 1):
            skip_partitioning(reader)
    reader.skip("g" * (qp.coding_units + qp.coding_unit_chroma))
    reader.skip("1" * tools.joint_chroma)
    if qp.header_extension:
        reader.unsigned(8 * reader.golomb())
    return used


def _skip_adaptation(reader: BitReader, tools: HeaderTools, *, has_chroma: bool) -> str:
    """Read past luma mapping, scaling lists and virtual boundaries; return a flag for each of the first two in use."""
    mapped = tools.luma_mapping and reader.flag()
    if mapped:
        reader.skip("21" if has_chroma else "2")
    scaled = tools.scaling_lists and reader.flag()
    if scaled:
        reader.skip("3")
    if tools.boundaries_in_picture_header and reader.flag():
        for _ in range(2):
            for _ in range(reader.golomb()):
                reader.skip("g")
    return "1" * (mapped + scaled)


def _skip_slice_header(
    reader: BitReader, tools: HeaderTools, *, second_list_index: bool, kind: int, has_chroma: bool, used: str
) -> None:
    """Read past slice_header, as far as sh_qp_delta."""
    reader.unsigned(tools.extra_slice_header_bits + 1)
    if tools.adaptive_loop_filter and reader.flag():
        reader.unsigned(3 * reader.unsigned(3))
        if has_chroma and any([reader.flag(), reader.flag()]):
            reader.skip("3")
        for _ in range(2 if tools.cross_component_filter else 0):
            if reader.flag():
                reader.skip("3")
    reader.skip(used)
    if kind == NalType.CRA or tools.reference_lists_with_idr:
        _skip_reference_lists(reader, tools, second_index=second_list_index)


def _skip_reference_lists(reader: BitReader, tools: HeaderTools, *, second_index: bool) -> None:
    """Read past ref_pic_lists (7.3.9), which intra pictures may have for those that follow them."""
    from_sequence = False
    for number, count in enumerate(tools.reference_lists):
        has_index = number == 0 or second_index
        from_sequence = count > 0 and (reader.flag() if has_index else from_sequence)
        if not from_sequence:
            skip_reference_list(reader, weighted_prediction=tools.weighted_prediction)
        elif has_index:
            reader.unsigned((count - 1).bit_length())
