"""The container and the streams in it: overhead, size, and files that nobody's encoder wrote."""

from __future__ import annotations

import random
import struct
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

from dirac_enhance import InvalidBitstreamError, WeightsFile
from dirac_enhance.contract import find_fault
from dirac_enhance_swint_charm import SwintCharmCodec
from dirac_enhance_swint_charm.bitstream import Bitstream, Fingerprint, Header, read_bitstream
from dirac_enhance_swint_charm.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from dirac_enhance_swint_charm.entropy.symbol_tables import LARGEST_SYMBOL, Integers, SymbolTables
from dirac_enhance_swint_charm.promise import promised_bits
from dirac_enhance_swint_charm.weights_file import load_codec_weights
from processes import PATIENCE, start_python
from tiny_swint_charm import draw_pixels

HEADER_BYTES = 23
OVERHEAD = 40
MUTATIONS = 2000
LONGEST = 0.05
"""Seconds of processor time, on average, that a mutated file may take."""
MAX_PIXELS = 200_000_000
GIGAPIXELS = [(65535, 65535, 2048), (65535, 65535, 64), (14000, 14000, 2048)]
"""Width, height and tile."""


@pytest.fixture(scope="module")
def tables(tiny_weights: Path) -> SymbolTables:
    return SymbolTables.from_state(load_codec_weights(WeightsFile(tiny_weights)).state)


@pytest.fixture
def file(codec: SwintCharmCodec) -> bytes:
    return codec.encode(draw_pixels(16, 16), rate_factor=0.03)


def header(**changes: object) -> Header:
    fields = Header(b"12345678", 300, 200, 4096, 128, Fingerprint("cuda", (2, 9)))
    return replace(fields, **changes)  # type: ignore[arg-type]


def test_a_file_is_the_header_and_its_tiles(codec: SwintCharmCodec) -> None:
    small = codec.with_options(tile=64)
    data = small.encode(draw_pixels(100, 150), rate_factor=0.01)
    parsed = read_bitstream(data, max_pixels=MAX_PIXELS)

    assert len(parsed.tiles) == 6
    assert parsed.pack() == data
    assert [(place.top, place.left, place.height, place.width) for place in parsed.header.tiles()][-1] == (
        64,
        128,
        64,
        64,
    )


def test_the_header_survives() -> None:
    data = header().pack() + bytes(6 * (4 + 4)) + bytes(6 * 8)
    with pytest.raises(InvalidBitstreamError, match="coding tile 1 of 6"):
        read_bitstream(data, max_pixels=MAX_PIXELS)
    whole = header(width=100, height=100).pack() + bytes(4) + bytes(8)

    assert read_bitstream(whole, max_pixels=MAX_PIXELS).header == header(width=100, height=100)
    assert len(header().pack()) == HEADER_BYTES


@pytest.mark.parametrize("rate", [0.0005, 0.0067, 0.05])
def test_a_file_is_as_long_as_the_prior_promises(codec: SwintCharmCodec, rate: float) -> None:
    pixels = draw_pixels(192, 256)
    data = codec.encode(pixels, rate_factor=rate)
    network = load_codec_weights(WeightsFile(Path(codec.weights))).trained_network().eval()
    promised = promised_bits(network, pixels, rate_factor=rate) / 8

    # These weights are untrained: what their prior all but rules out costs less as an escape than the likelihood's
    # floor of 2⁻³⁰ says. At the lowest rate there is none of that.
    assert len(data) < 1.01 * promised + OVERHEAD
    assert rate > 0.0005 or len(data) > 0.99 * promised


def test_one_tile_costs_at_most_forty_bytes_beside_its_symbols(tables: SymbolTables) -> None:
    rows = numpy.repeat(numpy.arange(8, dtype=numpy.int32), 4)
    encoder = SymbolEncoder(tables)
    encoder.put(numpy.zeros(32, numpy.int32), rows)
    symbols = float(tables.costs[rows, -tables.offsets[rows]].sum()) / 8
    one_tile = Bitstream(header(), ()).pack() + bytes(4) + encoder.finish()

    assert len(one_tile) - symbols <= OVERHEAD


