"""Broken plugins on the command line: each is named with its distribution, and the others go on."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from dirac_enhance import BaseReconstruction, CodecHost, InvalidBitstreamError, RegisteredCodec
from dirac_enhance.cli.group import build_group
from dirac_enhance_jpeg import JpegCodec

Run = Callable[..., Result]

_HOOK = "from dirac_enhance import hookimpl\n@hookimpl\ndef register_codecs(register):\n    "
_COMMANDS = "from dirac_enhance import hookimpl\n@hookimpl\ndef register_commands(group):\n    "
_PLUGINS = {
    "absent": (
        "import a_library_that_is_not_there",
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there'",
    ),
    "exits": ("import sys; sys.exit('no binary')", "SystemExit: no binary"),
    "raises": (f"{_HOOK}raise ValueError('no luck')", "ValueError: no luck"),
    "signature": (_HOOK.replace("register):", "registry):") + "pass", "{'registry'} are declared in the hookimpl"),
    "misspelled": (_HOOK.replace("codecs", "codec") + "pass", "unknown hook 'register_codec'"),
    "twice": (
        f"{_HOOK}from dirac_enhance_jpeg import JpegCodec; register(JpegCodec())",
        "DuplicateCodecError: codec 'jpeg' is registered by both dirac-enhance and dist-twice",
    ),
}
_WITHOUT_COMMANDS = {
    "grumbles": (f"{_COMMANDS}raise ValueError('no terminal')", "ValueError: no terminal"),
    "leaves": (f"{_COMMANDS}raise SystemExit(2)", "SystemExit: 2"),
    "text": (f"{_COMMANDS}group.add_command('dance')", "AttributeError: 'str' object has no attribute 'name'"),
    "clash": (f"{_COMMANDS}import click; group.add_command(click.Command('train'))", "the command 'train' is already"),
}


def _install(folder: Path, name: str, source: str) -> None:
    (folder / f"plugin_{name}.py").write_text(source)
    information = folder / f"dist_{name}-0.3.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 0.3\n")
    (information / "entry_points.txt").write_text(f"[dirac_enhance]\n{name} = plugin_{name}\n")


def test_installed_broken_plugins_are_all_named_and_stop_nothing(tmp_path: Path) -> None:
    for name, (source, _) in (_PLUGINS | _WITHOUT_COMMANDS).items():
        _install(tmp_path, name, source)
    searched = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])

    done = subprocess.run(
        [sys.executable, "-m", "dirac_enhance", "codecs"],
        env={**os.environ, "PYTHONPATH": searched},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("jpeg (dirac-enhance ")
    failed = done.stdout.partition("Failed to load:\n")[2].splitlines()
    assert len(failed) == len(_PLUGINS)
    for name, (_, reason) in _PLUGINS.items():
        (line,) = (line for line in failed if line.startswith(f"  {name} (dist-{name} 0.3): "))
        assert reason in line
    warned = done.stderr.splitlines()
    assert len(warned) == len(_WITHOUT_COMMANDS)
    for name, (_, reason) in _WITHOUT_COMMANDS.items():
        (line,) = (line for line in warned if f"no commands from plugin '{name}' of dist-{name}: " in line)
        assert reason in line


class _Broken(JpegCodec):
    """Takes files of "BAD", and JPEGs as well, unless it fails before."""

    id = "broken"
    file_suffixes = (".bad",)

    def detect(self, header: bytes) -> bool:
        return header.startswith(b"BAD")


class _FailsToDetect(_Broken):
    def detect(self, header: bytes) -> bool:
        raise IndexError("header")


class _DecodesToNaN(_Broken):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.full((3, 8, 8), float("nan")), coded_bytes=len(data))


class _DecodesToAnotherShape(_Broken):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.zeros(8, 8, 3), coded_bytes=len(data))


class _Exits(_Broken):
    def decode(self, data: bytes) -> BaseReconstruction:
        sys.exit(1)


class _FailsToEncode(_Broken):
    def encode(self, pixels: torch.Tensor, *, rate_factor: float) -> bytes:
        raise ZeroDivisionError("no bits")


class _EncodesToText(_Broken):
    def encode(self, pixels: torch.Tensor, *, rate_factor: float) -> Any:
        return "bits"


class _DecodesToAnotherSize(_Broken):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.zeros(3, 8, 16), coded_bytes=len(data))


class _CannotReadItself(_Broken):
    def decode(self, data: bytes) -> BaseReconstruction:
        raise InvalidBitstreamError("no marker")


@pytest.fixture
def broken() -> type[_Broken]:
    return _Broken


@pytest.fixture
def host(host: CodecHost, broken: type[_Broken]) -> CodecHost:
    """The command line's host with a broken codec beside the JPEG codec."""
    registered = RegisteredCodec(broken(), host.codecs["jpeg"].weights, "dist-broken", "0.3")
    return replace(host, codecs={**host.codecs, "broken": registered}, failures={})


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (_DecodesToNaN, "broke its contract: it decoded to pixels from nan to nan, expected 0 to 1"),
        (_DecodesToAnotherShape, "broke its contract: pixels of shape (8, 8, 3)"),
        (_Exits, "failed: SystemExit: 1"),
    ],
)
def test_codec_that_decodes_wrongly_is_named_and_other_files_go_on(run: Run, photo: Path, fault: str) -> None:
    bad = photo.with_name("picture.bad")
    bad.write_bytes(b"BAD")

    result = run(bad, photo)

    assert result.exit_code == 1
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert f"picture.bad': codec 'broken' from dist-broken 0.3 {fault}" in error
    assert sorted(path.name for path in photo.parent.iterdir()) == ["photo.enhanced.png", "photo.jpg", "picture.bad"]


