"""Sequence parameter sets (H.266, clause 7.3.2.4): the format of the samples, and the tools that shape the headers."""

from __future__ import annotations

from dataclasses import dataclass

from dirac_enhance_vtm.bit_reader import BitReader, BitsMissingError

_CONSTRAINT_BITS = 71
"""Of general_constraints_info before gci_num_additional_bits."""

CHROMA_FORMATS = ("4:0:0", "4:2:0", "4:2:2", "4:4:4")
"""By sps_chroma_format_idc."""


class UncommonSyntaxError(ValueError):
    """Syntax that VVC allows and this package does not read: subpictures, tiles, layers, long-term references."""


@dataclass(frozen=True, slots=True)
class HeaderTools:
    """The coding tools on which the syntax of an intra picture's headers depends."""

    order_count_bits: int
    order_count_cycle_bits: int | None
    extra_picture_header_bits: int
    extra_slice_header_bits: int
    partition_override: bool
    dual_tree: bool
    joint_chroma: bool
    adaptive_loop_filter: bool
    cross_component_filter: bool
    luma_mapping: bool
    reference_lists_with_idr: bool
    reference_lists: tuple[int, int]
    weighted_prediction: bool
    scaling_lists: bool
    boundaries_in_picture_header: bool


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """A sequence parameter set.

    Args:
        id: its number in the stream.
        chroma_format: one of `CHROMA_FORMATS`.
        bit_depth: bits per sample, of luma and chroma alike.
        size: width and height of the largest coded picture in luma samples.
        margins: left, right, top, bottom; what is cut off a picture of that size, in chroma samples.
        tools: None where the second part of the set holds syntax that is not read here.
    """

    id: int
    chroma_format: str
    bit_depth: int
    size: tuple[int, int]
    margins: tuple[int, int, int, int]
    tools: HeaderTools | None


def read_sequence_parameters(content: bytes) -> SequenceParameters:
    """Read a sequence parameter set from its NAL unit's payload, emulation prevention removed.

    Raises:
        BitsMissingError: if it ends before the bit depth.
        UncommonSyntaxError: if it describes subpictures.
    """
    reader = BitReader(content)
    number, layers, sublayers = reader.unsigned(4), reader.unsigned(4), reader.unsigned(3)
    chroma_format, tree_unit = CHROMA_FORMATS[reader.unsigned(2)], 32 << reader.unsigned(2)
    has_profile = reader.flag()
    if has_profile:
        _skip_profile(reader, sublayers)
    reader.skip("1")  # gradual decoding refresh
    if reader.flag():
        reader.skip("1")  # resolution changes within a sequence
    size = (reader.golomb(), reader.golomb())
    margins = read_margins(reader) or (0, 0, 0, 0)
    if reader.flag():
        raise UncommonSyntaxError("subpictures")
    bit_depth = 8 + reader.golomb()
    try:
        tools = _read_tools(
            reader,
            chroma_format=chroma_format,
            large_transforms=tree_unit > 32,
            sublayers=sublayers if has_profile else None,
            single_layer=layers == 0,
        )
    except (UncommonSyntaxError, BitsMissingError):
        tools = None
    return SequenceParameters(number, chroma_format, bit_depth, size, margins, tools)


def read_margins(reader: BitReader) -> tuple[int, int, int, int] | None:
    """Read a conformance window: left, right, top and bottom margin in chroma samples; None where there is none."""
    if not reader.flag():
        return None
    return (reader.golomb(), reader.golomb(), reader.golomb(), reader.golomb())


def _skip_profile(reader: BitReader, sublayers: int) -> None:
    """Read past profile_tier_level (7.3.3.1) and the general_constraints_info in it (7.3.3.2)."""
    reader.unsigned(7 + 1 + 8 + 2)  # profile, tier, level, two flags
    if reader.flag():
        reader.unsigned(_CONSTRAINT_BITS)
        reader.unsigned(reader.unsigned(8))
    reader.align()
    levels = sum(reader.flag() for _ in range(sublayers))
    reader.align()
    reader.unsigned(8 * levels)
    reader.unsigned(32 * reader.unsigned(8))  # sub-profiles


def _read_tools(
    reader: BitReader, *, chroma_format: str, large_transforms: bool, sublayers: int | None, single_layer: bool
) -> HeaderTools:
    """Read what follows the bit depth, as far as the virtual boundaries.

    Args:
        reader: after the bit depth.
        chroma_format: one of `CHROMA_FORMATS`.
        large_transforms: whether coding tree units are larger than 32.
        sublayers: sps_max_sublayers_minus1 where the buffer's parameters are present, else None.
        single_layer: whether the set belongs to no video parameter set.
    """
    has_chroma = chroma_format != "4:0:0"
    reader.skip("11")  # entropy coding
    order_count_bits = 4 + reader.unsigned(4)
    order_count_cycle_bits = 1 + reader.golomb() if reader.flag() else None
    extra_picture_header_bits = _count_extra_bits(reader)
    extra_slice_header_bits = _count_extra_bits(reader)
    if sublayers is not None:
        _skip_buffer(reader, sublayers)
    reader.skip("g")  # smallest coding block
    partition_override = reader.flag()
    dual_tree = _read_partitioning(reader, has_chroma=has_chroma)
    large_transforms = large_transforms and reader.flag()
    transform_skip, low_frequency = _read_transforms(reader)
    joint_chroma = has_chroma and _read_chroma_qp(reader)
    reader.skip("1")  # sample adaptive offset
    adaptive_loop_filter = reader.flag()
    cross_component_filter = adaptive_loop_filter and has_chroma and reader.flag()
    luma_mapping = reader.flag()
    weighted_prediction = any([reader.flag(), reader.flag()])
    if reader.flag() or not single_layer:
        raise UncommonSyntaxError("long-term references or several layers")
    reference_lists_with_idr = reader.flag()
    reference_lists = _read_reference_lists(reader, weighted_prediction=weighted_prediction)
    _skip_inter_prediction(reader)
    _skip_intra_prediction(
        reader, chroma_format=chroma_format, large_transforms=large_transforms, transform_skip=transform_skip
    )
    scaling_lists = reader.flag()
    return HeaderTools(
        order_count_bits=order_count_bits,
        order_count_cycle_bits=order_count_cycle_bits,
        extra_picture_header_bits=extra_picture_header_bits,
        extra_slice_header_bits=extra_slice_header_bits,
        partition_override=partition_override,
        dual_tree=dual_tree,
        joint_chroma=joint_chroma,
        adaptive_loop_filter=adaptive_loop_filter,
        cross_component_filter=cross_component_filter,
        luma_mapping=luma_mapping,
        reference_lists_with_idr=reference_lists_with_idr,
        reference_lists=reference_lists,
        weighted_prediction=weighted_prediction,
        scaling_lists=scaling_lists,
        boundaries_in_picture_header=_read_boundaries(reader, low_frequency=low_frequency and scaling_lists),
    )


