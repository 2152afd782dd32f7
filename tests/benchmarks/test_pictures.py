"""The README's pictures: crops lie inside their photographs, and strips hold what their labels say."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from pictures import BEFORE_AFTER, CROPS, Crop, enlarge, photograph, side_by_side, to_image

pytest.importorskip("skimage")


@pytest.mark.parametrize("crop", CROPS, ids=lambda crop: crop.photograph)
def test_crops_lie_inside_their_photographs(crop: Crop) -> None:
    _, height, width = photograph(crop.photograph).shape
    left, top, right, bottom = crop.box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_the_before_after_photograph_is_among_the_crops() -> None:
    assert BEFORE_AFTER in {crop.photograph for crop in CROPS}


def test_enlarging_repeats_pixels() -> None:
    pixels = torch.zeros(3, 4, 4)
    pixels[0, 1, 2] = 1
    enlarged = enlarge(to_image(pixels), Crop("", left=2, top=1, side=2))
    corners = [enlarged.getpixel(place) for place in ((0, 0), (1, 1), (2, 0), (0, 2))]
    assert corners == [(255, 0, 0), (255, 0, 0), (0, 0, 0), (0, 0, 0)]


def test_images_keep_their_order_side_by_side() -> None:
    sheet = side_by_side({"left": Image.new("RGB", (60, 30), "red"), "right": Image.new("RGB", (60, 30), "blue")})
    assert sheet.getpixel((0, sheet.height - 1)) == (255, 0, 0)
    assert sheet.getpixel((sheet.width - 1, sheet.height - 1)) == (0, 0, 255)
    assert sheet.width == 124