@pytest.mark.parametrize("broken", [_FailsToDetect])
def test_codec_that_fails_to_detect_is_named_once_and_other_codecs_go_on(run: Run, photo: Path) -> None:
    second = photo.with_name("second.jpg")
    second.write_bytes(photo.read_bytes())

    result = run(photo, second)

    assert result.exit_code == 0
    (warning,) = (line for line in result.stderr.splitlines() if line.startswith("Warning: "))
    assert "codec 'broken' from dist-broken 0.3 failed to look at a file and is left out: IndexError: header" in warning


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (_FailsToEncode, "failed to encode: ZeroDivisionError: no bits; tell the plugin's authors"),
        (_EncodesToText, "broke its contract: it encoded to 'bits', expected the bytes of a file"),
        (_Exits, "failed: SystemExit: 1; tell the plugin's authors"),
        (_DecodesToNaN, "broke its contract: it decoded to pixels from nan to nan, expected 0 to 1"),
        (_DecodesToAnotherShape, "broke its contract: pixels of shape (8, 8, 3)"),
        (_DecodesToAnotherSize, "broke its contract: it coded 48×48 pixels and decoded 16×8"),
        (_CannotReadItself, "broke its contract: it cannot decode what it encoded at rate factor"),
    ],
)
def test_training_ends_with_one_line_that_names_the_plugin(
    run: Run, photographs: Path, tmp_path: Path, fault: str
) -> None:
    settings = ("--network", "tiny", "--crop-size", "32", "--batch-size", "1", "--workers", "0", "--lpips-weight", "0")
    where = ("--data", photographs, "-o", tmp_path / "run", "--device", "cpu", "--iterations", "1")

    result = run("train", "--codec", "broken", *where, *settings)

    assert result.exit_code == 1
    (error,) = result.stderr.splitlines()
    assert error.startswith(f"Error: codec 'broken' from dist-broken 0.3 {fault}")


_UNABLE = """
from dirac_enhance_jpeg import JpegCodec

class UnableCodec(JpegCodec):
    id = "broken"
    def encode(self, pixels, *, rate_factor):
        raise ZeroDivisionError("no bits")
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_making_pairs_ends_with_one_line_that_names_the_plugin(
    host: CodecHost, photographs: Path, tmp_path: Path, jobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"unable_{jobs}.py").write_text(_UNABLE)  # where the child processes can import it
    monkeypatch.syspath_prepend(tmp_path)
    codec = importlib.import_module(f"unable_{jobs}").UnableCodec()
    broken = replace(host, codecs={"broken": replace(host.codecs["broken"], codec=codec)})
    where = (str(photographs), "--codec", "broken", "-o", str(tmp_path / "pairs"))

    arguments = ["make-pairs", *where, "--count", "2", "--crop-size", "32", "--jobs", jobs]
    result = CliRunner().invoke(build_group(broken), arguments)

    assert result.exit_code == 1
    (error,) = result.stderr.splitlines()
    assert "codec 'broken' from dist-broken 0.3 failed to encode: ZeroDivisionError: no bits" in error


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    samples = numpy.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=numpy.uint8)
    Image.fromarray(samples).resize((64, 64), Image.Resampling.BICUBIC).save(folder / "one.png")
    return folder
