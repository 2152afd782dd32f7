"""The fenced code blocks of a Markdown page, which tests run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class CodeBlock:
    """A block, its language, and the file it is part of; both empty for what is typed in a shell."""

    language: str
    title: str
    text: str


def code_blocks(page: Path) -> list[CodeBlock]:
    """Return all blocks of a page, in their order."""
    found = _FENCED.finditer(page.read_text(encoding="utf-8"))
    return [CodeBlock(match["language"], match["title"] or "", match["text"]) for match in found]


def text_of(page: Path, title: str) -> str:
    """Return the blocks of one file, put together with blank lines between them."""
    return "\n".join(block.text for block in code_blocks(page) if block.title == title)


def shell_lines(page: Path) -> list[str]:
    """Return each line of the blocks without a language, continued ones joined and comments left out."""
    shell = [block.text.replace("\\\n", " ") for block in code_blocks(page) if not block.language]
    return [line.partition("  #")[0].strip() for text in shell for line in text.splitlines()]


def command_lines(page: Path) -> list[str]:
    """Return each `dirac-enhance …` among the shell lines of a page."""
    return [line for line in shell_lines(page) if line.startswith("dirac-enhance ")]
