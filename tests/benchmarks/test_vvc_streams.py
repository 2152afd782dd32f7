"""Real VVC streams of photographs decode to what was recorded when they were made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import vvc_streams
from benchmark_scripts import present, run_script
from dirac_enhance.bench.coded_pictures import read_stream_index
from dirac_enhance_vtm.colour import SampleFormat, to_pixels
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.pyav import decode_by_pyav
from vvc_streams import check_stream

FIXTURES = Path(__file__).parents[1] / "plugins" / "vtm" / "fixtures"

DATA = Path(__file__).parents[2] / "data"
STREAMS, ORIGINALS = DATA / "vvc" / "kodak", DATA / "eval" / "kodak"


@pytest.mark.parametrize(("image", "qp"), [("03.png", 37), ("09.png", 27)])
def test_a_photograph_decodes_to_the_recorded_samples(image: str, qp: int) -> None:
    """All of them are in `benchmarks/results/vvc-streams-kodak.json`."""
    if not (STREAMS.is_dir() and ORIGINALS.is_dir()):
        pytest.skip(f"needs the streams of {STREAMS} and the pictures of {ORIGINALS}")
    records = {(record["image"], record["qp"]): record for record in read_stream_index(STREAMS)}
    if (image, qp) not in records:
        pytest.skip(f"no stream of {image} at QP {qp}")

    check = check_stream(STREAMS, ORIGINALS, records[image, qp])

    assert check.exact
    assert check.psnr_eight == pytest.approx(records[image, qp]["psnr_rgb"], abs=1e-6)
    assert check.psnr_ten > check.psnr_eight


@pytest.fixture
def streams(tmp_path: Path) -> Path:
    """A folder with a stream; its original is a level off everywhere from what it decodes to by way of 8 bits."""
    data = (FIXTURES / "intra444_8bit_64x64_qp32.bin").read_bytes()
    planes = decode_by_pyav(find_first_picture(data)).to_eight_bits()
    assert planes.chroma is not None
    levels = (to_pixels(planes, SampleFormat("bt709", "full", 8)) * 255).round().byte().permute(1, 2, 0).numpy()
    samples = b"".join(plane.astype("u1").tobytes() for plane in (planes.luma, *planes.chroma))
    known = {"image": "drawn.png", "qp": 32, "width": 64, "height": 64}
    digests = {
        "sha256_yuv444p8": hashlib.sha256(samples).hexdigest(),
        "sha256_rgb_rounded": hashlib.sha256(levels.tobytes()).hexdigest(),
    }
    folder = tmp_path / "streams"
    folder.mkdir()
    (folder / "drawn_qp32.bin").write_bytes(data)
    (folder / "results.jsonl").write_text(json.dumps(known | digests) + "\n")
    Image.fromarray(levels ^ 1).save(tmp_path / "drawn.png")
    return folder


def test_a_record_is_written_and_presented(streams: Path, tmp_path: Path) -> None:
    printed, record = run_script(vvc_streams.main, tmp_path, streams, tmp_path)

    (row,) = record["rows"]
    assert record["benchmark"] == "vvc_streams"
    assert (row["stream"], row["qp"], row["exact"]) == ("drawn_qp32.bin", 32, True)
    assert row["psnr_eight"] == pytest.approx(48.1308, abs=1e-4)  # 10 log10(255²)
    page, pictures = present(tmp_path, "decoded streams")
    assert "| 32 | 1 | 1 | 48.13 | " in page
    assert "All are as recorded. Bit-exact:" in page
    assert page.split("\n\n")[0].partition("-->\n")[2] in printed
    assert not pictures


def test_a_stream_that_decodes_to_something_else_is_named(streams: Path, tmp_path: Path) -> None:
    index = streams / "results.jsonl"
    index.write_text(index.read_text().replace('"sha256_rgb_rounded": "', '"sha256_rgb_rounded": "0'))

    result = CliRunner().invoke(
        vvc_streams.main, [str(streams), str(tmp_path), "--json", str(tmp_path / "record.json")]
    )

    assert result.exit_code == 1
    assert "| 32 | 1 | 0 | " in result.output
    assert "Not as recorded: `drawn_qp32.bin`." in result.output
