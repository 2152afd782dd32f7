from __future__ import annotations

import pytest
import torch

from dirac_enhance.tiles import plan_tiles, taper_tile


@pytest.mark.parametrize("stride", [1, 8])
@pytest.mark.parametrize("halo", [0, 5, 64])
@pytest.mark.parametrize(
    ("height", "width", "tile"), [(8, 8, 1), (160, 104, 32), (160, 104, 33), (8, 800, 96), (72, 72, 999)]
)
def test_cores_partition_the_plane_and_halos_reach_far_enough(
    height: int, width: int, tile: int, halo: int, stride: int
) -> None:
    covered = torch.zeros(height, width, dtype=torch.int64)
    for piece in plan_tiles(height, width, tile=tile, halo=halo, stride=stride):
        covered[piece.core.slices] += 1
        assert max(piece.core.height, piece.core.width) <= -(-tile // stride) * stride
        for side in (piece.core, piece.halo):
            assert all(number % stride == 0 for number in (side.top, side.left, side.height, side.width))
        assert piece.halo.top <= max(0, piece.core.top - halo)
        assert piece.halo.left <= max(0, piece.core.left - halo)
        assert min(height, piece.core.bottom + halo) <= piece.halo.bottom <= height
        assert min(width, piece.core.right + halo) <= piece.halo.right <= width
    assert bool((covered == 1).all())


def test_a_plane_within_the_tile_is_one_tile_without_a_halo() -> None:
    (piece,) = plan_tiles(48, 64, tile=64, halo=16, stride=8)
    assert piece.core == piece.halo
    assert (piece.core.height, piece.core.width) == (48, 64)


def test_a_plane_off_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="plane of 48×60 pixels; expected multiples of 8"):
        plan_tiles(48, 60, tile=64, halo=16, stride=8)


def test_cores_are_of_nearly_equal_size() -> None:
    heights = {piece.core.height for piece in plan_tiles(1000, 8, tile=512, halo=8, stride=8)}
    assert heights == {496, 504}


def test_tapers_are_one_at_the_plane_s_own_edges() -> None:
    first, *_, last = plan_tiles(4, 400, tile=100, halo=20, stride=4)
    assert float(taper_tile(first, 4, 400)[:, :80].min()) == 1
    assert float(taper_tile(last, 4, 400)[:, -80:].min()) == 1
    assert 0 < float(taper_tile(first, 4, 400)[:, -1].max()) < 0.05
