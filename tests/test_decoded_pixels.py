"""Decoded pixels read from image files: every lossless format, kind and depth, and what is refused."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import cv2
import numpy
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from dirac_enhance import DiracWarning, ImageMetadata, InvalidBitstreamError, srgb_profile
from dirac_enhance.decoded_pixels import read_decoded_pixels
from dirac_enhance.sixteen_bit import encode_tiff

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
_ORIENTATION, _MAKE = 0x0112, 0x010F


def _random(*shape: int, maximum: int = 255) -> npt.NDArray[Any]:
    dtype = numpy.uint8 if maximum < 256 else numpy.uint16
    return numpy.random.default_rng(7).integers(0, maximum + 1, shape).astype(dtype)


def _picture(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    channels = {"1": 1, "L": 1, "LA": 2, "P": 3, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    samples = _random(size[1], size[0], channels)
    if mode in ("1", "P"):
        return Image.fromarray(samples[..., 0] if channels == 1 else samples).convert(mode)
    return Image.fromarray(samples[..., 0] if channels == 1 else samples, mode="CMYK" if mode == "CMYK" else None)


def _save(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}) | options)
    return buffer.getvalue()


def _exif(orientation: int = 6) -> Image.Exif:
    tags = Image.Exif()
    tags[_ORIENTATION] = orientation
    tags[_MAKE] = "Maker"
    tags.get_ifd(0x8769)[0x829A] = 0.01
    return tags


@pytest.mark.parametrize(
    ("kind", "modes"),
    [
        ("PNG", "1 L LA P RGB RGBA"),
        ("TIFF", "1 L LA P RGB RGBA"),
        ("BMP", "1 L P RGB"),
        ("PPM", "1 L RGB"),
        ("WEBP", "RGB RGBA"),
    ],
)
def test_samples_of_8_bits_are_those_of_the_file(kind: str, modes: str) -> None:
    for mode in modes.split():
        picture = _picture(mode)

        base = read_decoded_pixels(_save(picture, kind))

        expected = torch.from_numpy(numpy.array(picture.convert("RGB"))).permute(2, 0, 1)
        assert torch.equal(base.pixels, expected.float() / 255), mode
        assert base.metadata.grayscale == (mode in ("1", "L", "LA")), mode
        assert (base.alpha is not None) == (mode in ("LA", "RGBA")), mode
        if base.alpha is not None:
            assert torch.equal(base.alpha, torch.from_numpy(numpy.array(picture.getchannel("A"))).float() / 255)
        assert (base.rate_factor, base.metadata.bit_depth) == (None, 8)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff_is_read(compression: str) -> None:
    picture = _picture()

    base = read_decoded_pixels(_save(picture, "TIFF", compression=compression))

    assert torch.equal(base.pixels, torch.from_numpy(numpy.array(picture)).permute(2, 0, 1).float() / 255)


def test_transparent_colour_of_a_palette_becomes_alpha() -> None:
    picture = _picture("P")
    data = _save(picture, "PNG", transparency=int(numpy.array(picture)[3, 5]))

    alpha = read_decoded_pixels(data).alpha

    assert alpha is not None
    assert torch.equal(alpha == 0, torch.from_numpy(numpy.array(picture) == numpy.array(picture)[3, 5]))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_samples_of_16_bits_are_read_exactly(suffix: str, channels: int) -> None:
    samples = _random(9, 14, channels, maximum=65535)
    stored = samples if channels == 1 else samples[..., [2, 1, 0, 3][:channels]]

    base = read_decoded_pixels(cv2.imencode(suffix, stored)[1].tobytes())

    expected = torch.from_numpy(samples.astype(numpy.float32) / 65535).permute(2, 0, 1)
    assert torch.equal(base.pixels, expected[:3].expand(3, -1, -1))
    assert base.metadata.bit_depth == 16
    assert base.metadata.grayscale == (channels == 1)
    assert base.alpha is None if channels < 4 else torch.equal(base.alpha, expected[3])  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "channels"), [("5", 1), ("6", 3)])
@pytest.mark.parametrize("maximum", [1023, 65535])
def test_pnm_of_more_than_8_bits_is_scaled_by_its_maximum(kind: str, channels: int, maximum: int) -> None:
    samples = _random(6, 5, channels, maximum=maximum)
    header = f"P{kind}\n# a comment\n5 6\n{maximum}\n".encode()

    base = read_decoded_pixels(header + samples.astype(">u2").tobytes())

    expected = torch.from_numpy(samples.astype(numpy.float32) / maximum).permute(2, 0, 1)
    assert (base.pixels - expected).abs().max() <= 0.5 / 65535 + 1e-7
    assert base.metadata.bit_depth == 16


@pytest.mark.parametrize("profile", [None, b"no profile"])
def test_cmyk_tiff_becomes_srgb_and_its_profile_is_replaced(profile: bytes | None) -> None:
    picture = _picture("CMYK")
    data = _save(picture, "TIFF", icc_profile=profile)

    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", DiracWarning)
        base = read_decoded_pixels(data)

    assert torch.equal(base.pixels, torch.from_numpy(numpy.array(picture.convert("RGB"))).permute(2, 0, 1) / 255)
    assert base.metadata.icc_profile == srgb_profile()
    assert [each.category for each in given] == ([DiracWarning] if profile else [])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_metadata_is_reported_and_the_orientation_not_applied(kind: str) -> None:
    options = {"dpi": (300, 150)} if kind != "WEBP" else {}
    if kind == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", _XMP.decode())
        options |= {"pnginfo": text}  # type: ignore[dict-item] # Pillow's options differ by format
    elif kind == "WEBP":
        options |= {"xmp": _XMP}  # type: ignore[dict-item]
    exif = Image.Exif()
    exif.load(_exif().tobytes())
    if kind == "TIFF":
        exif[700] = _XMP

    base = read_decoded_pixels(_save(_picture(), kind, icc_profile=_SRGB, exif=exif, **options))

    tags = Image.Exif()
    tags.load(base.metadata.exif or b"")
    assert (base.width, base.height, base.metadata.orientation) == (24, 16, 6)
    assert base.metadata.icc_profile == _SRGB
    assert base.metadata.xmp == _XMP
    assert tags[_MAKE] == "Maker"
    assert float(tags.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)
    assert base.metadata.dpi == (pytest.approx((300, 150), abs=0.02) if kind != "WEBP" else None)


def test_orientation_of_a_16_bit_tiff_is_not_applied_either() -> None:
    samples = _random(9, 14, 3, maximum=65535)

    base = read_decoded_pixels(encode_tiff(samples, ImageMetadata(exif=_exif(6).tobytes()[6:])))

    assert (base.width, base.height, base.metadata.orientation) == (14, 9, 6)


def test_big_tiff_is_upright_already() -> None:
    base = read_decoded_pixels(_save(_picture(), "TIFF", exif=_exif(6), big_tiff=True))

    assert (base.width, base.height, base.metadata.orientation) == (16, 24, 1)
    assert torch.equal(base.pixels[:, 0, -1], torch.from_numpy(numpy.array(_picture())[0, 0]) / 255)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_with(chunk: bytes, *, after: int = 33) -> bytes:
    data = _save(_picture(), "PNG")
    return data[:after] + chunk + data[after:]


def test_damaged_profile_is_left_out_with_a_warning() -> None:
    with pytest.warns(DiracWarning, match="colour profile is damaged and is left out"):
        base = read_decoded_pixels(_png_with(_chunk(b"iCCP", b"name\0\0not deflated")))

    assert base.metadata.icc_profile is None


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_absurd_orientation_counts_as_upright(orientation: int) -> None:
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)

    base = read_decoded_pixels(_png_with(_chunk(b"eXIf", block)))

    assert (base.metadata.orientation, base.metadata.exif) == (1, block)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("JPEG", "a JPEG file is still coded, expected decoded pixels; leave out --enhancer"),
        ("GIF", "a GIF file is still coded"),
        ("JPEG2000", "a JPEG 2000 file is still coded"),
    ],
)
def test_coded_picture_is_refused(kind: str, message: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=message):
        read_decoded_pixels(_save(_picture(), kind))


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"\0\0\0\x20ftypavif", "AVIF"), (b"\0\0\0\x18ftypheic", "HEIF"), (b"\0\0\0\x0cJXL \r\n", "JPEG XL")],
)
def test_coded_formats_that_pillow_may_not_know_are_named(data: bytes, name: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=f"a {name} file is still coded"):
        read_decoded_pixels(data)


def test_lossy_webp_is_refused() -> None:
    with pytest.raises(InvalidBitstreamError, match="a lossy WebP file is still coded"):
        read_decoded_pixels(_save(_picture(), "WEBP", lossless=False, icc_profile=_SRGB))


@pytest.mark.parametrize(("kind", "name"), [("PNG", "PNG"), ("WEBP", "WebP")])
def test_animated_file_is_refused(kind: str, name: str) -> None:
    data = _save(_picture("L"), kind, save_all=True, append_images=[_picture("1").convert("L")])

    with pytest.raises(InvalidBitstreamError, match=f"an animated {name} file; expected one picture"):
        read_decoded_pixels(data)


def test_first_page_of_a_tiff_is_read_with_a_warning() -> None:
    data = _save(_picture(), "TIFF", save_all=True, append_images=[_picture("L")])

    with pytest.warns(DiracWarning, match="several pages; the first is read"):
        base = read_decoded_pixels(data)

    assert torch.equal(base.pixels, torch.from_numpy(numpy.array(_picture())).permute(2, 0, 1) / 255)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"plain text", "of no known image format; expected decoded pixels as PNG, TIFF, BMP, PPM or WebP"),
        (_save(Image.new("F", (4, 4)), "TIFF"), "a TIFF file of 32 bits per sample"),
        (_save(Image.new("I", (4, 4)), "TIFF"), "a TIFF file of 32 bits per sample"),
        (b"P2\n1 1\n1023\n5\n", "a PPM file with samples of kind 'I'"),
        (b"P6\n2 2\n1023\n\0\1", "not a whole PPM file"),
        (b"P5\n1 1\n1023\n\xff\xff", "truncated or damaged|not a whole"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=message):
        read_decoded_pixels(data)


def _claim(kind: str, width: int, height: int) -> bytes:
    """A small file that claims to be large."""
    data = bytearray(_save(_picture(), kind))
    if kind == "PNG":
        header = struct.pack(">II", width, height) + bytes(data[24:29])
        return bytes(data[:8]) + _chunk(b"IHDR", header) + bytes(data[33:])
    if kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    elif kind == "PPM":
        return f"P6 {width} {height} 255\n".encode()
    elif kind == "WEBP":
        struct.pack_into("<I", data, 21, (width - 1) | (height - 1) << 14)
    else:
        for tag, value in ((256, width), (257, height)):
            at = data.index(struct.pack("<HH", tag, 4))
            struct.pack_into("<I", data, at + 8, value)
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "WEBP"])
def test_decompression_bomb_is_refused_before_it_is_decoded(kind: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=r"claims 16000×15000 pixels; expected at most 200,000,000: raise"):
        read_decoded_pixels(_claim(kind, 16000, 15000))
    with pytest.raises(InvalidBitstreamError, match="claims 24×16 pixels; expected at most 383"):
        read_decoded_pixels(_save(_picture(), kind), max_pixels=24 * 16 - 1)

    assert read_decoded_pixels(_save(_picture(), kind), max_pixels=24 * 16).width == 24


_DEEP = {
    "PNG 16": cv2.imencode(".png", _random(8, 12, 3, maximum=65535))[1].tobytes(),
    "TIFF 16": cv2.imencode(".tiff", _random(8, 12, 3, maximum=65535))[1].tobytes(),
}
_WHOLE = {kind: _save(_picture(size=(12, 8)), kind) for kind in ("PNG", "TIFF", "BMP", "PPM", "WEBP")} | _DEEP


@pytest.mark.parametrize("kind", _WHOLE)
def test_file_cut_anywhere_is_refused(kind: str) -> None:
    data = _WHOLE[kind]
    ending = 16 if kind.startswith("PNG") else 1  # a PNG without its end mark still has all its pixels

    for length in range(0, len(data) - ending, 10):
        with pytest.raises(InvalidBitstreamError):
            read_decoded_pixels(data[:length])


@pytest.mark.filterwarnings("ignore::dirac_enhance.DiracWarning")
@pytest.mark.parametrize("kind", _WHOLE)
def test_damaged_bytes_give_a_picture_or_one_kind_of_error(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    generator = numpy.random.default_rng(11)
    data = _WHOLE[kind]

    for _ in range(60):
        damaged = bytearray(data)
        for position in generator.integers(0, len(data), 1 + int(generator.integers(4))):
            damaged[position if generator.random() < 0.5 else position % 64] = int(generator.integers(256))
        try:
            base = read_decoded_pixels(bytes(damaged), max_pixels=10**6)
        except InvalidBitstreamError:
            continue
        assert 0 <= float(base.pixels.min()) <= float(base.pixels.max()) <= 1

    assert capfd.readouterr().err == "" or kind.startswith("TIFF")  # libtiff prints remarks of its own
