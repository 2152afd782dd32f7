"""The codec with its shipped weights: installed, nearer than JPEG, and found by every command without options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from coded_portrait import draw_portrait
from dirac_enhance import bundled_weights, load_host
from dirac_enhance.cli.group import build_group
from dirac_enhance.metrics import psnr, round_to_8_bits
from dirac_enhance_swint_charm import SwintCharmCodec
from dirac_enhance_swint_charm.training.validation import JpegCurve


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crop of the portrait that comes with scikit-image."""
    from skimage import data

    file = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(data.astronaut()[:192, 100:356]).save(file)
    return file


def run(*arguments: object) -> str:
    result = CliRunner().invoke(build_group(load_host()), [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("rate_factor", [0.0015, 0.006])
def test_a_picture_is_nearer_than_jpeg_of_the_same_size(photo: Path, rate_factor: float) -> None:
    with Image.open(photo) as opened:
        samples = np.array(opened)
    original = torch.from_numpy(samples).permute(2, 0, 1).float() / 255
    codec = SwintCharmCodec(device="cpu")
    coded = codec.encode(original, rate_factor=rate_factor)
    base = codec.decode(coded)
    gained = psnr(round_to_8_bits(base.pixels[None]), original[None]).item() - JpegCurve.measure(samples).psnr_within(
        len(coded)
    )
    assert gained > 1
    assert base.rate_factor == pytest.approx(rate_factor, rel=0.01)


def test_every_command_finds_them(photo: Path, tmp_path: Path) -> None:
    coded, decoded = tmp_path / "photo.dsc", tmp_path / "decoded.png"
    told = run("encode", photo, "--codec", "swint-charm", "--bpp", "0.3", "-o", coded)
    assert "bpp" in told
    assert 8 * coded.stat().st_size / (192 * 256) == pytest.approx(0.3, rel=0.03)
    run("decode", coded, "-o", decoded)
    with Image.open(decoded) as opened:
        assert opened.size == (256, 192)
    assert "swint-charm" in run("info", coded)
    assert "swint-charm-codec.safetensors" in run("codecs")


def test_the_enhancer_of_a_fresh_file_goes_from_fidelity_to_realism_within_its_thresholds(tmp_path: Path) -> None:
    photo, coded = tmp_path / "photo.png", tmp_path / "photo.dsc"
    levels = draw_portrait(128, 128, left=228).mul(255).round().byte()
    Image.fromarray(levels.permute(1, 2, 0).numpy()).save(photo)
    run("encode", photo, "--codec", "swint-charm", "--rate-factor", "0.0008", "-o", coded)
    run("decode", coded, "-o", tmp_path / "base.png")
    on = ("--device", "cpu", "--precision", "float32")
    run(coded, "--steps", "1", *on, "-o", tmp_path / "faithful.png")
    run(coded, "--steps", "100", *on, "-o", tmp_path / "realistic.png")
    run(coded, "--steps", "100", "--no-thresholding", *on, "-o", tmp_path / "unlimited.png")
    base, faithful, realistic, unlimited = (
        read_levels(tmp_path / f"{name}.png") for name in ("base", "faithful", "realistic", "unlimited")
    )

    assert base.shape == faithful.shape == realistic.shape == (3, 128, 128)
    for one, other in ((base, faithful), (base, realistic), (faithful, realistic)):
        assert (one - other).abs().mean() > 0.2
    assert (realistic - unlimited).abs().max() > 2, "residuals at this rate factor reach beyond their threshold"


def test_the_enhancer_holds_thresholds_for_twenty_rates_from_end_to_end() -> None:
    weights = bundled_weights("swint-charm")
    assert weights is not None
    thresholds = weights.metadata().thresholds
    assert thresholds is not None
    rates, limits = zip(*thresholds, strict=True)

    assert len(rates) == 20
    assert list(rates) == sorted(rates)
    assert (rates[0] < 0.001, rates[-1] > 0.025) == (True, True)
    assert max(limits) == max(limits[:3]), "residuals are the larger, the lower the rate"
    assert all(0 < limit < 0.6 for limit in limits)


def read_levels(file: Path) -> torch.Tensor:
    """Return (3, H, W) float32 8-bit levels."""
    with Image.open(file) as opened:
        return torch.from_numpy(np.array(opened)).permute(2, 0, 1).float()
