"""Mutated JPEGs through decoding: a valid picture or one clear error of ours, in bounded time."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dirac_enhance import CodecHost, InvalidBitstreamError, InvalidImageError, UnknownCodecError, load_host
from dirac_enhance.contract import find_fault
from dirac_enhance.pipeline import decode_file
from dirac_enhance_jpeg import JpegCodec
from small_pictures import small_jpeg

LONGEST = 20.0
"""Seconds of processor time a file may take: more than 200 megapixels, the most that is decoded, need."""


def exif() -> bytes:
    block = Image.Exif()
    block[0x0112], block[0x010F], block[0x011A] = 6, "a maker", 300.0
    return block.tobytes()


JPEGS = (
    small_jpeg(),
    small_jpeg(progressive=True),
    small_jpeg("L", restart_marker_blocks=1),
    small_jpeg("CMYK", icc_profile=bytes(range(200))),
    small_jpeg(exif=exif(), xmp=b"<x/>", comment=b"a comment", dpi=(72, 72), subsampling="4:4:4"),
)


def segments(data: bytes) -> list[bytes]:
    """Cut a JPEG after each marker segment (ITU-T T.81, B.1.1.4); the last piece starts at the first scan."""
    pieces, place = [data[:2]], 2
    while data[place + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, place + 2)
        pieces.append(data[place : place + 2 + length])
        place += 2 + length
    return [*pieces, data[place:]]


@st.composite
def edited_jpegs(draw: st.DrawFn) -> bytes:
    """A JPEG after up to six edits: bits flipped, bytes put in, taken out, replaced or repeated."""
    data = draw(st.sampled_from(JPEGS))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 4, 16, 64))))
        piece = data[start:end]
        new = draw(
            st.one_of(
                st.binary(max_size=8),
                st.just(2 * piece),
                st.integers(0, 7).map(lambda bit, piece=piece: bytes(byte ^ 1 << bit for byte in piece)),  # type: ignore[misc]
            )
        )
        data = data[:start] + new + data[end:]
    return data


@st.composite
def reassembled_jpegs(draw: st.DrawFn) -> bytes:
    """A JPEG of marker segments drawn from all of them: left out, repeated, in any order, from different files."""
    pieces = [piece for data in JPEGS for piece in segments(data)]
    middle = draw(st.lists(st.sampled_from(pieces), max_size=12))
    return b"".join([b"\xff\xd8", *middle, draw(st.sampled_from([segments(data)[-1] for data in JPEGS]))])


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Import what decoding needs before it is timed."""
    JpegCodec().decode(JPEGS[0])


@pytest.mark.filterwarnings("ignore::dirac_enhance.DiracWarning")  # a damaged profile, say, is left out
@settings(
    max_examples=500, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.one_of(edited_jpegs(), reassembled_jpegs()))
def test_any_mutation_gives_a_valid_picture_or_our_error(data: bytes) -> None:
    started = time.process_time()

    with suppress(InvalidBitstreamError):
        assert find_fault(JpegCodec().decode(data)) is None

    assert time.process_time() - started < LONGEST


@pytest.fixture(scope="module")
def host() -> CodecHost:
    return load_host()


@pytest.mark.parametrize("data", JPEGS[:3], ids=["baseline", "progressive", "grayscale"])
def test_a_file_cut_at_every_tenth_byte_is_refused_by_name(host: CodecHost, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "cut.jpg"

    for length in range(10, len(data), 10):
        file.write_bytes(data[:length])
        with pytest.raises(InvalidBitstreamError, match=r"cut\.jpg': not a whole JPEG file"):
            decode_file(file, host)


@pytest.mark.parametrize("data", JPEGS[:3], ids=["baseline", "progressive", "grayscale"])
def test_a_flipped_bit_gives_a_picture_or_an_error_that_names_the_file(
    host: CodecHost, tmp_path: Path, data: bytes
) -> None:
    file = tmp_path / "flipped.jpg"
    decoded, refused = 0, []

    for place in range(0, len(data), 2):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place // 2 % 8
        file.write_bytes(flipped)
        try:
            decode_file(file, host)
            decoded += 1
        except (InvalidBitstreamError, UnknownCodecError) as error:
            refused.append(str(error))

    assert min(decoded, len(refused)) > 5
    assert all(error.startswith(f"'{file}': ") for error in refused)


def test_an_empty_file_is_called_empty(host: CodecHost, tmp_path: Path) -> None:
    (tmp_path / "nothing.jpg").touch()

    with pytest.raises(InvalidImageError, match=r"nothing\.jpg' is empty; expected a picture"):
        decode_file(tmp_path / "nothing.jpg", host)


@pytest.mark.parametrize("suffix", ["", ".png", ".webp", ".txt", ".JPG", ".jpg.part"])
def test_a_wrong_suffix_does_no_harm(host: CodecHost, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"photo{suffix}"
    file.write_bytes(JPEGS[0])

    decoded = decode_file(file, host)

    assert decoded.codec.codec.id == "jpeg"
    assert decoded.base.width == 24


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"plain text", bytes(1000)])
def test_another_format_under_the_suffix_of_a_jpeg_is_refused_by_name(
    host: CodecHost, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)

    with pytest.raises((UnknownCodecError, InvalidImageError), match=r"photo\.jpg'"):
        decode_file(tmp_path / "photo.jpg", host)
