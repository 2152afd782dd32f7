"""The command line as a whole: help, version, speed, plugins' commands, and the process's manners."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dirac_enhance import CodecHost, PluginFailure
from dirac_enhance.cli.group import build_group

Run = Callable[..., Result]

_COMMAND = (sys.executable, "-m", "dirac_enhance")

COMMANDS = [
    *("enhance", "decode", "encode", "info", "compare", "contact-sheet", "bench", "report"),
    *("codecs", "networks", "make-pairs", "train", "export", "train-codec"),
]


def test_help_names_every_command_and_how_to_start(run: Run) -> None:
    result = run("--help")

    assert result.exit_code == 0
    assert "enhance*" in result.stdout
    assert all(f"\n  {name}" in result.stdout for name in COMMANDS[1:])
    assert "dirac-enhance photo.jpg" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(run: Run, command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert f"Examples:\n    dirac-enhance {'' if command == 'enhance' else command}" in result.stdout


def test_these_are_all_commands(host: CodecHost) -> None:
    assert list(build_group(host).commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_shows_its_default_or_must_be_given_or_is_a_flag(host: CodecHost, command: str) -> None:
    built = build_group(host).commands[command]
    context = click.Context(built, show_default=built.context_settings.get("show_default"))
    options = [option for option in built.params if isinstance(option, click.Option)]

    silent = [
        option.opts
        for option in options
        if not (option.required or option.is_flag) and "[default: " not in str(option.get_help_record(context))
    ]

    assert not silent
    assert all(option.help for option in options)


def test_help_of_enhance_shows_every_default(run: Run) -> None:
    text = " ".join(run("enhance", "--help").stdout.partition("Options:")[2].split())
    options = {block.split()[0]: block for block in text.split(" --")}

    assert [name for name, block in options.items() if "[default: " not in block and name not in _FLAGS] == ["-r,"]
    assert "[default: " in options["output"]
    assert "100: the sharpest and most realistic picture. 81, with" in text
    assert "1: closest to the original, and smooth; all N up to the late start give that same picture" in text


_FLAGS = ("recursive", "overwrite", "strip-metadata", "quiet", "verbose", "help")


def test_no_arguments_show_the_help(run: Run) -> None:
    assert "Usage: dirac-enhance" in run().output.replace("Usage: root", "Usage: dirac-enhance")


def test_version_is_the_installed_one(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"dirac-enhance {version('dirac-enhance')}\n"


def test_help_is_quick() -> None:
    seconds = []
    for _ in range(3):
        before = _processor_seconds()
        subprocess.run([*_COMMAND, "--help"], capture_output=True, check=True)
        seconds.append(_processor_seconds() - before)

    assert min(seconds) < 0.5


def _processor_seconds() -> float:
    """Time that finished child processes computed for: unlike the clock, not stretched by a busy machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_closed_pipe_is_no_reason_to_complain() -> None:
    with subprocess.Popen([*_COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_real_process_reports_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_bytes(b"plain text")
    done = subprocess.run([*_COMMAND, "notes.jpg", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: 'notes.jpg': the file's content is of no known codec")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.jpg"]


def test_interrupted_process_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    Image.new("RGB", (3000, 2000), "teal").save(tmp_path / "large.jpg")  # not done before the signal comes
    files = ["missing.jpg", "large.jpg"]
    with subprocess.Popen(
        [*_COMMAND, *files, "-o", "results"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "missing.jpg (1 of 2)\n"
        assert process.stderr.readline() == "Error: there is no file 'missing.jpg'\n"
        while process.poll() is None:  # Python loses a signal that meets it in a destructor, or torch's import
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        rest = process.stderr.read()

    assert process.returncode in (130, -signal.SIGINT)  # a shell shows 130 for both
    assert rest.split("\n") == ["0 enhanced, 0 skipped, 1 failed", "", "Interrupted.", ""]
    assert not list((tmp_path / "results").iterdir())


def test_plugin_s_command_stands_beside_the_others(host: CodecHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(_: CodecHost, group: click.Group) -> Mapping[str, PluginFailure]:
        group.add_command(click.Command("histogram", callback=lambda: click.echo("▁▂▃"), help="Show a histogram."))
        return {}

    monkeypatch.setattr(CodecHost, "register_commands", add)
    group = build_group(host)

    assert "histogram Show a histogram." in " ".join(CliRunner().invoke(group, ["--help"]).stdout.split())
    assert CliRunner().invoke(group, ["histogram"]).stdout == "▁▂▃\n"


def test_plugin_whose_commands_fail_is_named_and_stops_nothing(
    host: CodecHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = PluginFailure("dist-broken", "0.3", TypeError("not a command"))
    monkeypatch.setattr(CodecHost, "register_commands", lambda *_: {"broken": failure})

    group = build_group(host)

    warning = "Warning: no commands from plugin 'broken' of dist-broken: TypeError: not a command\n"
    assert capsys.readouterr().err == warning
    assert CliRunner().invoke(group, ["--help"]).exit_code == 0
