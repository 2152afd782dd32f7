"""SwinT-ChARM's table: coded files measured, curves cut and compared, and a record put into a page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import swint_charm
import swint_charm_pages
from benchmark_scripts import present, run_script
from swint_charm_pages import Curve
from tiny_swint_charm import write_weights

LOW = Curve("low", (0.1, 0.2, 0.4, 0.8), (26.0, 29.0, 32.0, 35.0))


def halved(curve: Curve) -> Curve:
    """The same PSNR for half the bits."""
    return Curve("half", tuple(bits / 2 for bits in curve.bits_per_pixel), curve.psnr)


def test_half_the_bits_are_a_rate_of_minus_fifty_percent() -> None:
    assert swint_charm_pages.bd_rate(halved(LOW), LOW) == pytest.approx(-50)
    assert swint_charm_pages.bd_rate(LOW, halved(LOW)) == pytest.approx(100)


def test_a_curve_is_interpolated_over_the_logarithm_of_the_rate_and_never_continued() -> None:
    assert LOW.at(0.2) == 29
    assert LOW.at(0.4 / 2**0.5) == pytest.approx(30.5)
    assert LOW.at(0.09) is None
    assert LOW.at(0.9) is None


def test_a_curve_is_cut_to_a_range_with_its_ends_interpolated() -> None:
    cut = LOW.within(0.2 * 2**0.5, 2.0)
    assert cut.bits_per_pixel == pytest.approx((0.2 * 2**0.5, 0.4, 0.8))
    assert cut.psnr == pytest.approx((30.5, 32, 35))


def test_published_curves_rise_and_name_their_source() -> None:
    curves, rates = swint_charm_pages.read_published()
    for curve in curves:
        assert list(curve.bits_per_pixel) == sorted(curve.bits_per_pixel)
        assert list(curve.psnr) == sorted(curve.psnr)
    stored = json.loads(swint_charm_pages.PUBLISHED.read_text(encoding="utf-8"))
    assert all(each["source"] for each in [*stored["curves"], *rates])


def test_pictures_are_measured_and_the_record_fills_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    y, x = np.mgrid[0:64, 0:96]
    Image.fromarray(np.stack([x * 2, y * 3, x + y], axis=2).astype(np.uint8)).save(folder / "slope.png")
    weights = write_weights(tmp_path / "codec.safetensors")
    options = ["--weights", weights, "--rates", "0.001,0.05", "--device", "cpu"]
    _, record = run_script(swint_charm.main, tmp_path, folder, *options)
    rows = record["rows"]
    assert [row["rate_factor"] for row in rows if row["codec"] == "swint-charm"] == [0.001, 0.05]
    assert [row["quality"] for row in rows if row["codec"] == "jpeg"] == list(range(1, 96))
    row = rows[1]
    assert row["bits_per_pixel"] == pytest.approx(8 * row["pictures"]["slope.png"]["bytes"] / (64 * 96), rel=1e-4)
    assert row["psnr"] > rows[0]["psnr"]

    text, pictures = present(tmp_path, "rate and distortion")
    assert f"| 0.05 | {row['bits_per_pixel']:.3f} | {row['psnr']:.2f} |" in text
    assert record["codec_weights"]["sha256"][:12] in text
    assert pictures == ["swint_charm.png"]


def test_rates_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(swint_charm.main, [str(tmp_path), "--rates", "low,high"])
    assert result.exit_code == 2
    assert "not a list of numbers" in result.output
