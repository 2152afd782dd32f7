"""A benchmark of streams made beforehand, which JPEG files stand for; the codec need not encode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from bench_stubs import BrighteningEnhancer
from dirac_enhance import BaseReconstruction, BenchmarkError, Codec, EncodingCodec, OptionValue, RateFactorError
from dirac_enhance.bench.coded_pictures import (
    EncodedNow,
    Kept,
    StoredStreams,
    decode_corner,
    decode_picture,
    read_streams,
)
from dirac_enhance.bench.feasible import choose_streams
from dirac_enhance.bench.harness import BenchPlan, Harness
from dirac_enhance.bench.measures import find_measures
from dirac_enhance.bench.meter import load_meter
from dirac_enhance.bench.originals import OriginalSet, read_set
from dirac_enhance.bench.results import Results, ResultsFolder
from dirac_enhance.bench.series import series_of
from dirac_enhance_jpeg import JpegCodec

RATES = {"a.png": (10, 40), "b.png": (10, 40), "c.png": (40,)}


class DecodeOnly:
    """JPEG without an encoder."""

    id = "decode-only"
    file_suffixes = (".jpg",)
    options = ()

    def with_options(self, **values: OptionValue) -> DecodeOnly:
        assert not values
        return self

    def detect(self, header: bytes) -> bool:
        return header.startswith(b"\xff\xd8")

    def decode(self, data: bytes) -> BaseReconstruction:
        return JpegCodec().decode(data)


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "originals"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for name in (*RATES, "without_stream.png"):
        samples = torch.randint(40, 160, (4, 6, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(samples).resize((48, 32), Image.Resampling.BICUBIC).save(folder / name)
    return folder


@pytest.fixture
def streams(tmp_path: Path, originals: Path) -> Path:
    folder = tmp_path / "streams"
    folder.mkdir()
    records = []
    for name, rates in RATES.items():
        for rate in rates:
            Image.open(originals / name).save(folder / f"{name}-{rate}.jpg", quality=rate)
            records.append(json.dumps({"image": name, "rate": rate, "file": f"{name}-{rate}.jpg"}))
    (folder / "results.jsonl").write_text("\n".join(records) + "\n")
    return folder


def read(originals: Path, streams: StoredStreams, **selection: Any) -> OriginalSet:
    return read_set(originals, only=streams.pictures, **selection)


def run(found: OriginalSet, streams: StoredStreams, results: Path, **settings: Any) -> tuple[ResultsFolder, list[str]]:
    names = [original.name for original in found.originals]
    chosen, rates, left_out = choose_streams(streams, names)
    plan = BenchPlan(DecodeOnly(), rates, streams=chosen, **settings)
    meter, _ = load_meter(find_measures(["psnr"]), sides=found.sides)
    folder = ResultsFolder(results, Results(found.name, tuple(names), found.pixel_hash))
    Harness(plan, found, meter, folder, tell=left_out.append).run()
    return folder, [f"{each.what}: {each.reason}" for each in left_out]


def test_a_codec_that_only_decodes_is_measured_on_its_streams(originals: Path, streams: Path, tmp_path: Path) -> None:
    stored = read_streams(streams)
    enhancer: Any = BrighteningEnhancer()
    folder, told = run(read(originals, stored), stored, tmp_path / "results", enhancer=enhancer, steps=(1,))

    assert told == [
        "rate 10: 2 of 3 originals have a stream; name it alone with --rates, or fewer pictures with --limit"
    ]
    base, steps = folder.results.cells
    assert (base.key.codec, base.key.rate, base.key.protocol) == ("decode-only", 40, "codec")
    assert base.key.streams_sha256 == steps.key.streams_sha256 == stored.sha256(40)
    bits = [8 * (streams / f"{name}-40.jpg").stat().st_size / (48 * 32) for name in RATES]
    assert base.bpp.values == pytest.approx(bits)
    assert base.metrics != steps.metrics


@pytest.mark.parametrize(
    ("rate_factors", "limit", "rates", "name"),
    [
        ((), None, (40,), "originals, 3 with streams"),
        ((10,), None, (10,), "originals, 2 with streams"),
        ((), 2, (10, 40), "originals, first 2"),
    ],
)
def test_every_cell_has_a_value_for_each_original(
    originals: Path,
    streams: Path,
    rate_factors: tuple[float, ...],
    limit: int | None,
    rates: tuple[float, ...],
    name: str,
) -> None:
    stored = read_streams(streams, rate_factors=rate_factors)
    found = read(originals, stored, limit=limit)

    assert choose_streams(stored, [each.name for each in found.originals])[1] == rates
    assert found.name == name


def test_without_a_rate_common_to_all_originals_nothing_can_be_measured(streams: Path) -> None:
    (streams / "results.jsonl").write_text('{"image": "a.png", "qp": 10}\n{"image": "b.png", "qp": 40}\n')

    with pytest.raises(BenchmarkError, match="no rate at which all 2 originals have streams; name one by --rates"):
        choose_streams(read_streams(streams), ["a.png", "b.png"])


def test_other_streams_are_other_cells(originals: Path, streams: Path, tmp_path: Path) -> None:
    stored = read_streams(streams)
    found = read(originals, stored)
    run(found, stored, tmp_path / "results")
    Image.open(originals / "c.png").save(streams / "c.png-40.jpg", quality=80)
    folder, _ = run(found, stored, tmp_path / "results")

    cells = folder.results.cells
    assert len({cell.key.streams_sha256 for cell in cells}) == len(cells) == 2
    labels = [each.label for each in series_of(cells)]
    assert sorted(labels) == sorted(f"not enhanced, streams {str(cell.key.streams_sha256)[:8]}" for cell in cells)


def test_streams_of_several_rates_are_one_series(originals: Path, streams: Path, tmp_path: Path) -> None:
    stored = read_streams(streams)
    folder, _ = run(read(originals, stored, limit=2), stored, tmp_path / "results")

    (series,) = series_of(folder.results.cells)
    assert (series.label, list(series.cells)) == ("not enhanced", [10, 40])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no JPEG", "a.png at 10: not a whole JPEG file"),
        (None, "a.png at 10: cannot read the stream "),
        ("c.png", "a.png has 48×32 pixels, what was coded at 10 16×8; name the folder of its originals"),
    ],
)
def test_a_bad_stream_is_told_of_and_other_rates_go_on(
    originals: Path, streams: Path, tmp_path: Path, content: bytes | str | None, reason: str
) -> None:
    file = streams / "a.png-10.jpg"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is None:
        file.unlink()
    else:
        Image.new("RGB", (16, 8)).save(file)
    stored = read_streams(streams)
    folder, told = run(read(originals, stored, limit=2), stored, tmp_path / "results")

    assert [line.startswith(f"rate 10, base: {reason}") for line in told] == [True]
    assert [cell.key.rate for cell in folder.results.cells] == [40]


def test_missing_originals_are_named(originals: Path, streams: Path) -> None:
    (originals / "b.png").unlink()

    with pytest.raises(BenchmarkError, match=r"originals' lacks b\.png, of which there are streams$"):
        read(originals, read_streams(streams))


def test_streams_are_named_by_the_index_or_as_vtm_s_are(tmp_path: Path) -> None:
    lines = ['{"image": "a.png", "qp": 37}', '{"image": "a.png", "rate": 0.5, "file": "deep/a.dsc"}']
    (tmp_path / "results.jsonl").write_text("\n".join(lines))

    assert read_streams(tmp_path).files == {"a.png": {37: tmp_path / "a_qp37.bin", 0.5: tmp_path / "deep" / "a.dsc"}}


@pytest.mark.parametrize(
    "line", [b'{"image": "a.png", "rate": NaN}', b'{"image": "a.png", "rate": 1, "file": 2}', b"7"]
)
def test_lines_that_name_no_stream_are_told(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "results.jsonl").write_bytes(line)

    with pytest.raises(BenchmarkError, match=r"line 1 of '.*results\.jsonl' names no stream"):
        read_streams(tmp_path)


def test_an_index_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_bytes(b"\xff\xfe")

    with pytest.raises(BenchmarkError, match=r"results\.jsonl': no text; a folder of streams has one"):
        read_streams(tmp_path)


def test_a_plan_needs_an_encoder_or_streams() -> None:
    codec: Codec = DecodeOnly()
    assert not isinstance(codec, EncodingCodec)
    with pytest.raises(BenchmarkError, match="codec 'decode-only' only decodes; give its files with --streams DIR"):
        BenchPlan(codec, (10.0,))
    with pytest.raises(BenchmarkError, match="streams are measured as they are; leave out --simulated-jpeg and --gray"):
        BenchPlan(JpegCodec(), (10.0,), streams=StoredStreams({}), gray=True)


def test_what_is_kept_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    encode = JpegCodec.encode

    def count(self: JpegCodec, pixels: torch.Tensor, *, rate_factor: float) -> bytes:
        calls.append(rate_factor)
        return encode(self, pixels, rate_factor=rate_factor)

    monkeypatch.setattr(JpegCodec, "encode", count)
    coded, original = Kept(EncodedNow(JpegCodec(), (10.0, 40.0))), torch.full((3, 8, 8), 0.5)

    first = decode_picture(JpegCodec(), coded, "a.png", original, rate_factor=10)
    again = decode_picture(JpegCodec(), coded, "a.png", original, rate_factor=10)
    assert first.content == again.content
    assert (calls, coded.rates("a.png"), coded.pictures) == ([10], (10.0, 40.0), None)
    with pytest.raises(BenchmarkError, match=r"a\.png at 0: rate factor 0 given") as told:
        decode_picture(JpegCodec(), coded, "a.png", original, rate_factor=0)
    assert isinstance(told.value.__cause__, RateFactorError)


def test_a_corner_is_cut_out_of_a_whole_stream(originals: Path, streams: Path) -> None:
    stored = read_streams(streams)
    original = next(iter(read(originals, stored)))
    corner = decode_corner(JpegCodec(), stored, "a.png", original, side=16)

    whole = decode_picture(JpegCodec(), stored, "a.png", original, rate_factor=10).base
    assert torch.equal(corner.pixels, whole.pixels[:, :16, :16])
    assert corner.rate_factor == whole.rate_factor
