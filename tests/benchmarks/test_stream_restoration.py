"""The restoration benchmark on VVC streams made beforehand, with tiny random weights."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import restoration
import tables
from dirac_enhance_vtm import VtmCodec
from random_weights import save_random_weights

FIXTURES = Path(__file__).parents[1] / "plugins" / "vtm" / "fixtures"
SMALL, ODD = "intra444_8bit_64x64_qp32.bin", "intra444_8bit_129x65_qp27.bin"
ONE_LEVEL_OFF = 20 * math.log10(255)


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a VTM that is configured on this machine."""
    monkeypatch.delenv("DIRAC_VTM_BUILD_DIR", raising=False)


@pytest.fixture
def streams(tmp_path: Path) -> Path:
    """One picture at QP 32, another at 27 and, though the bits are the same, at 32."""
    folder = tmp_path / "streams"
    folder.mkdir()
    records = []
    for image, qp, source in (("odd.png", 27, ODD), ("odd.png", 32, ODD), ("small.png", 32, SMALL)):
        shutil.copy(FIXTURES / source, folder / f"{Path(image).stem}_qp{qp}.bin")
        records.append(json.dumps({"image": image, "qp": qp, "bytes": (FIXTURES / source).stat().st_size}))
    (folder / "results.jsonl").write_text("\n".join(records) + "\n")
    return folder


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Pictures of which every sample is one level away from what the codec decodes; and one without a stream."""
    folder = tmp_path / "originals"
    folder.mkdir()
    for name, source in (("odd.png", ODD), ("small.png", SMALL)):
        levels = (VtmCodec(decoder="pyav").decode((FIXTURES / source).read_bytes()).pixels * 255).round()
        away = torch.where(levels < 128, levels + 1, levels - 1).byte().permute(1, 2, 0)
        Image.fromarray(away.numpy()).save(folder / name)
    Image.new("RGB", (32, 32)).save(folder / "without_stream.png")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the tiny network for VVC, random down to its last layer."""
    return save_random_weights(tmp_path_factory.mktemp("weights") / "vtm.safetensors", codec_id="vtm").path


def invoke(originals: Path, streams: Path, *arguments: str | Path) -> Result:
    options = ["--codec", "vtm", "--streams", streams, "--device", "cpu", "--json", originals.parent / "record.json"]
    return CliRunner().invoke(restoration.main, [str(each) for each in (originals, *options, *arguments)])


def run(originals: Path, streams: Path, *arguments: str | Path) -> dict[str, Any]:
    """The record."""
    result = invoke(originals, streams, *arguments)
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads((originals.parent / "record.json").read_text())
    return record


def test_the_base_is_what_the_codec_decodes_rounded_to_8_bits(originals: Path, streams: Path) -> None:
    record = run(originals, streams, "--which", "base")
    low, high = record["rows"]
    assert (low["quality"], high["quality"]) == (27, 32)
    assert high["psnr"] == pytest.approx(ONE_LEVEL_OFF, abs=1e-3)
    assert (list(low["pictures"]), list(high["pictures"])) == (["odd.png"], ["odd.png", "small.png"])


def test_the_rate_is_that_of_the_files(originals: Path, streams: Path) -> None:
    low, high = run(originals, streams, "--which", "base")["rows"]
    odd, small = (8 * (FIXTURES / name).stat().st_size for name in (ODD, SMALL))
    assert low["bits_per_pixel"] == pytest.approx(odd / (129 * 65), rel=1e-5)
    assert high["bits_per_pixel"] == pytest.approx((odd / (129 * 65) + small / 64**2) / 2, rel=1e-5)


def test_only_originals_that_have_a_stream_are_measured(originals: Path, streams: Path) -> None:
    assert run(originals, streams, "--which", "base")["pictures"] == 2
    assert run(originals, streams, "--which", "base", "--qualities", "27")["pictures"] == 1
    first = run(originals, streams, "--which", "base", "--limit", "1")
    assert {picture for row in first["rows"] for picture in row["pictures"]} == {"odd.png"}


def test_every_method_is_measured_and_laid_out_for_the_card(originals: Path, streams: Path, weights: Path) -> None:
    record = run(originals, streams, "--weights", weights, "--samples", "2", "--which", "steps1,trajectory,samples")
    methods = ["base", "steps 1", "steps 90", "steps 100", "mean of 2"]
    assert [(row["quality"], row["method"]) for row in record["rows"]] == [
        (rate, method) for rate in (27, 32) for method in methods
    ]
    assert (record["codec"], record["weights"]["codec"]) == ("vtm", "vtm")
    for row in record["rows"]:
        assert row["seconds_per_megapixel"] > 0
        assert (row["psnr"] < ONE_LEVEL_OFF - 1) == (row["method"] != "base")

    card = originals.parent / "card.md"
    card.write_text("before\n<!-- measured -->\nold\n<!-- end of measured -->\nafter\n")
    file = originals.parent / "record.json"
    result = CliRunner().invoke(
        tables.main, [str(file), "--methods", "steps 1,steps 100,mean of 2", "--into", str(card)]
    )
    assert result.exit_code == 0, result.output
    lines = card.read_text().splitlines()
    assert lines[2] == (
        "| QP | bpp | pictures | VTM: dB | steps 1: dB (gain) | steps 100: dB (gain) | mean of 2: dB (gain) |"
    )
    assert lines[4].startswith("| 27 | 1.885 | 1 | 48.13 | ")
    assert lines[5].startswith("| 32 | 1.374 | 2 | 48.13 | ")
    assert (lines[0], lines[-1]) == ("before", "after")


def test_the_printed_table_says_how_many_pictures_each_rate_has(originals: Path, streams: Path) -> None:
    lines = invoke(originals, streams, "--which", "base").stdout.splitlines()
    (head,) = [line.split() for line in lines if line.split()[:1] == ["quality"]]
    rows = [line.split() for line in lines if "base" in line.split()]
    assert [row[head.index("pictures")] for row in rows] == ["1", "2"]


def test_faults_of_streams_are_named(originals: Path, streams: Path) -> None:
    def message(*arguments: str) -> str:
        result = invoke(originals, streams, "--which", "base", *arguments)
        assert result.exit_code == 1
        return result.output

    assert "lists no streams at 37, 40" in message("--qualities", "27,37,40")

    (streams / "small_qp32.bin").write_bytes(b"")
    assert "small.png at 32: " in message()
    (streams / "small_qp32.bin").unlink()
    assert "small_qp32.bin': No such file" in message()
    shutil.copy(FIXTURES / ODD, streams / "small_qp32.bin")
    assert "small.png has 64×64 pixels, what was coded at 32 129×65" in message()

    (originals / "small.png").unlink()
    assert "lacks small.png, of which there are streams" in message()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (None, "results.jsonl': No such file or directory; a folder of streams has one"),
        ("", "lists no streams at any rate"),
        ("not JSON\n", "line 1 of "),
        ('{"image": "small.png", "qp": 32}\n\n{"image": "small.png"}\n', "line 3 of "),
        ('{"image": "small.png", "qp": "32"}\n', "names no stream"),
    ],
)
def test_faults_of_the_index_are_named(originals: Path, streams: Path, index: str | None, message: str) -> None:
    (streams / "results.jsonl").unlink()
    if index is not None:
        (streams / "results.jsonl").write_text(index)
    result = invoke(originals, streams, "--which", "base")
    assert result.exit_code == 1
    assert message in result.output
