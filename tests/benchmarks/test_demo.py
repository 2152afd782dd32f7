"""`make demo`: with the shipped weights, the enhanced picture is nearer to the photograph than the JPEG."""

from __future__ import annotations

import re
from pathlib import Path

import numpy
import pytest
from PIL import Image

import demo


@pytest.fixture
def photograph() -> Image.Image:
    pytest.importorskip("skimage")
    return demo.bundled_photograph()


def test_the_demo_s_result_is_nearer_to_the_photograph_and_it_says_by_how_much(
    photograph: Image.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.main([str(tmp_path / "pictures")])

    printed = capsys.readouterr().out
    names = ("coffee-q10.jpg", "coffee-q10.enhanced.png", "side-by-side.png")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == set(names)
    assert all(f"{tmp_path / 'pictures' / name}  (" in printed for name in names)
    jpeg, enhanced = (_psnr(tmp_path / "pictures" / name, photograph) for name in names[:2])
    assert enhanced > jpeg
    assert re.findall(r"PSNR ([\d.]+) dB", printed) == [f"{jpeg:.2f}", f"{enhanced:.2f}"]
    assert f"{enhanced - jpeg:+.2f})" in printed


def _psnr(path: Path, photograph: Image.Image) -> float:
    """From the formula, in 8-bit levels."""
    with Image.open(path) as picture:
        samples = numpy.asarray(picture.convert("RGB"), dtype=numpy.float64)
    squared = numpy.square(samples - numpy.asarray(photograph, dtype=numpy.float64))
    return float(10 * numpy.log10(255**2 / squared.mean()))
