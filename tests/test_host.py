"""The host over plugins installed for one test: what it finds, isolates, refuses and says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from dirac_enhance import DuplicateCodecError, PluginError, PluginWarning, UnknownCodecError, host, load_host

CODEC = """
from dirac_enhance import check_options, hookimpl

class FakeCodec:
    file_suffixes = (".fake", ".abc")
    options = ()

    def __init__(self, id, magic=b"FAKE"):
        self.id, self.magic = id, magic

    def with_options(self, **values):
        check_options(self.options, values)
        return self

    def detect(self, header):
        return header.startswith(self.magic)

    def decode(self, data):
        raise ValueError
"""
REGISTERS = "\n@hookimpl\ndef register_codecs(register):\n    "

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one plugin module, for as long as the test runs; nothing else is installed."""
    monkeypatch.setattr(host, "entry_points", lambda *, group: _entry_points_below(tmp_path, group))
    monkeypatch.syspath_prepend(tmp_path)

    def install_plugin(name: str, source: str, *, distribution: str | None = None, plugin: str | None = None) -> None:
        distribution = distribution or f"dist-{name}"
        module = f"plugin_{tmp_path.name}_{distribution}_{name}".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(CODEC + source)
        information = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        information.mkdir(exist_ok=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        with (information / "entry_points.txt").open("a") as file:
            file.write(f"[dirac_enhance]\n{name} = {plugin or module}\n")

    return install_plugin


def _entry_points_below(folder: Path, group: str) -> list[object]:
    from importlib.metadata import distributions

    found = distributions(path=[str(folder)])
    return [point for distribution in found for point in distribution.entry_points if point.group == group]


def test_codecs_are_sorted_by_id_and_know_their_distribution(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('zebra')); register(FakeCodec('ant'))")
    install("two", REGISTERS + "register(FakeCodec('mole'))")

    found = load_host()

    assert list(found.codecs) == ["ant", "mole", "zebra"]
    assert (found.codec("mole").distribution, found.codec("mole").version) == ("dist-two", "1.5")
    assert found.codec("mole").weights is None
    assert not found.failures


def test_each_call_makes_a_host_of_its_own(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant'))")
    before = load_host()
    install("two", REGISTERS + "register(FakeCodec('bee'))")

    assert list(load_host().codecs) == ["ant", "bee"]
    assert list(before.codecs) == ["ant"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("import a_module_that_is_not_there", "ModuleNotFoundError: No module named", id="import"),
        pytest.param("syntax error", "SyntaxError", id="syntax"),
        pytest.param(REGISTERS + "raise ValueError('no\\n luck')", "ValueError: no luck", id="hook raises"),
        pytest.param(REGISTERS + "raise ValueError", "ValueError", id="no message"),
        pytest.param("import sys; sys.exit(3)", "SystemExit: 3", id="import exits"),
        pytest.param(REGISTERS + "raise SystemExit('no binary')", "SystemExit: no binary", id="hook exits"),
        pytest.param("@hookimpl\ndef register_codec(register): ...", "unknown hook 'register_codec'", id="misspelled"),
        pytest.param("@hookimpl\ndef register_codecs(registry): ...", "{'registry'} are declared", id="argument"),
        pytest.param("def register_codecs(register): ...", "implements no hook; mark register_codecs", id="unmarked"),
        pytest.param(REGISTERS + "register(FakeCodec)", "the class FakeCodec was registered", id="class"),
        pytest.param(REGISTERS + "register(object())", "lacks id, file_suffixes, options, with_options", id="lacks"),
        pytest.param(REGISTERS + "register(FakeCodec('Upper'))", "codec id 'Upper'; expected lower-case", id="id"),
        pytest.param(REGISTERS + "register(FakeCodec('auto'))", "and not 'auto'", id="reserved id"),
        pytest.param(REGISTERS + "register(FakeCodec(None))", "codec id None", id="id of another type"),
        pytest.param(REGISTERS + "register(FakeCodec('b'), weights='b.bin')", "expected a WeightsFile", id="weights"),
        pytest.param("FakeCodec.decode = 3" + REGISTERS + "register(FakeCodec('b'))", "must be a method", id="method"),
        pytest.param(
            "FakeCodec.decode = lambda self: None" + REGISTERS + "register(FakeCodec('b'))",
            "FakeCodec.decode() cannot be called; expected decode(self, data)",
            id="signature",
        ),
        pytest.param(
            "FakeCodec.with_options = lambda self, *, speed=1: self" + REGISTERS + "register(FakeCodec('b'))",
            "expected with_options(self, **values)",
            id="signature of options",
        ),
        pytest.param(
            "FakeCodec.encode = print" + REGISTERS + "register(FakeCodec('b'))", "lacks rate_range", id="half"
        ),
        pytest.param(
            "FakeCodec.encode = print; FakeCodec.rate_range = (1, 9)" + REGISTERS + "register(FakeCodec('b'))",
            "rate_range must be a RateRange",
            id="rate range",
        ),
        pytest.param(
            "FakeCodec.file_suffixes = ['fake']" + REGISTERS + "register(FakeCodec('b'))",
            "expected a tuple of lower-case ones with their dot",
            id="suffixes",
        ),
        pytest.param(
            "FakeCodec.options = {'a': 1}" + REGISTERS + "register(FakeCodec('b'))",
            "tuple of CodecOption",
            id="options",
        ),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_and_stops_no_other(
    install: Install, source: str, reason: str
) -> None:
    install("broken", source)
    install("alpha", REGISTERS + "register(FakeCodec('ant'))")
    install("zeta", REGISTERS + "register(FakeCodec('bee'))")

    found = load_host()

    assert list(found.codecs) == ["ant", "bee"]
    assert list(found.failures) == ["broken"]
    assert reason in found.failures["broken"].reason
    assert "\n" not in found.failures["broken"].reason
    assert (found.failures["broken"].distribution, found.failures["broken"].version) == ("dist-broken", "1.5")


def test_a_plugin_that_fails_halfway_registers_nothing(install: Install) -> None:
    install("half", REGISTERS + "register(FakeCodec('ant')); register(FakeCodec('Bee'))")

    assert not load_host().codecs


def test_asking_for_a_codec_whose_plugin_failed_gives_the_failure_as_the_cause(install: Install) -> None:
    install("heron", "raise ImportError('libheron is missing')")

    with pytest.raises(PluginError, match=r"'heron' is not available.*dist-heron 1\.5.*libheron is missing") as caught:
        load_host().codec("heron")

    assert isinstance(caught.value.__cause__, ImportError)


def test_an_unknown_codec_names_the_known_ones_and_the_failed_plugins(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant')); register(FakeCodec('bee'))")
    install("broken", "raise OSError")

    with pytest.raises(UnknownCodecError, match=r"unknown codec 'cow'; known codecs: ant, bee \(failed.*: broken\)"):
        load_host().codec("cow")


def test_a_duplicate_id_is_refused_by_naming_both_distributions(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant'))", distribution="alpha")
    install("two", REGISTERS + "register(FakeCodec('bee')); register(FakeCodec('ant'))", distribution="beta")

    found = load_host()

    assert list(found.codecs) == ["ant"]
    assert found.codec("ant").distribution == "alpha"
    assert isinstance(found.failures["two"].exception, DuplicateCodecError)
    assert "codec 'ant' is registered by both alpha and beta" in found.failures["two"].reason


def test_a_plugin_that_registers_an_id_twice_is_refused(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant')); register(FakeCodec('ant'))")

    found = load_host()

    assert not found.codecs
    assert "codec 'ant' is registered twice by dist-one" in found.failures["one"].reason


def test_own_plugins_win_over_those_of_others(install: Install) -> None:
    install("ant", REGISTERS + "register(FakeCodec('ant'))", distribution="aardvark")
    install("ant", REGISTERS + "register(FakeCodec('ant'))", distribution="dirac-enhance")

    found = load_host()

    assert found.codec("ant").distribution == "dirac-enhance"
    assert list(found.failures) == ["ant (aardvark)"]


def test_two_distributions_may_use_one_entry_point_name(install: Install) -> None:
    install("codec", REGISTERS + "register(FakeCodec('ant'))", distribution="alpha")
    install("codec", REGISTERS + "register(FakeCodec('bee'))", distribution="beta")

    assert list(load_host().codecs) == ["ant", "bee"]


def test_a_file_goes_to_the_codec_that_detects_it_whatever_its_suffix(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant', b'ANT')); register(FakeCodec('bee', b'BEE'))")

    assert load_host().codec_for(b"BEE...", ".jpg").codec.id == "bee"


def test_the_suffix_decides_only_between_codecs_that_detect_the_header(install: Install) -> None:
    install("one", "FakeCodec.file_suffixes = ('.x',)" + REGISTERS + "register(FakeCodec('ant'))")
    install("two", "FakeCodec.file_suffixes = ('.y',)" + REGISTERS + "register(FakeCodec('bee'))")
    found = load_host()

    assert found.codec_for(b"FAKE", ".Y").codec.id == "bee"
    with pytest.raises(UnknownCodecError, match="may be of codec ant or bee; choose one with --codec"):
        found.codec_for(b"FAKE", ".z")
    with pytest.raises(UnknownCodecError, match="content is of no known codec; known codecs: ant, bee"):
        found.codec_for(b"OTHER", ".x")


def test_an_empty_file_is_called_empty(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant'))")

    with pytest.raises(UnknownCodecError, match="the file is empty"):
        load_host().codec_for(b"", ".fake")


@pytest.mark.parametrize(("fault", "reason"), [("1 / 0", "ZeroDivisionError: .*"), ("exit(4)", "SystemExit: 4")])
def test_a_codec_whose_detection_raises_is_left_out_with_a_warning(install: Install, fault: str, reason: str) -> None:
    install("one", f"FakeCodec.detect = lambda self, header: {fault}" + REGISTERS + "register(FakeCodec('ant'))")
    install("two", REGISTERS + "register(FakeCodec('bee'))")

    with pytest.warns(PluginWarning, match=rf"codec 'ant' from dist-one 1\.5 failed to look at a file.*: {reason};"):
        assert load_host().codec_for(b"FAKE", ".fake").codec.id == "bee"


def test_plugins_add_commands(install: Install) -> None:
    install("one", "import click\n@hookimpl\ndef register_commands(group): group.add_command(click.Command('dance'))")
    group = click.Group(commands={"train": click.Command("train")})

    assert load_host().register_commands(group) == {}
    assert list(group.commands) == ["train", "dance"]


def test_a_plugin_that_fails_to_add_its_commands_adds_none_and_stops_no_other(install: Install) -> None:
    adds = "import click\n@hookimpl\ndef register_commands(group):\n    group.add_command(click.Command({!r}));"
    install("broken", adds.format("first") + "raise ValueError('no second')" + REGISTERS + "register(FakeCodec('ant'))")
    install("clash", adds.format("train"))
    install("sound", adds.format("dance"))
    group = click.Group(commands={"train": click.Command("train", help="the one built in")})
    found = load_host()

    failures = found.register_commands(group)

    assert list(group.commands) == ["train", "dance"]
    assert group.commands["train"].help == "the one built in"
    assert failures["broken"].reason == "ValueError: no second"
    assert (
        failures["clash"].reason == "PluginError: the command 'train' is already there; give the plugin's another name"
    )
    assert list(found.codecs) == ["ant"]


def test_the_hosts_mappings_cannot_be_changed(install: Install) -> None:
    install("one", REGISTERS + "register(FakeCodec('ant'))")
    found: SimpleNamespace = load_host()  # type: ignore[assignment] # so that the type checker lets us try

    with pytest.raises(TypeError):
        found.codecs["bee"] = found.codecs["ant"]
    with pytest.raises(AttributeError):
        found.codecs = {}


def test_the_built_in_codecs_are_found_through_the_same_entry_points() -> None:
    found = load_host()

    assert found.codec("jpeg").distribution == "dirac-enhance"
    assert found.codec_for(b"\xff\xd8\xff\xe0", ".png").codec.id == "jpeg"
