"""`dirac-enhance info FILE…`: what is said of a file, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dirac_enhance import CodecHost, WeightsFile
from dirac_enhance.cli.group import build_group
from small_pictures import save_turned

Run = Callable[..., Result]
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


@pytest.fixture
def described(photo: Path, swapped_profile: bytes) -> Path:
    """The photo with all the metadata a JPEG may have."""
    save_turned(photo, 6, quality=20, icc_profile=swapped_profile, dpi=(300, 150), xmp=XMP, progressive=True)
    return photo


def test_everything_of_a_file_is_told(run: Run, described: Path, weights: WeightsFile) -> None:
    size = described.stat().st_size

    assert run("info", described).stdout == (
        f"{described}\n"
        "  codec               jpeg (dirac-enhance 1.0)\n"
        "  size                56×40, RGB, 8 bits per sample\n"
        f"  coded               {size:,} bytes, {8 * size / (56 * 40):.3f} bpp\n"
        "  rate factor         20\n"
        "  colour model        YCbCr\n"
        "  coding              progressive\n"
        "  chroma subsampling  4:2:0\n"
        "  colour profile      Swap built-in\n"
        f"  EXIF                {len(_exif(described))} bytes\n"
        f"  XMP                 {len(XMP)} bytes\n"
        "  resolution          300×150 dpi\n"
        "  orientation         6 (top at the right)\n"
        f"  weights             jpeg.safetensors, sha256 {str(weights.sha256)[:12]}…\n"
    )


def _exif(path: Path) -> bytes:
    with Image.open(path) as picture:
        return bytes(picture.info["exif"]).removeprefix(b"Exif\0\0")


def test_json_has_the_same_facts(run: Run, described: Path, weights: WeightsFile) -> None:
    size = described.stat().st_size

    (file,) = json.loads(run("info", "--json", described).stdout)

    assert file == {
        "file": str(described),
        "codec": "jpeg",
        "plugin": "dirac-enhance 1.0",
        "width": 56,
        "height": 40,
        "orientation": 6,
        "bits_per_sample": 8,
        "grayscale": False,
        "alpha": False,
        "coded_bytes": size,
        "bits_per_pixel": 8 * size / (56 * 40),
        "rate_factor": 20.0,
        "details": {"colour model": "YCbCr", "coding": "progressive", "chroma subsampling": "4:2:0"},
        "icc_profile": "Swap built-in",
        "exif_bytes": len(_exif(described)),
        "xmp_bytes": len(XMP),
        "dpi": [300.0, 150.0],
        "weights": {"file": "jpeg.safetensors", "sha256": weights.sha256, "problem": None},
    }


def test_file_without_metadata_says_so(run: Run, photo: Path) -> None:
    text = run("info", photo).stdout

    assert "  colour profile      none, so sRGB\n  EXIF                none\n  XMP                 none\n" in text
    assert "  resolution          not given\n  orientation         1 (upright)\n" in text


def test_damaged_profile_is_no_obstacle(run: Run, photo: Path) -> None:
    with Image.open(photo) as picture:
        picture.save(photo, icc_profile=b"damaged")

    assert "  colour profile      unreadable\n" in run("info", photo).stdout


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (WeightsFile(Path("gone.safetensors")), "cannot read the weights 'gone.safetensors': there is no such file"),
        (None, "no enhancer weights for codec 'jpeg'; train one with `dirac-enhance train --codec jpeg`"),
    ],
)
def test_weights_that_cannot_be_used_are_told_of(
    host: CodecHost, photo: Path, monkeypatch: pytest.MonkeyPatch, weights: WeightsFile | None, problem: str
) -> None:
    monkeypatch.setattr("dirac_enhance.weights.bundled_weights", lambda _: None)

    result = _info(replace(host, codecs={"jpeg": replace(host.codecs["jpeg"], weights=weights)}), photo)

    assert result.exit_code == 0
    assert f"  weights             none that can be used: {problem}" in result.stdout


def test_damaged_weights_are_told_of(host: CodecHost, photo: Path, weights: WeightsFile) -> None:
    other = replace(weights, sha256="0" * 64)

    result = _info(replace(host, codecs={"jpeg": replace(host.codecs["jpeg"], weights=other)}), photo, "--json")

    (file,) = json.loads(result.stdout)
    assert file["weights"]["sha256"] is None
    assert f"has sha256 {weights.sha256}, but {'0' * 64} was expected" in file["weights"]["problem"]


def _info(host: CodecHost, *arguments: Any) -> Result:
    return CliRunner().invoke(build_group(host), ["info", *map(str, arguments)])


def test_bad_file_among_several_is_reported_and_the_rest_goes_on(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_bytes(b"plain text")

    result = run("info", "--json", tmp_path / "notes.jpg", photo, tmp_path / "missing.jpg")

    assert result.exit_code == 1
    assert [Path(file["file"]).name for file in json.loads(result.stdout)] == ["photo.jpg"]
    errors = result.stderr.splitlines()
    assert len(errors) == 2
    assert "notes.jpg': the file's content is of no known codec" in errors[0]
    assert "there is no file" in errors[1]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ([], 2, "Missing argument 'FILE...'"),
        (["photo.jpg", "--codec", "vvc"], 1, "unknown codec 'vvc'"),
        (["album"], 1, "album' is a folder"),
    ],
)
def test_bad_input_is_one_line(run: Run, photo: Path, arguments: list[str], exit_code: int, message: str) -> None:
    (photo.parent / "album").mkdir()
    paths = [str(photo.parent / each) if each in ("photo.jpg", "album") else each for each in arguments]

    result = run("info", *paths)

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr.splitlines()[-1]


def test_decoded_pixels_are_said_to_be_that(run: Run, photo: Path) -> None:
    frame = photo.with_name("frame.png")
    with Image.open(photo) as picture:
        picture.save(frame)

    lines = run("info", frame, "--enhancer", "jpeg").stdout.splitlines()

    assert "  coded           no: decoded pixels, told to carry this codec's artefacts" in lines
    assert "  rate factor     unknown" in lines
