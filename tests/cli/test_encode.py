"""`dirac-enhance encode FILE`: at a rate factor or to a size, in sRGB, upright."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dirac_enhance import BaseReconstruction, CodecHost, CodecOption, InvalidBitstreamError, OptionValue
from dirac_enhance.cli.group import build_group
from dirac_enhance_jpeg import JpegCodec
from small_pictures import save_turned

Run = Callable[..., Result]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A 64×48 PNG with some texture, alone in its folder."""
    samples = numpy.random.default_rng(5).integers(0, 256, (12, 16, 3), dtype=numpy.uint8)
    Image.fromarray(samples).resize((64, 48)).save(tmp_path / "original.png")
    return tmp_path / "original.png"


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rate_factor_is_what_the_file_is_coded_at(run: Run, original: Path) -> None:
    result = run("encode", original, "--codec", "jpeg", "--rate-factor", "30")

    target = original.with_name("original.encoded.jpg")
    expected = io.BytesIO()
    with Image.open(original) as picture:
        picture.save(expected, "JPEG", quality=30, subsampling="4:2:0")
    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    assert target.read_bytes() == expected.getvalue()
    size = len(expected.getvalue())
    assert result.stderr == f"{8 * size / (64 * 48):.4g} bpp, {size:,} bytes, rate factor 30\n"


def test_bits_per_pixel_are_reached_and_reported(run: Run, original: Path) -> None:
    result = run("encode", original, "--codec", "jpeg", "--bpp", "3.0", "-o", original.with_name("small.jpeg"), "-v")

    *attempts, last = result.stderr.splitlines()
    coded = original.with_name("small.jpeg").read_bytes()
    assert result.exit_code == 0
    assert 8 * len(coded) / (64 * 48) == pytest.approx(3.0, rel=0.05)
    assert last.startswith(f"{8 * len(coded) / (64 * 48):.4g} bpp, {len(coded):,} bytes, rate factor ")
    assert JpegCodec().decode(coded).rate_factor == float(last.rpartition(" ")[2])
    assert last in attempts


def test_options_of_the_codec_are_set(run: Run, original: Path) -> None:
    options = ["--codec", "jpeg", "--rate-factor", "50", "--codec-option", "subsampling=4:4:4"]

    assert run("encode", original, *options).exit_code == 0
    coded = original.with_name("original.encoded.jpg").read_bytes()
    assert JpegCodec().decode(coded).details["chroma subsampling"] == "4:4:4"


