"""`dirac-enhance compare A B`: the metrics, and what is said where one cannot be measured."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from click.testing import Result
from PIL import Image
from torchvision import models

from dirac_enhance import ImageMetadata
from dirac_enhance.comparison import TORCHVISION_ALEXNET
from dirac_enhance.image import OutputSettings, write_image
from small_pictures import save_turned

Run = Callable[..., Result]
Samples = numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]


@pytest.fixture(autouse=True)
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torch hub's cache, empty."""
    home = tmp_path_factory.mktemp("torch")
    monkeypatch.setenv("TORCH_HOME", str(home))
    return home / "hub" / "checkpoints"


@pytest.fixture(scope="session")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AlexNet's features with random weights, as torchvision names them."""
    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = models.alexnet(weights=None).features.state_dict()
    state = {f"features.{name}": 0.05 * torch.randn(tensor.shape) for name, tensor in shapes.items()}
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two PNGs, 48×40: noise, and the same with four levels added to each sample."""
    samples = numpy.random.default_rng(2).integers(0, 250, (40, 48, 3), dtype=numpy.uint8)
    return _save(tmp_path / "a.png", samples), _save(tmp_path / "b.png", samples + numpy.uint8(4))


def _save(path: Path, samples: Samples) -> Path:
    Image.fromarray(samples).save(path)
    return path


def test_distances_are_printed_and_what_is_missing_is_named(run: Run, pair: tuple[Path, Path], hub: Path) -> None:
    result = run("compare", *pair)

    psnr, ssim, lpips = result.stdout.splitlines()
    assert result.exit_code == 0
    assert psnr == f"PSNR   {20 * math.log10(255 / 4):.2f} dB"
    assert ssim.startswith("SSIM   0.99")
    assert lpips == (
        f"LPIPS  not measured: there is no '{hub / TORCHVISION_ALEXNET}', where torch hub keeps AlexNet;"
        " pass torchvision's AlexNet weights with --lpips-backbone FILE"
    )


def test_lpips_is_measured_with_the_backbone_given_or_cached(
    run: Run, pair: tuple[Path, Path], alexnet: Path, hub: Path
) -> None:
    given = json.loads(run("compare", *pair, "--json", "--lpips-backbone", alexnet).stdout)
    hub.mkdir(parents=True)
    (hub / TORCHVISION_ALEXNET).write_bytes(alexnet.read_bytes())
    cached = json.loads(run("compare", *pair, "--json").stdout)

    assert given["lpips"] > 0
    assert given == cached
    assert given["missing"] == {}
    assert run("compare", *pair).stdout.splitlines()[2] == f"LPIPS  {given['lpips']:.4f}"


def test_equal_pictures_are_said_to_be(run: Run, pair: tuple[Path, Path], alexnet: Path) -> None:
    arguments = ("compare", pair[0], pair[0], "--lpips-backbone", alexnet)

    assert run(*arguments).stdout == "PSNR   equal pictures\nSSIM   1.0000\nLPIPS  0.0000\n"
    values = json.loads(run(*arguments, "--json").stdout, parse_constant=pytest.fail)
    assert values == {"psnr": None, "ssim": 1.0, "lpips": 0.0, "missing": {}}


def test_coded_file_is_compared_as_its_codec_decodes_it_upright(run: Run, photo: Path) -> None:
    save_turned(photo, 8)
    run("decode", photo)

    assert "PSNR   equal pictures" in run("compare", photo, photo.with_name("photo.decoded.png")).stdout


def test_small_pictures_have_no_ssim_and_no_lpips(run: Run, tmp_path: Path, alexnet: Path) -> None:
    tiny = _save(tmp_path / "tiny.png", numpy.zeros((1, 1, 3), numpy.uint8))

    lines = run("compare", tiny, tiny, "--lpips-backbone", alexnet).stdout.splitlines()

    assert lines[0] == "PSNR   equal pictures"
    assert lines[1].startswith("SSIM   not measured: pictures of shape (1, 3, 1, 1)")
    assert lines[2].startswith("LPIPS  not measured: pictures of shape (1, 3, 1, 1)")


def test_missing_package_is_named(run: Run, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)

    ssim = run("compare", *pair).stdout.splitlines()[1]

    assert ssim == "SSIM   not measured: SSIM needs pytorch-msssim; run `pip install 'dirac-enhance[metrics]'`"


def test_different_colour_profiles_are_warned_of(
    run: Run, pair: tuple[Path, Path], swapped_profile: bytes, tmp_path: Path
) -> None:
    with Image.open(pair[1]) as picture:
        picture.save(tmp_path / "c.png", icc_profile=swapped_profile)

    assert run("compare", *pair).stderr == ""
    assert run("compare", pair[0], tmp_path / "c.png").stderr == (
        "Warning: the colour profiles differ (none and Swap built-in); samples are compared as stored\n"
    )


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["a.png"], 2, "Missing argument 'B'"),
        (["a.png", "missing.png"], 1, "there is no file"),
        (["a.png", "wide.png"], 1, "a.png' has 48×40 and '{folder}/wide.png' 50×40 pixels; only pictures of one size"),
        (["a.png", "notes.txt"], 1, "notes.txt' is not an image that Pillow can read"),
        (["a.png", "b.png", "--lpips-backbone", "missing.pth"], 1, "no weights at {folder}/missing.pth"),
        (["a.png", "b.png", "--lpips-backbone", "notes.txt"], 1, "cannot read weights from {folder}/notes.txt"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, pair: tuple[Path, Path], arguments: list[str], exit_code: int, message: str
) -> None:
    folder = pair[0].parent
    (folder / "notes.txt").write_bytes(b"plain text")
    _save(folder / "wide.png", numpy.zeros((40, 50, 3), numpy.uint8))

    result = run("compare", *(each if each.startswith("--") else folder / each for each in arguments))

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert [line[:7] for line in result.stderr.splitlines()].count("Error: ") == 1
    assert message.format(folder=folder) in result.stderr.splitlines()[-1]


def test_a_picture_of_16_bits_is_rounded_to_the_nearest_level(run: Run, tmp_path: Path) -> None:
    levels = torch.arange(255.0).repeat(3, 4, 1)
    for name, pixels, depth in (("deep.png", (levels + 0.4) / 255, 16), ("plain.png", levels / 255, 8)):
        settings = OutputSettings(depth=depth)  # type: ignore[arg-type]
        write_image(tmp_path / name, pixels, metadata=ImageMetadata(), output=settings)

    assert json.loads(run("compare", tmp_path / "deep.png", tmp_path / "plain.png", "--json").stdout)["psnr"] is None