def test_escapes_of_every_size_come_back(tables: SymbolTables) -> None:
    values = numpy.array([s * v for v in (0, 1, 2, 40, 1000, LARGEST_SYMBOL) for s in (-1, 1)], numpy.int32)
    rows = numpy.repeat(numpy.arange(len(tables.rows) - 2, dtype=numpy.int32), len(values))
    values = numpy.tile(values, len(tables.rows) - 2)
    encoder = SymbolEncoder(tables)
    encoder.put(values, rows)
    encoder.put(values[::-1].copy(), rows[::-1].copy())
    decoder = SymbolDecoder(tables, encoder.finish(), largest_block=len(values))

    assert (decoder.get(rows) == values).all()
    assert (decoder.get(rows[::-1].copy()) == values[::-1]).all()


def claim_of_fifty_bytes(width: int, height: int, tile: int) -> bytes:
    data = header(width=width, height=height, tile=tile).pack()
    return data + bytes(50 - len(data))


@pytest.mark.parametrize(("width", "height", "tile"), GIGAPIXELS)
def test_fifty_bytes_that_claim_gigapixels_are_refused_at_once(
    codec: SwintCharmCodec, width: int, height: int, tile: int
) -> None:
    codec.decode(codec.encode(draw_pixels(8, 8), rate_factor=0.01))
    started = time.process_time()

    with pytest.raises(InvalidBitstreamError, match=rf"{width}×{height}"):
        codec.decode(claim_of_fifty_bytes(width, height, tile))

    assert time.process_time() - started < 1


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_what_claims_more_than_it_holds_takes_no_memory(codec: SwintCharmCodec, file: bytes, tmp_path: Path) -> None:
    parsed = read_bitstream(file, max_pixels=MAX_PIXELS)
    largest_tile = Bitstream(replace(parsed.header, width=2048, height=2048), parsed.tiles).pack()
    contents = [file, *(claim_of_fifty_bytes(*claim) for claim in GIGAPIXELS), largest_tile]
    files = [tmp_path / f"{index}.dsc" for index in range(len(contents))]
    for path, content in zip(files, contents, strict=True):
        path.write_bytes(content)
    process = start_python(Path(__file__).with_name("peak_memory.py"), codec.weights, *files)
    output, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    *refused, on_purpose = map(float, output.split())

    assert len(refused) == len(GIGAPIXELS) + 1
    assert max(refused) < 8
    assert on_purpose > 40


def test_the_largest_tile_in_a_few_bytes_is_refused_before_its_latents(
    codec: SwintCharmCodec, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = read_bitstream(file, max_pixels=MAX_PIXELS)
    claim = Bitstream(replace(parsed.header, width=2048, height=2048), parsed.tiles).pack()
    monkeypatch.setattr("dirac_enhance_swint_charm.latent_coder.LatentCoder._features", None)

    with pytest.raises(InvalidBitstreamError, match="stream ends before its latents do"):
        codec.decode(claim)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"\x89PNG", "not a SwinT-ChARM file: it starts with"),
        (4, b"\x02", r"format version 2; this dirac-enhance reads version 1"),
        (13, b"\0\0", "damaged SwinT-ChARM header"),
        (17, b"\0\0", "damaged SwinT-ChARM header"),
        (19, b"\0", "damaged SwinT-ChARM header"),
        (19, b"\x21", "damaged SwinT-ChARM header"),
        (20, b"\x09", "damaged SwinT-ChARM header"),
        (5, b"weights!", "coded with the codec weights 7765696768747321"),
        (17, b"\x12\x34", r"coding tile 1 of 1 decodes to latents with CRC-32"),
        (23, b"\0\0\0\0", r"coding tile 1 of 1 decodes to latents with CRC-32 [0-9a-f]{8}, its encoder had 00000000"),
    ],
)
def test_a_damaged_header_is_told(codec: SwintCharmCodec, file: bytes, place: int, value: bytes, message: str) -> None:
    with pytest.raises(InvalidBitstreamError, match=message):
        codec.decode(file[:place] + value + file[place + len(value) :])


