"""Naming peers, and where their parts are looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.restorers.catalogue import find_restorer, restorers
from dirac_enhance.bench.restorers.command import CommandRestorer
from dirac_enhance.bench.restorers.restorer import (
    PeerSettings,
    Restorer,
    SimulatingRestorer,
    peer_settings_from_environment,
)
from dirac_enhance.bench.restorers.spandrel_network import SpandrelRestorer

IDS = ["ar-cnn", "ddrm", "ddrm-mean-8", "dncnn3", "fbcnn", "jpeg-quantsmooth", "jpeg-quantsmooth-6", "jpeg2png", "qgac"]
PAGE = Path(__file__).parents[3] / "benchmarks" / "README.md"


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIRAC_PEERS", "DIRAC_PEERS_PYTHON", "DIRAC_PEER_QGAC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")


def test_all_are_listed_and_found_by_their_names() -> None:
    found = restorers()

    assert [restorer.id for restorer in found] == IDS
    assert all(type(find_restorer(restorer.id)) is type(restorer) for restorer in found)
    assert len({restorer.method for restorer in found}) == len(IDS)


def test_each_is_of_one_kind() -> None:
    for restorer in restorers():
        assert isinstance(restorer, Restorer) != isinstance(restorer, SimulatingRestorer)
        assert (restorer.base == "simulated-jpeg") == isinstance(restorer, SimulatingRestorer)


def test_absent_ones_say_what_is_missing_and_what_to_get() -> None:
    for restorer in restorers():
        absence = restorer.available()
        assert absence is not None
        assert absence.reason.startswith(("there is no ", "no "))
        assert "http" in absence.get


def test_the_guide_names_each() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert not [restorer.id for restorer in restorers() if f"`{restorer.id}`" not in page]
    assert "`spandrel:FILE`" in page
    assert "`command:" in page


def test_any_network_and_any_program_can_be_named() -> None:
    network = find_restorer("spandrel:~/SwinIR.pth", PeerSettings(device="cuda"))
    program = find_restorer("command:mytool {input} {output}", PeerSettings(time_limit=3))

    assert isinstance(network, SpandrelRestorer)
    assert (network.file, network.device) == (Path("~/SwinIR.pth").expanduser(), "cuda")
    assert isinstance(program, CommandRestorer)
    assert (program.command, program.time_limit) == (("mytool", "{input}", "{output}"), 3)


@pytest.mark.parametrize("name", ["fbcn", "spandrel", "spandrel:", ""])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(BenchmarkError, match=rf"unknown peer '{name}'; expected one of ar-cnn, .*spandrel:FILE"):
        find_restorer(name)


def test_the_environment_says_where_peers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert peer_settings_from_environment().checkouts is None
    assert peer_settings_from_environment().python == sys.executable
    monkeypatch.setenv("DIRAC_PEERS", "peers")
    monkeypatch.setenv("DIRAC_PEERS_PYTHON", "/opt/peers/bin/python")
    monkeypatch.setenv("DIRAC_PEER_QGAC", "restore {input} {output}")

    settings = peer_settings_from_environment()

    assert settings.checkouts == Path("peers")
    assert settings.checkout("KAIR") == Path.cwd() / "peers" / "KAIR", "absolute, since peers run elsewhere"
    assert settings.python == "/opt/peers/bin/python"
    qgac = find_restorer("qgac")
    assert isinstance(qgac, CommandRestorer)
    assert qgac.command == ("restore", "{input}", "{output}")


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_time_limit_is_positive(seconds: float) -> None:
    with pytest.raises(BenchmarkError, match="time limit"):
        PeerSettings(time_limit=seconds)
