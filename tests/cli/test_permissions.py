"""Files and folders that may not be read or written, as a user for whom that holds: for root it never does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import PATIENCE, start_python

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")

NOBODY = 65534
IS_ROOT = os.name == "posix" and os.geteuid() == 0
ONLY_FOR_ROOT = 77

AS_NOBODY = f"""
import os, sys, tempfile
import dirac_enhance
from dirac_enhance.cli import main

folder, arguments = sys.argv[1], sys.argv[2:]
os.chdir(folder)
if os.geteuid() == 0:
    with tempfile.TemporaryDirectory() as spare:  # loads what Python itself may keep where only root can read
        sys.argv[1:] = ["decode", "photo.jpg", "-o", os.path.join(spare, "photo.png"), "--quiet"]
        try:
            main()
        except SystemExit:
            pass
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
    if not os.access(dirac_enhance.__file__, os.R_OK):
        sys.exit({ONLY_FOR_ROOT})
sys.argv[1:] = arguments
main()
"""


def _run(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run a command line in a folder, as nobody where this user is root; return its exit code and complaints."""
    process = start_python("-c", AS_NOBODY, folder, *arguments)
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    if process.returncode == ONLY_FOR_ROOT:
        pytest.skip("only root can read this installation")
    assert "Traceback" not in errors, errors
    return process.returncode, errors.splitlines()


@pytest.fixture
def folder(jpeg_bytes: bytes) -> Iterator[Path]:
    """A folder of that user's with a picture, outside those that pytest keeps to itself."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        (path / "photo.jpg").write_bytes(jpeg_bytes)
        if IS_ROOT:
            os.chown(path, NOBODY, NOBODY)
        yield path
        for each in (path, *path.rglob("*")):  # or a user who is not root could not remove it
            if each.is_dir():
                each.chmod(0o700)


def test_what_may_not_be_read_fails_alone(folder: Path) -> None:
    (folder / "secret.jpg").write_bytes((folder / "photo.jpg").read_bytes())
    (folder / "secret.jpg").chmod(0)
    (folder / "locked").mkdir(0)

    code, errors = _run(folder, "decode", ".", "-r", "-o", "plain")

    assert (code, errors[-1]) == (1, "1 decoded, 0 skipped, 2 failed")
    assert sorted(line for line in errors if line.startswith("Error: ")) == [
        "Error: cannot read 'secret.jpg': Permission denied",
        "Error: cannot search the folder './locked': Permission denied",
    ]
    assert [path.name for path in (folder / "plain").iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "cannot write 'photo.decoded.png': the folder '.' is not writable"),
        (("-r", "-o", "plain/below/"), "cannot create the folder 'plain/below': Permission denied"),
    ],
    ids=["beside the picture", "a folder to be created"],
)
def test_where_nothing_may_be_written_a_line_says_so(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    (folder / "plain").mkdir()
    (folder / "plain").chmod(0o555)
    folder.chmod(0o555)

    code, errors = _run(folder, "decode", "photo.jpg", *arguments)

    assert (code, errors[0][: len(message) + 7]) == (1, f"Error: {message}")
    assert sorted(path.name for path in folder.rglob("*")) == ["photo.jpg", "plain"]
