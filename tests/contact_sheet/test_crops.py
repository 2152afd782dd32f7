"""Crops lie where versions differ most, inside the picture, apart from each other."""

from __future__ import annotations

import pytest
import torch

from dirac_enhance.contact_sheet.crops import choose_crops
from dirac_enhance.window import Window


def test_crops_hold_the_places_that_differ_most() -> None:
    versions = [torch.zeros(3, 96, 128, dtype=torch.uint8) for _ in range(3)]
    versions[1][:, 20:30, 90:110] = 200
    versions[2][:, 70:80, 10:20] = 100

    first, second = choose_crops(versions, width=32, height=24, count=2)

    assert first.top <= 20 < 30 <= first.bottom
    assert first.left <= 90 < 110 <= first.right
    assert second.top <= 70 < 80 <= second.bottom
    assert second.left <= 10 < 20 <= second.right


def test_a_version_that_stands_out_counts_however_many_are_alike() -> None:
    versions = [torch.zeros(3, 64, 64) for _ in range(5)]
    versions[4][:, 40:64, 40:64] = 0.5

    (crop,) = choose_crops(versions, width=24, height=24, count=1)

    assert crop == Window(40, 40, 24, 24)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (333, 7), (30, 41), (100, 100)])
def test_crops_are_inside_and_do_not_overlap(height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(height)
    versions = [torch.rand(3, height, width, generator=generator) for _ in range(2)]

    crops = choose_crops(versions, width=37, height=29, count=5)

    covered = torch.zeros(height, width)
    for crop in crops:
        assert (crop.height, crop.width) == (min(29, height), min(37, width))
        assert crop.top >= 0
        assert crop.left >= 0
        assert crop.bottom <= height
        assert crop.right <= width
        covered[crop.slices] += 1
    assert covered.max() == 1


def test_equal_versions_have_a_crop_all_the_same() -> None:
    assert len(choose_crops([torch.ones(3, 9, 9)], width=4, height=4, count=1)) == 1
