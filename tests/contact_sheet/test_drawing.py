"""The drawn sheet: its size, its frames, and labels that fit."""

from __future__ import annotations

import pytest
import torch

from dirac_enhance.contact_sheet.drawing import Heading, Version, column_width, draw_sheet
from dirac_enhance.window import Window

HEADING = Heading("photo.jpg", "codec jpeg")


def versions(count: int, *, height: int = 90, width: int = 200, label: str = "steps 1") -> list[Version]:
    return [Version(label, "1 evaluation", torch.full((3, height, width), 100, dtype=torch.uint8))] * count


def paper(sheet: torch.Tensor) -> torch.Tensor:
    """Where nothing is drawn."""
    return ((sheet * 255).round() == 24).all(dim=0)


@pytest.mark.parametrize(("width", "zoom", "expected"), [(1000, 2, 384), (100, 2, 200), (100, 1, 168), (1, 1, 168)])
def test_columns_follow_the_picture_within_bounds(width: int, zoom: int, expected: int) -> None:
    assert column_width(torch.zeros(3, 8, width), zoom=zoom) == expected


def test_every_column_and_row_is_there() -> None:
    sheet = draw_sheet(HEADING, versions(3), crops=[Window(0, 0, 40, 80), Window(50, 100, 40, 80)], zoom=2)

    filled = ((sheet * 255).round() == 100).all(dim=0)
    assert int(filled.sum()) > 2 * 3 * (80 * 160) + 2 * 200 * 90
    assert sheet.shape[2] == 3 * 384 - (384 - column_width(torch.zeros(3, 1, 200), zoom=2)) * 3 + 2 * 28 + 2 * 8


def test_wide_crop_makes_the_columns_wide() -> None:
    narrow, wide = (
        draw_sheet(HEADING, versions(2, width=600), crops=[Window(0, 0, 8, side)], zoom=2) for side in (100, 500)
    )

    assert wide.shape[2] - narrow.shape[2] == 2 * (1000 - 384)


def test_crops_are_framed_on_the_first_picture_only() -> None:
    crop = Window(20, 40, 40, 80)
    framed = draw_sheet(HEADING, versions(2), crops=[crop], zoom=2)
    yellow = ((framed * 255).round() == torch.tensor([255.0, 214, 10])[:, None, None]).all(dim=0)

    columns = torch.nonzero(yellow.any(dim=0)).flatten()
    assert int(yellow.sum()) >= 2 * (40 + 80) - 4
    assert int(columns.max()) < 28 + 200


def test_labels_are_large_and_stay_in_their_columns() -> None:
    sheet = draw_sheet(Heading("x" * 500, "y" * 500), versions(2, label="steps " + "9" * 80), crops=[], zoom=1)

    margin_right = paper(sheet)[:, -28:]
    gap = paper(sheet)[:, 28 + 200 : 28 + 200 + 8]
    assert bool(margin_right.all())
    assert bool(gap[112:].all())  # from the labels down; title and facts may cross it
    ink = (sheet[:, :70] > 0.9).all(dim=0)
    assert int(ink.any(dim=1).sum()) >= 10
