"""The quality estimate against libjpeg's own tables and foreign ones."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.JpegPresets import presets

from dirac_enhance_jpeg.quality import estimate_quality, luminance_table


def libjpeg_table(quality: int) -> tuple[int, ...]:
    coded = BytesIO()
    Image.new("L", (8, 8)).save(coded, "JPEG", quality=quality)
    return tuple(JpegImageFile(BytesIO(coded.getvalue())).quantization[0])


@pytest.mark.parametrize("quality", range(1, 101))
def test_is_exact_for_every_quality_of_libjpeg(quality: int) -> None:
    table = libjpeg_table(quality)

    assert table == luminance_table(quality)
    assert estimate_quality(table) == quality


def test_is_exact_where_steps_above_255_were_allowed() -> None:
    extended = tuple((step * (5000 // 7) + 50) // 100 for step in luminance_table(50))

    assert max(extended) > 255
    assert estimate_quality(extended) == 7


def test_small_departures_from_a_table_do_not_change_the_estimate() -> None:
    table = tuple(step + (-1) ** index for index, step in enumerate(luminance_table(40)))

    assert estimate_quality(table) == 40


def test_orders_the_tables_of_another_encoder() -> None:
    names = ("web_low", "web_medium", "web_high", "web_very_high", "web_maximum")
    tables: list[Any] = [presets[name]["quantization"] for name in names]
    estimates = [estimate_quality(tuple(luminance)) for luminance, *_ in tables]

    assert estimates == sorted(estimates)
    assert len(set(estimates)) == len(estimates)


def test_coarser_flat_tables_never_get_a_higher_quality() -> None:
    estimates = [estimate_quality((step,) * 64) for step in range(1, 256)]

    assert estimates == sorted(estimates, reverse=True)
    assert estimates[0] == 100


def test_tables_with_zero_or_huge_steps_get_an_estimate_nevertheless() -> None:
    assert estimate_quality((0,) * 64) == 100
    assert estimate_quality((65535,) * 64) == 1
