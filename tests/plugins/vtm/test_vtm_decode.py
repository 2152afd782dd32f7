"""VtmCodec as a decoder: the samples are VTM's to the bit, and the colours those that were coded."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest
import torch
from av import CodecContext

from dirac_enhance import DiracWarning
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.colour import SampleFormat, to_pixels, to_samples
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.planes import Planes
from dirac_enhance_vtm.pyav import decode_by_pyav

if TYPE_CHECKING:
    from .conftest import Fake, Stream

Find = Callable[[str], "Stream"]
DEFAULT = SampleFormat("bt709", "full", 8)


def sha256(planes: Planes, *, dtype: str) -> str:
    every = (planes.luma, *(planes.chroma or ()))
    return hashlib.sha256(b"".join(plane.astype(dtype).tobytes() for plane in every)).hexdigest()


def noise_planes(shape: tuple[int, int] = (6, 8), *, bit_depth: int = 10) -> Planes:
    drawn = numpy.random.default_rng(2).integers(0, 1 << bit_depth, (3, *shape), dtype=numpy.uint16)
    return Planes(drawn[0], (drawn[1], drawn[2]), bit_depth)


@pytest.mark.parametrize(
    "name",
    [
        "intra444_8bit_64x64_qp32",
        "intra444_8bit_129x65",
        "intra444_8bit_7x5",
        "intra444_10bit",
        "intra420",
        "intra400",
    ],
)
def test_samples_are_those_of_the_reference_decoder(name: str, stream: Find) -> None:
    given = stream(name)

    planes = decode_by_pyav(find_first_picture(given.data))

    assert sha256(planes, dtype="<u2") == given.facts["sha256_d10"]
    assert sha256(planes.to_eight_bits(), dtype="u1") == given.facts["sha256_d8"]


def test_each_of_two_intra_pictures_is_decoded_as_the_reference_decoder_does(stream: Find) -> None:
    given = stream("intra444_8bit_64x64_two")
    first = find_first_picture(given.data)
    second = find_first_picture(given.data[len(first.stream) :])

    decoded = b"".join(
        plane.astype("<u2").tobytes()
        for picture in (first, second)
        for planes in [decode_by_pyav(picture)]
        for plane in (planes.luma, *(planes.chroma or ()))
    )

    assert hashlib.sha256(decoded).hexdigest() == given.facts["sha256_d10"]


def test_of_inter_coded_pictures_the_first_is_the_one_that_decoding_all_gives(stream: Find) -> None:
    given = stream("lowdelay420")
    decoder = CodecContext.create("vvc", "r")
    packets = [*decoder.parse(given.data), *decoder.parse(None)]
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert len(frames) == 4

    planes = decode_by_pyav(find_first_picture(given.data))

    luma = numpy.frombuffer(bytes(frames[0].planes[0]), "<u2").reshape(64, -1)[:, :64]
    assert numpy.array_equal(planes.luma, luma)


def test_the_facts_of_a_picture_are_reported(any_stream: Stream) -> None:
    facts = any_stream.facts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiracWarning)

        base = VtmCodec().decode(any_stream.data)

    assert (base.width, base.height) == (facts["width"], facts["height"])
    intra_offset = -1 if "lowdelay" in any_stream.name else 0  # IntraQPOffset in that configuration
    assert base.rate_factor == facts["qp"] + intra_offset
    assert base.coded_bytes == facts["bytes"]
    assert base.metadata.grayscale == (facts["chroma"] == "400")
    assert base.pixels.dtype == torch.float32
    assert base.pixels.is_contiguous()
    assert 0 <= float(base.pixels.min()) < float(base.pixels.max()) <= 1


def test_decoding_again_gives_the_same(stream: Find) -> None:
    data = stream("intra444_8bit_129x65").data

    assert torch.equal(VtmCodec().decode(data).pixels, VtmCodec().decode(data).pixels)


@pytest.mark.parametrize(("name", "count"), [("intra444_8bit_64x64_two", 2), ("lowdelay420", 4)])
def test_of_several_pictures_the_first_is_taken_and_it_says_so(name: str, count: int, stream: Find) -> None:
    with pytest.warns(DiracWarning, match=f"holds {count} pictures; the first is taken"):
        VtmCodec().decode(stream(name).data)


def test_of_two_sizes_in_one_stream_the_first_is_taken_and_it_says_so(stream: Find) -> None:
    one, other = stream("intra444_8bit_129x65").data, stream("intra444_8bit_7x5").data

    with pytest.warns(DiracWarning, match="holds 2 pictures"):
        joined = VtmCodec().decode(one + other)

    assert torch.equal(joined.pixels, VtmCodec().decode(one).pixels)


@pytest.mark.parametrize(
    ("input_depth", "bit_depth", "white"), [(8, 10, 1020), (10, 10, 1023), (8, 8, 255), (10, 8, 255), (8, 12, 4080)]
)
def test_full_range_colours_follow_bt709_with_neutral_chroma_at_half_of_white(
    input_depth: int, bit_depth: int, white: int
) -> None:
    planes = noise_planes(bit_depth=bit_depth)
    assert planes.chroma is not None
    y = planes.luma / white
    blue, red = (each / white - 0.5 for each in planes.chroma)
    expected = numpy.stack((y + 1.5748 * red, y - 0.187324 * blue - 0.468124 * red, y + 1.8556 * blue))

    pixels = to_pixels(planes, SampleFormat("bt709", "full", input_depth))

    assert numpy.allclose(pixels.numpy(), expected.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize(("bit_depth", "step"), [(8, 1), (10, 4)])
def test_limited_range_reaches_from_16_to_235(bit_depth: int, step: int) -> None:
    luma = numpy.array([[16 * step, 235 * step, (16 + 219 // 3) * step]], dtype=numpy.uint16)
    neutral = numpy.full((1, 3), 128 * step, dtype=numpy.uint16)

    pixels = to_pixels(Planes(luma, (neutral, neutral), bit_depth), SampleFormat("bt709", "limited", 8))

    assert numpy.allclose(pixels.numpy(), [[[0, 1, 1 / 3]]] * 3, atol=1e-6)


@pytest.mark.parametrize(("matrix", "luma_of_red"), [("bt709", 0.2126), ("bt601", 0.299), ("bt2020", 0.2627)], ids=str)
def test_a_matrix_is_undone_by_itself(matrix: str, luma_of_red: float) -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    samples = SampleFormat(matrix, "full", 10)

    coded = to_samples(red, samples)

    assert coded[0, 0, 0] == round(1023 * luma_of_red)
    again = to_pixels(Planes(coded[0], (coded[1], coded[2]), 10), samples)
    assert torch.allclose(again, red, atol=2e-3)


@pytest.mark.parametrize("color_range", ["full", "limited"])
@pytest.mark.parametrize(("depth", "largest"), [(8, 2.5 / 255), (10, 2.5 / 1023)])
def test_rounding_both_ways_loses_a_step_or_two(depth: int, largest: float, color_range: str) -> None:
    pixels = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(4))
    samples = SampleFormat("bt709", color_range, depth)

    coded = to_samples(pixels, samples)
    again = to_pixels(Planes(coded[0], (coded[1], coded[2]), depth), samples)

    assert float((again - pixels).abs().max()) < largest


def test_gray_comes_back_gray() -> None:
    gray = (torch.arange(256) / 255).expand(3, 1, -1)

    coded = to_samples(gray, DEFAULT)
    again = to_pixels(Planes(coded[0], None, 8), DEFAULT)

    assert torch.equal(again, gray)


@pytest.mark.parametrize(("across", "down"), [(2, 2), (2, 1), (1, 2)])
def test_subsampled_chroma_is_interpolated_where_its_samples_lie(across: int, down: int) -> None:
    """A plane that rises linearly stays that way: cosited across, centred down."""
    height, width = 12, 16
    rows, columns = numpy.mgrid[0:height, 0:width].astype(numpy.float64)

    def rise(y: numpy.typing.NDArray[numpy.float64], x: numpy.typing.NDArray[numpy.float64]) -> Planes:
        chroma = (400 + 8 * x + 16 * y).astype(numpy.uint16)
        return Planes(numpy.full((height, width), 510, dtype=numpy.uint16), (chroma, chroma), 10)

    whole = to_pixels(rise(rows, columns), DEFAULT)
    centre = 0.5 if down == 2 else 0.0
    part = to_pixels(rise(rows[::down, ::across] + centre, columns[::down, ::across]), DEFAULT)

    inner = (slice(None), slice(2, -2), slice(2, -2))
    assert torch.allclose(part[inner], whole[inner], atol=1e-5)
    assert part.shape == whole.shape


def test_ten_bit_input_is_brighter_read_as_eight_bit_input(stream: Find) -> None:
    data = stream("intra444_10bit").data

    as_eight, as_ten = VtmCodec().decode(data), VtmCodec().with_options(input_depth=10).decode(data)

    assert float((as_eight.pixels - as_ten.pixels).mean()) > 0
    assert (as_eight.metadata.bit_depth, as_ten.metadata.bit_depth) == (8, 10)


def test_the_configured_decoder_is_preferred_and_gives_the_same_pixels(
    stream: Find, fake: Fake, build_dir: Path
) -> None:
    given = stream("intra444_8bit_7x5")
    planes = decode_by_pyav(find_first_picture(given.data))
    assert planes.chroma is not None
    samples = b"".join(plane.astype("<u2").tobytes() for plane in (planes.luma, *planes.chroma))
    fake(
        "DecoderAppStatic",
        f"""
        assert sys.argv[5:] == ["-d", "10"] and open(argument("-b"), "rb").read() == {given.data!r}
        open(argument("-o"), "wb").write({samples!r})
        """,
    )
    codec = VtmCodec(build_dir=str(build_dir))

    base = codec.decode(given.data)

    assert torch.equal(base.pixels, VtmCodec().decode(given.data).pixels)
    fake("DecoderAppStatic", "sys.exit('not this one')")
    assert torch.equal(codec.with_options(decoder="pyav").decode(given.data).pixels, base.pixels)
