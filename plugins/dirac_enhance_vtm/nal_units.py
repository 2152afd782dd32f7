"""The NAL units of a VVC byte stream (ITU-T H.266, annex B): splitting it, and telling it from HEVC and AVC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

_START_CODE = re.compile(rb"\x00\x00\x01")
_HEADER_BYTES = 2
_LONGEST_HEADER = 4096  # bytes; parameter sets and slice headers take a few hundred at most


class NalType(IntEnum):
    """The values of nal_unit_type (H.266, table 5) that decoding a first picture needs."""

    IDR_W_RADL = 7
    IDR_N_LP = 8
    CRA = 9
    OPERATING_POINT = 12
    DECODING_CAPABILITY = 13
    VIDEO_PARAMETERS = 14
    SEQUENCE_PARAMETERS = 15
    PICTURE_PARAMETERS = 16
    PREFIX_ADAPTATION_PARAMETERS = 17
    PICTURE_HEADER = 19
    ACCESS_UNIT_DELIMITER = 20
    PREFIX_SEI = 23


LAST_SLICE_TYPE = 11
"""Every type up to this one is a slice's, or reserved for one (VCL)."""

_INTRA_RANDOM_ACCESS = (NalType.IDR_W_RADL, NalType.IDR_N_LP, NalType.CRA)
_OPENING = (
    NalType.OPERATING_POINT,
    NalType.DECODING_CAPABILITY,
    NalType.VIDEO_PARAMETERS,
    NalType.SEQUENCE_PARAMETERS,
    NalType.PICTURE_PARAMETERS,
    NalType.PREFIX_ADAPTATION_PARAMETERS,
    NalType.ACCESS_UNIT_DELIMITER,
    NalType.PREFIX_SEI,
)


@dataclass(frozen=True, slots=True)
class NalUnit:
    """One NAL unit of the base layer.

    Args:
        type: its nal_unit_type.
        start: where its start code, leading zero byte included, begins in the stream.
        payload: what follows the two bytes of its header, emulation prevention still in it.
    """

    type: int
    start: int
    payload: bytes

    @property
    def is_slice(self) -> bool:
        """Whether it holds a slice of a picture."""
        return self.type <= LAST_SLICE_TYPE

    @property
    def is_intra_random_access(self) -> bool:
        """Whether it is a slice of a picture that needs no other picture."""
        return self.type in _INTRA_RANDOM_ACCESS

    @property
    def starts_picture(self) -> bool:
        """Whether a picture starts with it: a picture header, or a slice that carries its own (H.266, 7.4.2.4.4)."""
        if self.is_slice:
            return bool(self.payload) and self.payload[0] >= 0x80  # sh_picture_header_in_slice_header_flag
        return self.type == NalType.PICTURE_HEADER

    @property
    def header(self) -> bytes:
        """The payload's beginning, without its emulation prevention bytes: all of a parameter set or slice header."""
        return self.payload[:_LONGEST_HEADER].replace(b"\x00\x00\x03", b"\x00\x00")


def split_nal_units(stream: bytes) -> tuple[NalUnit, ...]:
    """Split an Annex B byte stream into the NAL units of its base layer; the others, and damaged ones, are left out."""
    starts = [found.start() for found in _START_CODE.finditer(stream)]
    units = []
    for start, end in zip(starts, [*starts[1:], len(stream)], strict=True):
        content = stream[start + 3 : end]
        if _is_base_layer(content):
            before = start - 1 if stream[start - 1 : start] == b"\x00" else start
            units.append(NalUnit(content[1] >> 3, before, content[_HEADER_BYTES:].rstrip(b"\x00")))
    return tuple(units)


def is_vvc(header: bytes) -> bool:
    """Say whether a stream starts as VVC does: a start code, and a NAL unit that comes before any picture."""
    content = _first_nal_unit(header)
    return _is_base_layer(content) and content[1] >> 3 in _OPENING


def name_other_format(stream: bytes) -> str | None:
    """Name the codec of a byte stream that is HEVC or AVC; None for anything else."""
    content = _first_nal_unit(stream)
    if len(content) < _HEADER_BYTES:
        return None
    if content[0] in (0x40, 0x42, 0x44, 0x46, 0x4E) and content[1] & 7:  # parameter sets, delimiter, SEI
        return "HEVC (H.265)"
    if content[0] < 0x80 and content[0] & 0x1F in (6, 7, 8, 9):  # SEI, parameter sets, delimiter
        return "AVC (H.264)"
    return None


def _first_nal_unit(stream: bytes) -> bytes:
    found = _START_CODE.search(stream)
    if found is None or stream[: found.start()].strip(b"\x00"):
        return b""
    return stream[found.end() :]


def _is_base_layer(content: bytes) -> bool:
    """Whether a NAL unit's header is valid and of layer 0: forbidden, reserved and layer bits 0, temporal id not."""
    return len(content) >= _HEADER_BYTES and content[0] == 0 and content[1] & 7 != 0
