"""What JpegCodec tells people about a file: chroma subsampling, coding process, colour model."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from dirac_enhance_jpeg import JpegCodec
from dirac_enhance_jpeg.details import subsampling_name


def details(mode: str = "RGB", **options: Any) -> dict[str, str]:
    """Of a picture coded by Pillow."""
    coded = BytesIO()
    Image.new(mode, (64, 64)).save(coded, "JPEG", **options)
    return dict(JpegCodec().decode(coded.getvalue()).details)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_subsampling_and_process_are_those_it_was_coded_with(subsampling: str, progressive: bool) -> None:
    assert details(subsampling=subsampling, progressive=progressive) == {
        "colour model": "YCbCr",
        "coding": "progressive" if progressive else "sequential",
        "chroma subsampling": subsampling,
    }


@pytest.mark.parametrize(
    ("mode", "options", "model"),
    [("L", {}, "grayscale"), ("CMYK", {}, "CMYK"), ("RGB", {"keep_rgb": True}, "RGB")],
)
def test_without_chroma_there_is_no_subsampling(mode: str, options: dict[str, bool], model: str) -> None:
    assert details(mode, **options) == {"colour model": model, "coding": "sequential"}


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        ([(2, 2), (2, 2), (2, 2)], "4:4:4"),
        ([(4, 1), (1, 1), (1, 1)], "4:1:1"),
        ([(1, 2), (1, 1), (1, 1)], "4:4:0"),
        ([(2, 2), (1, 1), (2, 1)], "2×2 1×1 2×1"),
        ([(3, 2), (2, 1), (2, 1)], "3×2 2×1 2×1"),
    ],
)
def test_factors_are_reduced_to_a_name_or_listed(factors: list[tuple[int, int]], name: str) -> None:
    assert subsampling_name(factors) == name
