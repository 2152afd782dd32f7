"""EXIF blocks are patched in place: upright, without thumbnail, offsets untouched."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from dirac_enhance import InvalidImageError
from dirac_enhance.exif import upright_exif

_ORIENTATION, _MAKE, _EXIF_DIRECTORY, _MAKER_NOTE = 0x0112, 0x010F, 0x8769, 0x927C


def _exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[_ORIENTATION] = orientation
    tags[_MAKE] = "Maker of cameras"
    tags.get_ifd(_EXIF_DIRECTORY)[_MAKER_NOTE] = b"note" * 5
    return tags.tobytes()[6:]


def _read(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(exif)
    return tags


def _with_thumbnail(order: str, *, trailing: bytes = b"") -> bytes:
    """An orientation of 6, then a second directory that points to six bytes of thumbnail."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    main = struct.pack(f"{order}HHHIHHI", 1, _ORIENTATION, 3, 1, 6, 0, 26)
    start = 26 + 2 + 24 + 4
    second = struct.pack(f"{order}HHHIIHHIII", 2, 0x0201, 4, 1, start, 0x0202, 4, 1, 6, 0)
    return head + main + second + b"\xff\xd8thmb"[:6] + trailing


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_becomes_upright_and_every_other_tag_stays(orientation: int) -> None:
    upright = _read(upright_exif(_exif(orientation)))

    assert upright[_ORIENTATION] == 1
    assert upright[_MAKE] == "Maker of cameras"
    assert upright.get_ifd(_EXIF_DIRECTORY)[_MAKER_NOTE] == b"note" * 5


def test_only_the_orientation_s_bytes_change() -> None:
    before, after = _exif(6), upright_exif(_exif(6))

    assert len(before) == len(after)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_at_the_end_is_cut_off(order: str) -> None:
    before = _with_thumbnail(order)

    after = upright_exif(before)

    assert len(after) == len(before) - 6
    assert _read(after)[_ORIENTATION] == 1
    assert not _read(after).get_ifd(-1)  # Pillow's name for the thumbnail's directory


@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_in_the_middle_is_zeroed(order: str) -> None:
    after = upright_exif(_with_thumbnail(order, trailing=b"maker note"))

    assert after.endswith(bytes(6) + b"maker note")


def test_block_of_a_real_file_is_read_back_by_pillow() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + upright_exif(_exif(8)))

    with Image.open(buffer) as picture:
        assert picture.getexif()[_ORIENTATION] == 1


@pytest.mark.parametrize("block", [b"", b"no EXIF at all", _exif(6)[:20], b"II*\0\xff\xff\xff\xff", b"II*\0"])
def test_damaged_block_is_refused(block: bytes) -> None:
    with pytest.raises(InvalidImageError, match="EXIF block is damaged"):
        upright_exif(block)


def test_thumbnail_that_claims_the_whole_block_erases_nothing() -> None:
    block = bytearray(_with_thumbnail("<"))
    block[26 + 2 + 8 : 26 + 2 + 12] = struct.pack("<I", 0)  # starts at the header
    block[26 + 2 + 12 + 8 : 26 + 2 + 24] = struct.pack("<I", len(block))

    assert _read(upright_exif(bytes(block)))[_ORIENTATION] == 1
