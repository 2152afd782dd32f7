"""Shell completion as the README sets it up: what is completed, and that it is quick and light."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = (sys.executable, "-m", "dirac_enhance")


def _complete(words: str) -> list[str]:
    """What the shell is told when the last of `words` is to be completed."""
    last = len(words.split(" ")) - 1
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(last), "_DIRAC_ENHANCE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        _COMMAND, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dirac-enhance co", ["plain,compare", "plain,contact-sheet", "plain,codecs"]),
        ("dirac-enhance pho", ["file,pho"]),
        ("dirac-enhance --ste", ["plain,--steps"]),
        ("dirac-enhance photo.jpg --ste", ["plain,--steps"]),
        ("dirac-enhance info pho", ["file,pho"]),
        ("dirac-enhance encode --codec j", ["plain,jpeg"]),
        ("dirac-enhance photo.jpg --device c", ["plain,cpu", "plain,cuda"]),
    ],
)
def test_word_is_completed(words: str, expected: list[str]) -> None:
    assert _complete(words) == expected


def test_completing_is_quick() -> None:
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _complete("dirac-enhance enhance --")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert min(seconds) < 0.5


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_after_the_readme_s_line(tmp_path: Path) -> None:
    program = tmp_path / "dirac-enhance"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dirac_enhance "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(_DIRAC_ENHANCE_COMPLETE=bash_source dirac-enhance)"
COMP_WORDS=(dirac-enhance contact-sheet --zo) COMP_CWORD=2
_dirac_enhance_completion dirac-enhance
echo "${COMPREPLY[@]}"
complete -p dirac-enhance
"""
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    done = subprocess.run(
        [str(shutil.which("bash")), "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.splitlines()[0] == "--zoom"
    assert "_dirac_enhance_completion dirac-enhance" in done.stdout.splitlines()[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    environment = {**os.environ, "_DIRAC_ENHANCE_COMPLETE": f"{shell}_source"}

    done = subprocess.run(_COMMAND, env=environment, capture_output=True, text=True, check=True, timeout=60)

    assert f"{shell}_complete" in done.stdout
