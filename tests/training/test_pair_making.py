"""Making pairs beforehand: what is listed is there and whole, whatever interrupted the making."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from dirac_enhance import RegisteredCodec
from dirac_enhance.errors import PluginError, TrainingError
from dirac_enhance.guard import guard_codec
from dirac_enhance.training import pair_making
from dirac_enhance.training.pair_index import read_index
from dirac_enhance.training.pair_making import PairPlan, make_pairs
from dirac_enhance_jpeg import JpegCodec
from processes import kill_9, needs_signals, start_python, wait_until

if TYPE_CHECKING:
    from tests.training.conftest import QuantisedReader, QuantisingCodec


@pytest.fixture
def plan(photographs: Path, tmp_path: Path) -> PairPlan:
    return PairPlan(photographs, tmp_path / "pairs", count=8, crop_size=32)


def quiet(_: str) -> None:
    """Say nothing."""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".csv"}


def test_the_index_lists_crops_of_the_originals_and_their_streams(plan: PairPlan, qp_codec: QuantisingCodec) -> None:
    lines: list[str] = []
    assert make_pairs(plan, qp_codec, report=lines.append) == 8
    rows = read_index(plan.index)
    assert len(rows) == len({row.bitstream for row in rows}) == len(lines) == 8
    assert len({row.file for row in rows}) == 6  # each picture once before any twice
    assert len({row.rate_factor for row in rows}) > 3
    for row in rows:
        content = (plan.folder / row.bitstream).read_bytes()
        whole = np.asarray(Image.open(plan.originals / row.file))
        crop = torch.from_numpy(whole[row.y : row.y + 32, row.x : row.x + 32].copy()).permute(2, 0, 1) / 255
        assert content == qp_codec.encode(crop, rate_factor=row.rate_factor)
        assert row.bytes == len(content)
        assert 22 <= row.rate_factor <= 45


def test_more_are_added_and_the_same_ones_as_at_once(plan: PairPlan, qp_codec: QuantisingCodec) -> None:
    make_pairs(replace(plan, count=3), qp_codec, report=quiet)
    assert make_pairs(plan, qp_codec, report=quiet) == 5
    assert make_pairs(plan, qp_codec, report=quiet) == 0
    at_once = replace(plan, folder=plan.folder.with_name("at once"))
    make_pairs(at_once, qp_codec, report=quiet)
    assert contents(plan.folder) == contents(at_once.folder)
    assert read_index(plan.index) == read_index(at_once.index)


def test_several_processes_make_what_one_makes(plan: PairPlan) -> None:
    make_pairs(plan, JpegCodec(), report=quiet)
    spread = replace(plan, folder=plan.folder.with_name("spread"), jobs=2)
    assert make_pairs(spread, JpegCodec(), report=quiet) == 8
    assert contents(plan.folder) == contents(spread.folder)
    assert set(read_index(plan.index)) == set(read_index(spread.index))


def test_what_fails_in_another_process_is_raised_here(plan: PairPlan, tmp_path: Path) -> None:
    plan = replace(plan, originals=tmp_path / "torn", jobs=2)
    plan.originals.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(plan.originals / "torn.png")
    (plan.originals / "torn.png").write_bytes((plan.originals / "torn.png").read_bytes()[:5000])
    with pytest.raises(TrainingError, match=r"torn\.png"):
        make_pairs(plan, JpegCodec(), report=quiet)
    assert read_index(plan.index) == ()


def test_a_codec_that_no_other_process_can_import_needs_a_single_one(plan: PairPlan) -> None:
    class Unsendable(JpegCodec):
        """Known to this function only."""

    with pytest.raises(TrainingError, match="pass --jobs 1"):
        make_pairs(replace(plan, jobs=2), Unsendable(), report=quiet)
    assert not list(plan.folder.glob("*.jpg"))


KILLED = """
import sys, time
from pathlib import Path
from dirac_enhance.training.pair_making import PairPlan, make_pairs
from dirac_enhance_jpeg import JpegCodec

class Slow(JpegCodec):
    def encode(self, pixels, *, rate_factor):
        time.sleep(0.05)
        return super().encode(pixels, rate_factor=rate_factor)

if __name__ == "__main__":
    make_pairs(PairPlan(Path(sys.argv[1]), Path(sys.argv[2]), count=1000, crop_size=32), Slow())