def test_coded_file_can_be_encoded_again_upright(run: Run, photo: Path) -> None:
    save_turned(photo, 8)

    result = run("encode", photo, "--codec", "jpeg", "--rate-factor", "90", "-o", f"{photo.parent}/again.jpg")

    assert result.exit_code == 0
    with Image.open(photo.with_name("again.jpg")) as again:
        assert again.size == (40, 56)


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--rate-factor", "30"], 2, "Missing option '--codec'"),
        (["--codec", "jpeg"], 2, "pass either --rate-factor R or --bpp TARGET; neither was given"),
        (["--codec", "jpeg", "--rate-factor", "30", "--bpp", "1"], 2, "--bpp TARGET; both were given"),
        (["--codec", "jpeg", "--bpp", "0"], 2, "0.0 is not in the range x>0"),
        (["--codec", "jpeg", "--bpp", "much"], 2, "'much' is not a valid float"),
        (["--codec", "jpeg", "--bpp", "nan"], 1, "nan bpp wanted; expected a number above 0"),
        (["--codec", "jpeg", "--bpp", "0.01"], 1, r"0\.01 bpp is out of reach: this picture takes at least [\d.]+ bpp"),
        (["--codec", "jpeg", "--bpp", "99"], 1, r"99 bpp is out of reach: .* at most [\d.]+ bpp, at rate factor 100"),
        (["--codec", "jpeg", "--rate-factor", "30.5"], 1, r"30\.5 given; expected a whole number from 1 to 100"),
        (["--codec", "jpeg", "--rate-factor", "101"], 1, "101 given; expected a whole number from 1 to 100"),
        (["--codec", "jpg", "--rate-factor", "30"], 1, "unknown codec 'jpg', did you mean 'jpeg'"),
        (["--codec", "auto", "--rate-factor", "30"], 1, "unknown codec 'auto'"),
        (["--codec", "broken", "--rate-factor", "30"], 1, "plugin from dist-broken"),
        (["--codec", "jpeg", "--rate-factor", "30", "--codec-option", "speed=9"], 1, "unknown option 'speed'"),
        (["--codec", "jpeg", "--rate-factor", "30", "-o", "x.png"], 1, r"codec 'jpeg' are not named '\.png'; end the"),
        (["--codec", "jpeg", "--rate-factor", "30", "-o", "missing/x.jpg"], 1, "there is no folder 'missing'"),
    ],
)
def test_bad_option_is_one_line_and_nothing_is_written(
    run: Run, original: Path, options: list[str], exit_code: int, message: str
) -> None:
    _check_refused(run("encode", original, *options), message, exit_code=exit_code)
    assert _files(original.parent) == ["original.png"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.png", None, "there is no file"),
        ("empty.png", b"", "is empty"),
        ("notes.txt", b"plain text", "is not an image that Pillow can read"),
        ("start.jpg", b"\xff\xd8\xff\xe0", "not a whole JPEG"),
    ],
)
def test_file_that_is_no_picture(run: Run, tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    _check_refused(run("encode", tmp_path / name, "--codec", "jpeg", "--rate-factor", "30"), message)
    assert _files(tmp_path) == ([] if content is None else [name])


def _check_refused(result: Result, message: str, *, exit_code: int = 1) -> None:
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert [line[:7] for line in result.stderr.splitlines()].count("Error: ") == 1
    assert re.search(message, result.stderr.splitlines()[-1])


def test_existing_file_is_kept_unless_told_otherwise(run: Run, original: Path) -> None:
    existing = original.with_name("original.encoded.jpg")
    existing.write_bytes(b"old")
    arguments = ("encode", original, "--codec", "jpeg", "--rate-factor", "30")

    _check_refused(run(*arguments), "already exists; pass --overwrite")
    assert existing.read_bytes() == b"old"
    assert run(*arguments, "--overwrite").exit_code == 0
    assert existing.read_bytes().startswith(b"\xff\xd8")


class Breaking(JpegCodec):
    def encode(self, *_: Any, **__: Any) -> bytes:
        raise ZeroDivisionError("no pixels left")


class Wordy(JpegCodec):
    def encode(self, *_: Any, **__: Any) -> Any:
        return "text"


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        (Breaking(), "codec 'jpeg' from dirac-enhance 1.0 failed to encode: ZeroDivisionError: no pixels left; tell"),
        (Wordy(), "broke its contract: it encoded to 'text', expected the bytes of a file"),
    ],
)
def test_broken_encoder_is_named(host: CodecHost, original: Path, codec: JpegCodec, message: str) -> None:
    broken = replace(host, codecs={"jpeg": replace(host.codecs["jpeg"], codec=codec)})
    arguments = ["encode", str(original), "--codec", "jpeg", "--rate-factor", "30"]

    _check_refused(CliRunner().invoke(build_group(broken), arguments), message)
    assert _files(original.parent) == ["original.png"]


class DecodeOnly:
    """A codec that cannot encode."""

    id = "legacy"
    file_suffixes = (".old",)
    options: tuple[CodecOption, ...] = ()

    def with_options(self, **_: OptionValue) -> DecodeOnly:
        return self

    def detect(self, _header: bytes) -> bool:
        return False

    def decode(self, data: bytes) -> BaseReconstruction:
        raise InvalidBitstreamError("always")


def test_codec_that_only_decodes_is_refused(host: CodecHost, original: Path) -> None:
    entry = replace(host.codecs["jpeg"], codec=DecodeOnly())
    legacy = replace(host, codecs={**host.codecs, "legacy": entry})
    arguments = ["encode", str(original), "--codec", "legacy", "--rate-factor", "30"]

    message = "codec 'legacy' only decodes; codecs that encode: jpeg"
    _check_refused(CliRunner().invoke(build_group(legacy), arguments), message)


def test_colours_of_another_space_are_converted_to_srgb(run: Run, tmp_path: Path, swapped_profile: bytes) -> None:
    Image.new("RGB", (32, 32), (255, 0, 0)).save(tmp_path / "red.png", icc_profile=swapped_profile)

    assert run("encode", tmp_path / "red.png", "--codec", "jpeg", "--rate-factor", "95").exit_code == 0

    with Image.open(tmp_path / "red.encoded.jpg") as coded:
        red, green, blue = coded.getpixel((16, 16))  # type: ignore[misc] # three samples
        assert red < 5
        assert green > 250
        assert blue < 5


def test_profile_that_cannot_be_used_is_left_aside_with_a_warning(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (120, 60, 200)).save(tmp_path / "odd.png", icc_profile=b"no profile")

    result = run("encode", tmp_path / "odd.png", "--codec", "jpeg", "--rate-factor", "95")

    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: the picture's colour profile is damaged or not one for RGB; its colours")


@pytest.mark.parametrize("arguments", [("-",), ("{photo}", "-o", "-")])
def test_a_coded_file_goes_to_a_file(run: Run, photo: Path, arguments: tuple[str, ...]) -> None:
    words = [word.format(photo=photo) for word in arguments]

    result = run("encode", *words, "--codec", "jpeg", "--rate-factor", "30")

    assert (result.exit_code, "pass -o FILE" in result.stderr) == (2, True)
