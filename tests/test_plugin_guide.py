"""plugins/README.md: its blocks are the example's files, and what it has people write and type works."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from code_blocks import code_blocks, command_lines, text_of
from dirac_enhance import host, load_host
from dirac_enhance.cli.group import build_group
from dirac_enhance_jpeg import JpegCodec

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "plugins" / "README.md"
EXAMPLE = ROOT / "plugins" / "example-webp"
FILES = ("pyproject.toml", "example_webp.py", "test_example_webp.py")
INSTALLED_ELSEWHERE = ("pyproject.toml, with weights", "example_webp/__init__.py, with weights")
"""Blocks that tests/test_third_party_plugin.py installs."""
COMMAND = ("pyproject.toml, with a command", "example_bpp.py")


def _without_blank_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("name", FILES)
def test_the_blocks_put_together_are_the_example_s_files(name: str) -> None:
    written = (EXAMPLE / name).read_text(encoding="utf-8")

    assert _without_blank_lines(text_of(GUIDE, name)) == _without_blank_lines(written)


def test_every_block_is_part_of_a_file_that_is_tested() -> None:
    titles = {block.title for block in code_blocks(GUIDE) if block.language}

    assert titles == {*FILES, *INSTALLED_ELSEWHERE, *COMMAND}
    (tree,) = (block.text.split() for block in code_blocks(GUIDE) if block.text.startswith("example-webp/"))
    assert set(tree[1:]) == {path.name for path in EXAMPLE.iterdir() if path.is_file()}


def test_the_command_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((name, value),) = re.findall(r'^(\w+) = "(\w+)"$', text_of(GUIDE, COMMAND[0]), re.MULTILINE)
    (tmp_path / COMMAND[1]).write_text(text_of(GUIDE, COMMAND[1]), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = [*entry_points(group="dirac_enhance"), EntryPoint(name, value, "dirac_enhance")]
    monkeypatch.setattr(host, "entry_points", lambda *, group: found)
    data = JpegCodec().encode(torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0)), rate_factor=50)
    (tmp_path / "photo.jpg").write_bytes(data)
    (tmp_path / "notes.txt").write_bytes(b"plain text")
    group = build_group(load_host())

    counted = CliRunner().invoke(group, ["bpp", str(tmp_path / "photo.jpg")])
    refused = CliRunner().invoke(group, ["bpp", str(tmp_path / "notes.txt")])

    assert (counted.exit_code, counted.output) == (0, f"{8 * len(data) / 600:.3f}\n")
    assert (refused.exit_code, refused.output[:46]) == (1, "Error: the file's content is of no known codec")


@pytest.mark.parametrize("page", [GUIDE, ROOT / "README.md"], ids=["plugins/README.md", "README.md"])
def test_what_people_type_is_understood(page: Path) -> None:
    group = build_group(load_host())
    lines = command_lines(page)

    assert len(lines) >= 4
    for line in lines:
        context = click.Context(group, info_name="dirac-enhance")
        name, command, arguments = group.resolve_command(context, shlex.split(line)[1:])
        assert command is not None, line
        command.make_parser(click.Context(command, info_name=name, parent=context)).parse_args(arguments)