"""


@needs_signals
def test_kill_9_leaves_whole_streams_only_and_the_next_run_goes_on(plan: PairPlan, tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    killed = start_python(script, plan.originals, plan.folder)
    wait_until(lambda: len(list(plan.folder.glob("*.jpg"))) > 3, killed)
    kill_9(killed)
    (plan.folder / ".0123.part").write_bytes(b"half a stream")
    made = len(read_index(plan.index))
    assert 1 <= made < 1000
    assert make_pairs(replace(plan, count=made + 2), JpegCodec(), report=quiet) == 2
    rows = read_index(plan.index)
    assert len(rows) == made + 2
    for row in rows:
        assert JpegCodec().decode((plan.folder / row.bitstream).read_bytes()).pixels.shape == (3, 32, 32)
    assert not list(plan.folder.glob(".*.part"))


def test_a_full_disk_gets_one_line_and_keeps_what_is_made(
    plan: PairPlan, qp_codec: QuantisingCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pairs(replace(plan, count=2), qp_codec, report=quiet)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(pair_making, "write_atomically", full)
        with pytest.raises(TrainingError, match="No space left on device; what is made stays"):
            make_pairs(plan, qp_codec, report=quiet)
    assert len(read_index(plan.index)) == 2
    assert make_pairs(plan, qp_codec, report=quiet) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, r"made otherwise \(seed\)"),
        ({"crop_size": 48}, r"made otherwise \(crop_size\)"),
        ({"rate_bounds": (30, 40)}, r"made otherwise \(rate_bounds\)"),
        ({"codec_options": {"speed": "2"}}, r"made otherwise \(codec_options\)"),
    ],
)
def test_pairs_made_otherwise_are_not_mixed(
    plan: PairPlan, qp_codec: QuantisingCodec, change: dict[str, object], said: str
) -> None:
    make_pairs(replace(plan, count=1), qp_codec, report=quiet)
    with pytest.raises(TrainingError, match=said):
        make_pairs(replace(plan, **change), qp_codec, report=quiet)  # type: ignore[arg-type]


def test_pairs_of_unknown_making_are_not_added_to(plan: PairPlan, qp_codec: QuantisingCodec) -> None:
    make_pairs(replace(plan, count=1), qp_codec, report=quiet)
    (plan.folder / "pairs.json").unlink()
    with pytest.raises(TrainingError, match=r"without pairs\.json"):
        make_pairs(plan, qp_codec, report=quiet)


def test_streams_among_the_originals_are_no_originals(photographs: Path, tmp_path: Path) -> None:
    for path in photographs.glob("near__*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plan = PairPlan(tmp_path, tmp_path / "pairs", count=3, crop_size=32)
    make_pairs(replace(plan, count=2), JpegCodec(), report=quiet)
    assert make_pairs(plan, JpegCodec(), report=quiet) == 1
    assert json.loads((plan.folder / "pairs.json").read_text())["originals"] == 4


def test_an_encoder_s_failure_names_the_crop(plan: PairPlan) -> None:
    class Broken(JpegCodec):
        def encode(self, pixels: torch.Tensor, *, rate_factor: float) -> bytes:
            raise ZeroDivisionError("no bits")

    guarded = guard_codec(RegisteredCodec(Broken(), None, "dist-broken", "0.3"))
    failed = r"codec 'jpeg' from dist-broken 0\.3 failed to encode: ZeroDivisionError: no bits"
    with pytest.raises(PluginError, match=rf"^'.*\.png' at \(\d+, \d+\), rate factor \d+: {failed}"):
        make_pairs(plan, guarded, report=quiet)


def test_bad_requests_are_refused(plan: PairPlan, qp_codec: QuantisingCodec, qp_reader: QuantisedReader) -> None:
    with pytest.raises(TrainingError, match="only decodes"):
        make_pairs(plan, qp_reader, report=quiet)
    with pytest.raises(TrainingError, match="no image of at least 500 pixels"):
        make_pairs(replace(plan, crop_size=500), qp_codec, report=quiet)
    with pytest.raises(TrainingError, match="smaller one first"):
        make_pairs(replace(plan, rate_bounds=(40, 30)), qp_codec, report=quiet)
    assert not plan.folder.exists()
