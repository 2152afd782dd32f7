"""Public names, commands and hooks are in the docs, and the docs' links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dirac_enhance
import dirac_enhance.testing
from dirac_enhance import hookspecs, load_host
from dirac_enhance.cli.group import build_group

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", ROOT / "plugins" / "README.md"]
PAGES = sorted(
    path
    for folder in ("", "plugins", "weights", "benchmarks")
    for path in (ROOT / folder).glob("*.md")
    if path.is_file()
)
PUBLIC = [*dirac_enhance.__all__, *dirac_enhance.testing.__all__]
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.ENTRY_POINT_GROUP}_spec")]
COMMANDS = list(build_group(load_host()).commands)


def guides() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in GUIDES)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_in_a_guide(name: str) -> None:
    assert re.search(rf"\b{name}\b", guides())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_in_a_guide(command: str) -> None:
    assert re.search(rf"dirac-enhance {command}\b", guides())


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_in_a_guide(hook: str) -> None:
    assert re.search(rf"\b{hook}\b", guides())


def test_there_are_names_hooks_and_commands_to_look_for() -> None:
    assert {"Codec", "load_host", "assert_codec_contract"} <= set(PUBLIC)
    assert {"register_codecs", "register_commands"} <= set(HOOKS)
    assert {"enhance", "codecs", "networks"} <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|<img[^>]*src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    local = [target for pair in targets for target in pair if target and "://" not in target]

    assert not [target for target in local if not (page.parent / target).exists()]
