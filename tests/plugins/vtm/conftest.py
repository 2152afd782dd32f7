"""Streams made with VTM 17.0, programs that stand in for it, and a temporary folder that must be empty afterwards."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.reference_software import BUILD_DIR_VARIABLE, CONFIG_VARIABLE

_FIXTURES = Path(__file__).parent / "fixtures"
_CONFIGURED = {name: os.environ.get(name, "") for name in (BUILD_DIR_VARIABLE, CONFIG_VARIABLE)}

Fake = Callable[..., Path]


@dataclass(frozen=True)
class Stream:
    """A stream of a drawn picture, and what is known of it."""

    name: str
    data: bytes
    facts: dict[str, Any]


STREAMS = {
    facts["file"].removesuffix(".bin"): Stream(facts["file"], (_FIXTURES / facts["file"]).read_bytes(), facts)
    for facts in json.loads((_FIXTURES / "fixtures.json").read_text())
}


@pytest.fixture
def stream() -> Callable[[str], Stream]:
    """Return the stream whose name starts like this."""

    def find(start: str) -> Stream:
        (name,) = [name for name in STREAMS if name.startswith(start)]
        return STREAMS[name]

    return find


@pytest.fixture(params=list(STREAMS))
def any_stream(request: pytest.FixtureRequest) -> Stream:
    """Each stream in turn."""
    return STREAMS[request.param]


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a VTM that is configured on this machine."""
    for name in _CONFIGURED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def real_vtm() -> VtmCodec:
    """The codec with the VTM that is configured on this machine."""
    missing = [name for name, value in _CONFIGURED.items() if not value]
    if missing:
        pytest.skip(f"needs VTM: {' and '.join(missing)} not set")
    return VtmCodec(build_dir=_CONFIGURED[BUILD_DIR_VARIABLE], config=_CONFIGURED[CONFIG_VARIABLE], decoder="vtm")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put temporary files into a folder of their own, and check that none is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    assert not list(folder.rglob("*"))


@pytest.fixture
def build_dir(tmp_path: Path) -> Path:
    """A folder for programs of VTM, with the configuration where its source tree has it."""
    (tmp_path / "vtm" / "bin").mkdir(parents=True)
    (tmp_path / "vtm" / "cfg").mkdir()
    (tmp_path / "vtm" / "cfg" / "encoder_intra_vtm.cfg").write_text("QP : 32\n")
    return tmp_path / "vtm" / "bin"


@pytest.fixture
def fake(build_dir: Path) -> Fake:
    """Write a program of VTM, in Python; `argument("-b")` in it is what follows -b on its command line."""

    def write(name: str, body: str) -> Path:
        path = build_dir / name
        head = """\
            import os, sys, time, shutil, subprocess, signal
            def argument(name): return sys.argv[sys.argv.index(name) + 1]
            """
        path.write_text(f"#!{sys.executable} -SE\n{dedent(head)}\n{dedent(body)}")
        path.chmod(0o755)
        return path

    return write
