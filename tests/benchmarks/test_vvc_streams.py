"""Real VVC streams of photographs decode to what was recorded when they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirac_enhance.bench.coded_pictures import read_stream_index
from vvc_streams import check_stream

DATA = Path(__file__).parents[2] / "data"
STREAMS, ORIGINALS = DATA / "vvc" / "kodak", DATA / "eval" / "kodak"


@pytest.mark.parametrize(("image", "qp"), [("03.png", 37), ("09.png", 27)])
def test_a_photograph_decodes_to_the_recorded_samples(image: str, qp: int) -> None:
    """All of them: `python benchmarks/vvc_streams.py data/vvc/kodak data/eval/kodak`."""
    if not (STREAMS.is_dir() and ORIGINALS.is_dir()):
        pytest.skip(f"needs the streams of {STREAMS} and the pictures of {ORIGINALS}")
    records = {(record["image"], record["qp"]): record for record in read_stream_index(STREAMS)}
    if (image, qp) not in records:
        pytest.skip(f"no stream of {image} at QP {qp}")

    check = check_stream(STREAMS, ORIGINALS, records[image, qp])

    assert check.exact
    assert check.psnr_eight == pytest.approx(records[image, qp]["psnr_rgb"], abs=1e-6)
    assert check.psnr_ten > check.psnr_eight
