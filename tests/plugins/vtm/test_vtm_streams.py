"""VVC byte streams: what is detected, where the first picture ends, and which QP its headers say."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.nal_units import name_other_format, split_nal_units

if TYPE_CHECKING:
    from .conftest import Stream

Find = Callable[[str], "Stream"]
TRAINING = Path(__file__).parents[3] / "data" / "vvc" / "train"

AVC = bytes.fromhex("00000001 6764001facd9405005bb011000000300100000030320f1831960")
HEVC = bytes.fromhex("00000001 40010c01ffff01600000030090000003000003005d959809")


def test_a_stream_is_detected_from_its_beginning(any_stream: Stream) -> None:
    assert VtmCodec().detect(any_stream.data[:4096])
    assert VtmCodec().detect(any_stream.data[1:])  # a start code of three bytes
    assert VtmCodec().detect(b"\x00\x00" + any_stream.data[:100])


@pytest.mark.parametrize("opening", ["0079", "00a1", "0069", "0061", "00b9"], ids=["SPS", "AUD", "DCI", "OPI", "SEI"])
def test_whatever_may_open_a_stream_is_detected(opening: str) -> None:
    assert VtmCodec().detect(b"\x00\x00\x01" + bytes.fromhex(opening) + b"\x28")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x00",
        b"\x00\x00\x01",
        b"\x00\x00\x01\x00",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"plain text \x00\x00\x01\x00\x79",
        AVC,
        HEVC,
        AVC[1:],
        bytes.fromhex("00000001 0910 00000001 674d401e"),  # AVC with a delimiter
        bytes.fromhex("00000001 460150"),  # HEVC with a delimiter
        bytes.fromhex("000001ba 44000400"),  # an MPEG programme stream
        bytes.fromhex("000001b3 14000f"),  # MPEG-2 video
        bytes.fromhex("000001b0 01000001b5"),  # MPEG-4 part 2
        bytes.fromhex("00000100 00000120 00"),  # MPEG-4 part 2 without its header, or a Windows icon
        bytes.fromhex("000001 0041 aa"),  # a slice without parameter sets
        bytes(4096),
    ],
    ids=lambda header: header[:8].hex() or "nothing",
)
def test_other_files_are_not_detected(header: bytes) -> None:
    assert not VtmCodec().detect(header)


@pytest.mark.parametrize(
    ("stream_of", "name"),
    [(AVC, "AVC (H.264)"), (HEVC, "HEVC (H.265)"), (AVC[1:], "AVC (H.264)"), (b"\xff\xd8\xff", None), (b"", None)],
)
def test_other_codecs_streams_are_named(stream_of: bytes, name: str | None) -> None:
    assert name_other_format(stream_of) == name


def test_vvc_is_not_named_as_another(any_stream: Stream) -> None:
    assert name_other_format(any_stream.data) is None


def test_the_first_picture_ends_where_the_second_begins(stream: Find) -> None:
    data = stream("intra444_8bit_64x64_two").data

    first = find_first_picture(data)
    second = find_first_picture(data[len(first.stream) :])

    assert first.stream + second.stream == data
    assert [unit.type for unit in split_nal_units(first.stream)] == [15, 16, 8]
    assert [unit.type for unit in split_nal_units(second.stream)] == [15, 16, 9]
    assert (first.qp, second.qp) == (37, 37)  # the second from a slice header with reference lists


def test_layers_above_the_base_are_left_out(stream: Find) -> None:
    data = stream("intra444_8bit_7x5").data
    layered = data + b"\x00\x00\x01\x01\x41" + b"\xaa" * 20

    assert [unit.type for unit in split_nal_units(layered)] == [unit.type for unit in split_nal_units(data)]


def test_the_qp_in_the_headers_is_the_one_that_the_encoder_was_given() -> None:
    index = TRAINING / "index.csv"
    if not index.is_file():
        pytest.skip(f"needs the streams of {index}")
    with index.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::12]

    for row in rows:
        picture = find_first_picture((TRAINING / row["bitstream"]).read_bytes())
        assert (picture.qp, picture.width, picture.height) == (int(row["qp"]), 256, 256)
