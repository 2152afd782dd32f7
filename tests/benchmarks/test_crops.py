"""Crops of coded pictures: a row for each, cut where they were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from crops import main, parse_crop, stack
from pictures import Crop


def test_a_crop_is_named_by_its_picture_and_corner() -> None:
    assert parse_crop("far: a.png:150,20") == Crop("far: a.png", 150, 20)


def test_rows_are_stacked_in_their_order() -> None:
    sheet = stack([Image.new("RGB", (5, 2), "red"), Image.new("RGB", (5, 3), "blue")])
    assert (sheet.size, sheet.getpixel((0, 1)), sheet.getpixel((0, 2))) == ((5, 5), (255, 0, 0), (0, 0, 255))


def test_each_crop_gets_a_row_that_ends_with_the_original(tmp_path: Path) -> None:
    picture = Image.linear_gradient("L").convert("RGB")
    picture.save(tmp_path / "a.png")
    crops = ["--crop", "a.png:0,0", "--crop", "a.png:100,128"]
    options = ["--codec", "jpeg", "--rate", "20", *crops, "-o", str(tmp_path / "crops.png")]
    result = CliRunner().invoke(main, [str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "crops.png") as sheet:
        assert sheet.width == 4 * 256 + 3 * 4
        row = sheet.height // 2
        corner = sheet.width - 256, sheet.height - 256
        assert sheet.getpixel(corner) == picture.getpixel((100, 128))
        assert sheet.getpixel((corner[0], corner[1] - row)) == picture.getpixel((0, 0))


@pytest.mark.parametrize(("options", "complaint"), [(["--crop", "a.png:1"], "expected NAME:LEFT,TOP"), ([], "--crop")])
def test_what_cannot_be_is_told(tmp_path: Path, options: list[str], complaint: str) -> None:
    result = CliRunner().invoke(main, [str(tmp_path), "--codec", "jpeg", "--rate", "20", "-o", "x.png", *options])
    assert result.exit_code == 2
    assert complaint in result.output