def _count_extra_bits(reader: BitReader) -> int:
    return sum(reader.flag() for _ in range(8 * reader.unsigned(2)))


def _skip_buffer(reader: BitReader, sublayers: int) -> None:
    """Read past dpb_parameters (7.3.4)."""
    described = sublayers + 1 if sublayers and reader.flag() else 1
    reader.skip("ggg" * described)


def _read_partitioning(reader: BitReader, *, has_chroma: bool) -> bool:
    """Read past the partitioning constraints, and return whether intra slices have a second tree for chroma."""
    skip_partitioning(reader)
    dual_tree = has_chroma and reader.flag()
    if dual_tree:
        skip_partitioning(reader)
    skip_partitioning(reader)  # of inter slices
    return dual_tree


def skip_partitioning(reader: BitReader) -> None:
    """Read past the smallest quadtree leaf, the multi-type tree's depth and, where it has any, its block sizes."""
    reader.skip("g")
    if reader.golomb() > 0:
        reader.skip("gg")


def _read_transforms(reader: BitReader) -> tuple[bool, bool]:
    """Return whether transform skip and the low-frequency non-separable transform are enabled."""
    transform_skip = reader.flag()
    if transform_skip:
        reader.skip("g1")
    if reader.flag():
        reader.skip("11")  # multiple transform selection
    return transform_skip, reader.flag()


def _read_chroma_qp(reader: BitReader) -> bool:
    """Read past the tables from luma to chroma QP, and return whether chroma residuals may be coded jointly."""
    joint = reader.flag()
    same = reader.flag()
    for _ in range(1 if same else 3 if joint else 2):
        reader.skip("s")
        for _ in range(1 + reader.golomb()):
            reader.skip("gg")
    return joint


def _read_reference_lists(reader: BitReader, *, weighted_prediction: bool) -> tuple[int, int]:
    same = reader.flag()
    counts = []
    for _ in range(1 if same else 2):
        counts.append(reader.golomb())
        for _ in range(counts[-1]):
            skip_reference_list(reader, weighted_prediction=weighted_prediction)
    return counts[0], counts[-1]


def skip_reference_list(reader: BitReader, *, weighted_prediction: bool) -> None:
    """Read past ref_pic_list_struct (7.3.10) of short-term references."""
    for entry in range(reader.golomb()):
        distance = reader.golomb() + (0 if weighted_prediction and entry else 1)
        if distance:
            reader.skip("1")


def _skip_inter_prediction(reader: BitReader) -> None:
    reader.skip("1")  # wraparound
    if reader.flag():
        reader.skip("1")  # temporal motion vectors
    motion_resolution = reader.flag()
    for before in ("", "1", ""):  # bi-directional optical flow; symmetric, then refined, then merged differences
        reader.skip(before)
        if reader.flag():
            reader.skip("1")
    merge_candidates = 6 - reader.golomb()
    reader.skip("1")  # subblock transform
    if reader.flag():
        reader.skip("g11" if motion_resolution else "g1")  # affine motion
        if reader.flag():
            reader.skip("1")
    reader.skip("11")
    if merge_candidates >= 2 and reader.flag() and merge_candidates >= 3:
        reader.skip("g")  # geometric partitions
    reader.skip("g")


def _skip_intra_prediction(
    reader: BitReader, *, chroma_format: str, large_transforms: bool, transform_skip: bool
) -> None:
    reader.skip({"4:0:0": "111", "4:2:0": "111111"}.get(chroma_format, "1111"))
    palette = reader.flag()
    if chroma_format == "4:4:4" and not large_transforms and reader.flag():
        raise UncommonSyntaxError("adaptive colour transform")
    if transform_skip or palette:
        reader.skip("g")
    if reader.flag():
        reader.skip("g")  # intra block copy
    if reader.flag():
        intervals = 1 + reader.unsigned(2)
        reader.skip("s" + "sg" * intervals)  # luma-adaptive deblocking


def _read_boundaries(reader: BitReader, *, low_frequency: bool) -> bool:
    """Read what is left up to the virtual boundaries, and return whether picture headers may have their own."""
    reader.skip("111" if low_frequency else "11")  # scaling lists, dependent quantisation, sign hiding
    return reader.flag() and not reader.flag()
