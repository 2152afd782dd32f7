"""The wheel: built without network, complete, and usable from where it is unpacked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    "dirac_enhance": ROOT / "dirac_enhance",
    "dirac_enhance_weights": ROOT / "weights",
    **{path.name: path for path in (ROOT / "plugins").glob("dirac_enhance_*")},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that the working tree stays clean."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for folder in ("dirac_enhance", "plugins", "weights"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    finished = subprocess.run(
        [sys.executable, "-c", code, str(built)], cwd=copy, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    (path,) = built.glob("dirac_enhance-*-py3-none-any.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("package", SOURCES)
def test_every_module_is_in_the_wheel(unpacked: Path, package: str) -> None:
    missing = [
        path
        for path in SOURCES[package].rglob("*.py")
        if not (unpacked / package / path.relative_to(SOURCES[package])).is_file()
    ]

    assert not missing, "name the package in [tool.setuptools] packages"


def test_nothing_else_is_in_the_wheel(unpacked: Path) -> None:
    folders = {path.name for path in unpacked.iterdir()}

    assert {name for name in folders if not name.endswith(".dist-info")} == set(SOURCES)


def test_the_weights_are_in_the_wheel_as_the_manifest_says(unpacked: Path) -> None:
    weights = unpacked / "dirac_enhance_weights"
    manifest = json.loads((weights / "manifest.json").read_text())

    assert "jpeg" in [row["codec_id"] for row in manifest["weights"]]
    for row in manifest["weights"]:
        content = (weights / row["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert len(content) == row["bytes"] <= 25_000_000
        assert (weights / row["file"]).with_suffix(".md").is_file(), "each weights file has a card"


def test_licences_and_type_marker_are_in_the_wheel(unpacked: Path) -> None:
    (information,) = unpacked.glob("*.dist-info")
    metadata = Parser().parsestr((information / "METADATA").read_text(encoding="utf-8"))

    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE", "weights/LICENSE"]
    assert metadata["Requires-Python"] == "<3.13,>=3.10"
    assert (unpacked / "dirac_enhance" / "py.typed").is_file()
    assert (unpacked / "dirac_enhance_weights" / "LICENSE").is_file()


def test_the_published_figures_are_in_the_wheel(unpacked: Path) -> None:
    name = Path("dirac_enhance", "bench", "published.json")

    assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_unpacked_wheel_finds_its_codecs_and_weights(unpacked: Path, tmp_path: Path) -> None:
    code = """
import dirac_enhance
host = dirac_enhance.load_host()
assert not host.failures, host.failures
print(dirac_enhance.__file__, host.codec("jpeg").weights.path, sep="\\n")
"""
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert all(Path(line).is_relative_to(unpacked) for line in finished.stdout.splitlines())