def test_a_file_cut_anywhere_is_refused(light_codec: SwintCharmCodec) -> None:
    codec = light_codec
    data = codec.with_options(tile=64).encode(draw_pixels(64, 65), rate_factor=0.03)

    for length in [*range(40), *range(40, len(data), 9), *range(len(data) - 8, len(data))]:
        with pytest.raises(InvalidBitstreamError):
            codec.decode(data[:length])
    with pytest.raises(InvalidBitstreamError):
        codec.decode(data + b"\0\0\0\0")


def test_thousands_of_mutated_files_give_a_picture_or_our_error(light_codec: SwintCharmCodec) -> None:
    codec = light_codec
    files = [
        codec.encode(draw_pixels(16, 16), rate_factor=0.03),
        codec.with_options(tile=64).encode(draw_pixels(20, 70), rate_factor=0.003),
    ]
    dice = random.Random(0)  # noqa: S311 - the same each time
    small = codec.with_options(max_pixels=64 * 1024)
    started = time.process_time()
    ends = Counter(end_of(small, mutate(files[index % 2], dice)) for index in range(MUTATIONS))

    assert ends["decoded"] < 0.04 * MUTATIONS, "what decodes is the file itself"
    for stage in ("container", "stream", "checksum"):
        assert ends[stage] > 0.04 * MUTATIONS, "mutations get as far as each"
    assert time.process_time() - started < MUTATIONS * LONGEST


def end_of(codec: SwintCharmCodec, data: bytes) -> str:
    """Decode, and say how far that came: to a picture, or to the error of which stage."""
    try:
        assert find_fault(codec.decode(data)) is None
    except InvalidBitstreamError as error:
        said = str(error)
        return "checksum" if "CRC-32" in said else "stream" if "stream" in said else "container"
    return "decoded"


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Flip, replace, insert, remove or repeat bytes, up to three times; most often behind the header."""
    for _ in range(dice.randint(1, 3)):
        start = dice.randrange(HEADER_BYTES, len(data)) if dice.random() < 0.8 else dice.randrange(len(data))
        piece = data[start : start + dice.choice((1, 2, 4, 8))]
        new = dice.choice(
            (bytes([data[start] ^ 1 << dice.randrange(8)]) + piece[1:], b"", 2 * piece, dice.randbytes(4))
        )
        data = data[:start] + new + data[start + len(piece) :]
    return data


def test_streams_of_noise_end_in_our_error_and_nothing_else(tables: SymbolTables) -> None:
    dice = random.Random(0)  # noqa: S311 - the same each time
    rows: Integers = numpy.array([dice.randrange(len(tables.rows) - 2) for _ in range(400)], numpy.int32)
    for index in range(3000):
        length = 4 * dice.randrange(1, 40)
        body = dice.randbytes(length) if index % 2 else bytes([dice.choice((0, 1, 15, 255))]) * length
        state = struct.pack("<Q", dice.randrange(2**31, 2**63))
        with suppress(InvalidBitstreamError):
            decoder = SymbolDecoder(tables, state + body, largest_block=len(rows))
            for _ in range(50):
                assert numpy.abs(decoder.get(rows)).max() <= LARGEST_SYMBOL
            pytest.fail("no stream is so long")


@pytest.mark.parametrize("stream", [b"", bytes(8), bytes(7) + b"\x80", b"\xff" * 9, b"\xff" * 6])
def test_what_no_encoder_ends_with_is_refused(tables: SymbolTables, stream: bytes) -> None:
    with pytest.raises(InvalidBitstreamError, match=rf"coding tile's {len(stream)} bytes are no stream"):
        SymbolDecoder(tables, stream, largest_block=8)


def test_bytes_are_the_same_again(codec: SwintCharmCodec, file: bytes) -> None:
    assert codec.encode(draw_pixels(16, 16), rate_factor=0.03) == file
    assert torch.equal(codec.decode(file).pixels, codec.decode(file).pixels)
