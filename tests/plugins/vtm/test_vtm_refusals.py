"""VtmCodec on streams that are cut off, damaged or of another kind: one clear error, no made-up picture, no hang."""

from __future__ import annotations

import random
import re
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

import av
import pytest
from av.codec.codec import UnknownCodecError

from dirac_enhance import DiracWarning, InvalidBitstreamError, PluginError
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.bit_reader import BitsMissingError
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.nal_units import split_nal_units
from dirac_enhance_vtm.sequence_parameters import UncommonSyntaxError, read_sequence_parameters

if TYPE_CHECKING:
    from .conftest import Stream

Find = Callable[[str], "Stream"]


@pytest.mark.parametrize("name", ["intra444_8bit_7x5", "intra444_8bit_64x64_qp32", "intra400"])
def test_a_stream_cut_anywhere_is_refused(name: str, stream: Find) -> None:
    data = stream(name).data

    for length in range(1, len(data)):
        with pytest.raises(InvalidBitstreamError, match="VVC"):
            VtmCodec().decode(data[:length])


def test_a_second_picture_that_is_cut_does_not_matter(stream: Find) -> None:
    data = stream("intra444_8bit_64x64_two").data

    with pytest.warns(DiracWarning):
        assert VtmCodec().decode(data[:-20]).width == 64


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file; expected a VVC byte stream"),
        (b"plain text", "not a VVC byte stream .*no start code"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "not a VVC byte stream"),
        (bytes.fromhex("00000001 40010c01ffff"), r"this is HEVC \(H.265\)"),
        (bytes.fromhex("00000001 6764001facd9"), r"this is AVC \(H.264\)"),
        (bytes.fromhex("00000001 0079"), "ends before its first picture"),
        (bytes.fromhex("00000001 0079 00000001 0001 80"), "predicted from one that is missing"),
        (bytes.fromhex("00000001 0079 00000001 0081 00000001 0001 80"), "predicted from one that is missing"),
        (bytes.fromhex("00000001 0079 00000001 0081 00000001 0039 80"), "damaged or unusual parameter sets"),
    ],
)
def test_other_bytes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=message):
        VtmCodec().decode(data)


def test_inter_coded_pictures_without_the_intra_picture_are_refused(stream: Find) -> None:
    data = stream("lowdelay420").data
    intra, following = [unit.start for unit in split_nal_units(data)][2:4]

    with pytest.raises(InvalidBitstreamError, match="starts with a picture predicted from one that is missing"):
        VtmCodec().decode(data[:intra] + data[following:])


def test_four_hundred_is_decoded_to_gray(stream: Find) -> None:
    base = VtmCodec().decode(stream("intra400").data)

    assert base.metadata.grayscale
    assert bool((base.pixels == base.pixels[:1]).all())


def test_twelve_bits_are_decoded_or_refused(stream: Find) -> None:
    data = _edit_sequence(stream("intra444_8bit_64x64_qp32").data, golomb=2, becomes=4)
    assert find_first_picture(data).bit_depth == 12

    try:
        base = VtmCodec().decode(data)
    except InvalidBitstreamError as error:
        assert "with 12 bits" in str(error)  # noqa: PT017 - which of the two, FFmpeg decides
    else:
        assert tuple(base.pixels.shape) == (3, 64, 64)


def test_a_stream_that_claims_thousands_of_megapixels_is_refused_before_they_are_allocated(stream: Find) -> None:
    data = stream("intra444_8bit_64x64_qp32").data
    picture = split_nal_units(data)[1]
    bits, size = _to_bits(picture.header), _golomb(64) * 2
    before, after = bits[:11], bits[11:].removeprefix(size)  # numbers of the sets and a flag; the size; the rest
    claimed = before + _golomb(60000) * 2 + after
    with pytest.raises(InvalidBitstreamError, match="claims 60000×60000 pixels; at most 200 megapixels"):
        VtmCodec().decode(_replace(data, picture.start, claimed))


def test_damaged_bytes_give_a_picture_or_one_kind_of_error(any_stream: Stream) -> None:
    dice = random.Random(any_stream.name)  # noqa: S311 - the same damage each time
    outcomes = []

    for _ in range(60):
        damaged = bytearray(any_stream.data)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(4, len(damaged))] = dice.randrange(256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiracWarning)
            try:
                base = VtmCodec().decode(bytes(damaged))
            except InvalidBitstreamError:
                outcomes.append("refused")
            else:
                outcomes.append("decoded")
                assert base.rate_factor is None or 0 <= base.rate_factor <= 63
                assert 0 <= float(base.pixels.min()) <= float(base.pixels.max()) <= 1

    assert "refused" in outcomes


def test_parameter_sets_of_noise_are_read_in_no_time_or_refused() -> None:
    dice = random.Random(1)  # noqa: S311 - the same noise each time

    for length in (0, 1, 30, 4096):
        for zeros in (0, 1):
            noise = bytes(dice.randrange(256) * dice.choice((zeros, 1)) for _ in range(length))
            try:
                read_sequence_parameters(noise)
            except (BitsMissingError, UncommonSyntaxError):
                continue


def test_a_pyav_without_a_vvc_decoder_is_named(stream: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    class OldContext:
        @staticmethod
        def create(name: str, _mode: str) -> NoReturn:
            raise UnknownCodecError(name)

    monkeypatch.setattr(av, "CodecContext", OldContext)

    with pytest.raises(PluginError, match=r"no VVC decoder, .*pip install --upgrade av.*dirac-enhance codecs"):
        VtmCodec().decode(stream("intra444_8bit_7x5").data)


def test_a_missing_pyav_is_named(stream: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(PluginError, match=r"PyAV, which decodes VVC, cannot be imported: .*; `pip install av`"):
        VtmCodec().decode(stream("intra444_8bit_7x5").data)


def _golomb(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _to_bits(content: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in content)


def _replace(data: bytes, start: int, bits: str) -> bytes:
    """Put other bits into the parameter set that starts there."""
    starts = [*(unit.start for unit in split_nal_units(data)), len(data)]
    end = next(after for before, after in pairwise(starts) if before == start)
    bits = bits.rstrip("0")
    content = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    escaped = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", content)
    header = data[start : start + data[start:].index(b"\x01") + 3]
    return data[:start] + header + escaped + data[end:]


def _edit_sequence(data: bytes, *, golomb: int, becomes: int) -> bytes:
    """Change the code of the bit depth: the one whose change changes nothing else."""
    unit = split_nal_units(data)[0]
    bits, before, after = _to_bits(unit.header), _golomb(golomb), _golomb(becomes)
    known = read_sequence_parameters(unit.header)
    for place in range(len(bits)):
        if bits.startswith(before, place):
            edited = _replace(data, unit.start, bits[:place] + after + bits[place + len(before) :])
            try:
                found = read_sequence_parameters(split_nal_units(edited)[0].header)
            except ValueError:
                continue
            if found.bit_depth == 8 + becomes and (found.size, found.tools) == (known.size, known.tools):
                return edited
    raise AssertionError("the bit depth was not found")
