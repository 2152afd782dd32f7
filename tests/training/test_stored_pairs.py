"""Drawing stored pairs: original and base belong together, whatever is done to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.colour_symmetries import SYMMETRIES, apply_symmetry
from dirac_enhance.training.pair_files import PairFiles
from dirac_enhance.training.pair_index import PairRow, read_index, split_rows
from dirac_enhance.training.pair_making import PairPlan, make_pairs
from dirac_enhance.training.stored_pairs import PairReader, StoredPairRecipe, load_pairs
from dirac_enhance.training.validation import hold_out

if TYPE_CHECKING:
    from tests.training.conftest import QuantisedReader, QuantisingCodec

PLAIN = StoredPairRecipe(crop_size=64, symmetries="none", rate_hidden=0)


@pytest.fixture
def plan(photographs: Path, tmp_path: Path, qp_codec: QuantisingCodec) -> PairPlan:
    """Twelve pairs of 64×64, two of each original."""
    plan = PairPlan(photographs, tmp_path, count=12, crop_size=64)
    make_pairs(plan, qp_codec, report=lambda _: None)
    return plan


@pytest.fixture
def reader(plan: PairPlan, qp_reader: QuantisedReader) -> Callable[..., PairReader]:
    """Build a reader of those pairs, by a codec that only decodes."""

    def build(recipe: StoredPairRecipe = PLAIN, codec: QuantisedReader = qp_reader, **settings: Any) -> PairReader:
        files = PairFiles(plan.folder, plan.originals, codec)
        return PairReader(load_pairs(read_index(plan.index), files, **settings), recipe)

    return build


def test_a_plain_pair_is_the_crop_and_what_the_stream_decodes_to(
    reader: Callable[..., PairReader], plan: PairPlan, qp_codec: QuantisingCodec
) -> None:
    batch = reader().draw_batch(np.random.default_rng(0), 20)
    crops = {}
    for row in read_index(plan.index):
        whole = np.asarray(Image.open(plan.originals / row.file))
        crops[whole[row.y : row.y + 64, row.x : row.x + 64].tobytes()] = row
    for original, base, rate in zip(batch.original, batch.base_reconstruction, batch.rate_factor, strict=True):
        row = crops[original.permute(1, 2, 0).contiguous().numpy().tobytes()]
        assert row.rate_factor == rate
        decoded = qp_codec.decode((plan.folder / row.bitstream).read_bytes()).pixels
        assert torch.equal((decoded * 255).round().byte(), base)
    assert torch.equal(batch.known_rate_factor, batch.rate_factor)


def test_the_same_seed_draws_the_same_pairs_in_whatever_order_the_index_lists_them(
    reader: Callable[..., PairReader], plan: PairPlan
) -> None:
    one = reader(StoredPairRecipe(crop_size=32)).draw_batch(np.random.default_rng(7), 9)
    header, *lines = plan.index.read_text().splitlines(keepends=True)
    plan.index.write_text(header + "".join(lines[::-1]))
    other = reader(StoredPairRecipe(crop_size=32)).draw_batch(np.random.default_rng(7), 9)
    assert torch.equal(one.original, other.original)
    assert torch.equal(one.base_reconstruction, other.base_reconstruction)


@pytest.mark.parametrize("memory", [0, 2048])
def test_pairs_that_do_not_fit_into_memory_are_decoded_when_drawn(
    reader: Callable[..., PairReader], memory: int
) -> None:
    pairs = reader(memory=memory)
    assert len(pairs.pool.decoded) == (12 if memory else 0)
    drawn, kept = (each.draw_batch(np.random.default_rng(3), 6) for each in (pairs, reader()))
    assert torch.equal(drawn.original, kept.original)
    assert torch.equal(drawn.base_reconstruction, kept.base_reconstruction)


def test_memory_is_bounded(plan: PairPlan, qp_reader: QuantisedReader) -> None:
    row = read_index(plan.index)[0]
    rows = [replace(row, bitstream=row.bitstream) for _ in range(50)]
    pool = load_pairs(rows, PairFiles(plan.folder, plan.originals, qp_reader), memory=1)
    assert len(pool.decoded) == 2**20 // (6 * 64 * 64)
    assert sum(pair.original.untyped_storage().nbytes() for pair in pool.decoded) <= 2**19


def test_symmetries_turn_original_and_base_alike(reader: Callable[..., PairReader]) -> None:
    pairs = reader(replace(PLAIN, symmetries="flips-and-turns"))
    plain = {
        pair.original.numpy().tobytes(): pair.base_reconstruction
        for pair in (pairs.pool.pair(k) for k in range(len(pairs.pool.rows)))
    }
    batch, seen = pairs.draw_batch(np.random.default_rng(0), 100), set()
    for original, base in zip(batch.original, batch.base_reconstruction, strict=True):
        for flipped, turns in product((False, True), range(4)):
            back = [plane.rot90(-turns, (1, 2)) for plane in (original, base)]
            back = [plane.flip(2) if flipped else plane for plane in back]
            stored = plain.get(back[0].contiguous().numpy().tobytes())
            if stored is not None:
                seen.add((flipped, turns))
                assert torch.equal(back[1], stored)
                break
        else:
            pytest.fail("a pair that is no stored one turned")
    assert len(seen) == 8


def test_flips_alone_never_turn(reader: Callable[..., PairReader]) -> None:
    pairs = reader(replace(PLAIN, symmetries="flips"))
    rows = {pairs.pool.pair(k).original.float().mean(dim=(0, 2)).sort().values for k in range(12)}
    for original in pairs.draw_batch(np.random.default_rng(0), 40).original:
        means = original.float().mean(dim=(0, 2)).sort().values
        assert min((means - other).abs().max().item() for other in rows) < 1e-3


def test_colour_symmetries_change_original_and_base_alike_and_keep_how_far_apart_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    original = torch.randint(90, 160, (3, 32, 32), dtype=torch.uint8, generator=generator)
    luma = original.float().mul(torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(dim=0)
    seen = set()
    for index in range(len(SYMMETRIES)):
        varied = apply_symmetry(original, index)
        seen.add(varied.numpy().tobytes())
        new = varied.float().mul(torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(dim=0)
        assert min((new - luma).abs().max(), (new + luma - 255).abs().max()) < 1
        again = apply_symmetry(varied, index)  # each but a swap with one sign changed is its own inverse
        if index not in (9, 10, 13, 14):
            assert (again.int() - original.int()).abs().max() <= 2
    assert len(seen) == 16


def test_pairs_are_drawn_in_varied_colours(reader: Callable[..., PairReader]) -> None:
    plain = reader(PLAIN).draw_batch(np.random.default_rng(0), 8)
    varied = reader(replace(PLAIN, colour_symmetries=True)).draw_batch(np.random.default_rng(0), 8)
    assert varied.original.dtype == torch.uint8
    assert varied.original.float().std() > 0
    assert not torch.equal(varied.original, plain.original)


def test_windows_begin_on_the_grid(reader: Callable[..., PairReader]) -> None:
    pairs = reader(replace(PLAIN, crop_size=32, grid=16))
    windows = {
        pairs.pool.pair(k).original[:, y : y + 32, x : x + 32].contiguous().numpy().tobytes(): (y, x)
        for k, y, x in product(range(12), (0, 16, 32), (0, 16, 32))
    }
    batch = pairs.draw_batch(np.random.default_rng(0), 80)
    corners = {windows.get(original.contiguous().numpy().tobytes()) for original in batch.original}
    assert corners == set(product((0, 16, 32), repeat=2))


def test_the_network_is_told_what_the_decoder_reports(
    reader: Callable[..., PairReader], qp_reader: QuantisedReader
) -> None:
    silent = reader(codec=replace(qp_reader, reports_rate=False)).draw_batch(np.random.default_rng(0), 8)
    assert silent.known_rate_factor.isnan().all()
    assert silent.rate_factor.min() >= 22
    hidden = reader(replace(PLAIN, rate_hidden=1)).draw_batch(np.random.default_rng(0), 8)
    assert hidden.known_rate_factor.isnan().all()


def test_sources_are_drawn_by_share_and_described(reader: Callable[..., PairReader]) -> None:
    held_out = (PairRow("x.qnt", "x.png", 0, 0, 64, 64, 30.0, 1),)
    pairs = reader(shares={"far": 0.9}, held_out=held_out)
    assert pairs.pool.describe() == {
        "far": {"pairs": 4, "originals": 2, "share": 0.9},
        "near": {"pairs": 8, "originals": 4, "share": 0.1},
        "held out": {"pairs": 1, "originals": 1, "share": 0.0},
    }
    with pytest.raises(TrainingError, match="no source named fra"):
        reader(shares={"fra": 0.5})


def test_held_out_pairs_are_measured_by_rate(plan: PairPlan, qp_reader: QuantisedReader) -> None:
    _, apart = split_rows(read_index(plan.index), held_out=0.5)
    validation = hold_out(apart, PairFiles(plan.folder, plan.originals, qp_reader), lpips=None)
    assert sum(len(examples) for examples in validation.examples.values()) == len(apart) == 6
    assert list(validation.examples) == sorted(validation.examples)
    for original, base in next(iter(validation.examples.values())):
        assert original.shape == base.pixels.shape == (3, 64, 64)
        assert 0 < (original - base.pixels).abs().mean() < 0.2


def test_at_most_so_many_held_out_pairs_are_measured_evenly_over_the_rates(
    plan: PairPlan, qp_reader: QuantisedReader
) -> None:
    rows = read_index(plan.index)
    validation = hold_out(rows, PairFiles(plan.folder, plan.originals, qp_reader), lpips=None, limit=4)
    ranked = sorted(row.rate_factor for row in rows)
    assert [rate for rate, each in validation.examples.items() for _ in each] == ranked[::3]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder, row: (folder / row.bitstream).unlink(), "cannot read the stream"),
        (lambda folder, row: (folder / row.bitstream).write_bytes(b"QNT"), "cannot be decoded: 3 bytes"),
        (lambda folder, _: _change(folder, ",64,64,", ",32,64,"), "where the index says"),
        (lambda folder, row: _change(folder, row.file, "gone.png"), r"gone\.png"),
    ],
)
def test_a_pair_that_cannot_be_is_named(
    reader: Callable[..., PairReader], plan: PairPlan, damage: Callable[[Path, PairRow], object], said: str
) -> None:
    damage(plan.folder, read_index(plan.index)[0])
    with pytest.raises(TrainingError, match=said):
        reader()


def _change(folder: Path, before: str, after: str) -> None:
    index = folder / "index.csv"
    index.write_text(index.read_text().replace(before, after, 1))


def test_stored_crops_smaller_than_the_training_s_are_refused(reader: Callable[..., PairReader]) -> None:
    with pytest.raises(TrainingError, match="pass a smaller --crop-size"):
        reader(replace(PLAIN, crop_size=96))


def test_nothing_to_train_on_is_said(plan: PairPlan, qp_reader: QuantisedReader) -> None:
    with pytest.raises(TrainingError, match="no pair is left"):
        load_pairs((), PairFiles(plan.folder, plan.originals, qp_reader))
    with pytest.raises(TrainingError, match="pass a larger --held-out"):
        hold_out((), PairFiles(plan.folder, plan.originals, qp_reader), lpips=None)
