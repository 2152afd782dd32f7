"""A file is written whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dirac_enhance import OutputExistsError
from dirac_enhance.atomic import write_atomically


def test_content_arrives_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "result", b"content")

    assert (tmp_path / "result").read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [tmp_path / "result"]


def test_existing_file_is_kept_without_overwrite(tmp_path: Path) -> None:
    (tmp_path / "result").write_bytes(b"old")

    with pytest.raises(OutputExistsError, match=r"result' already exists; pass --overwrite"):
        write_atomically(tmp_path / "result", b"new")

    assert (tmp_path / "result").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "result"]


def test_existing_file_is_replaced_with_overwrite(tmp_path: Path) -> None:
    (tmp_path / "result").write_bytes(b"old")

    write_atomically(tmp_path / "result", b"new", overwrite=True)

    assert (tmp_path / "result").read_bytes() == b"new"


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "link"])
def test_nothing_is_left_behind_when_writing_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, step: str
) -> None:
    if step == "link" and isinstance(failure, OSError):
        pytest.skip("a link that fails is replaced by a rename; the next test")

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(os, step, fail)

    with pytest.raises(type(failure)):
        write_atomically(tmp_path / "result", b"content")

    assert not list(tmp_path.iterdir())


def test_file_system_without_hard_links_gets_the_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_atomically(tmp_path / "result", b"content")

    assert list(tmp_path.iterdir()) == [tmp_path / "result"]
    with pytest.raises(OutputExistsError):
        write_atomically(tmp_path / "result", b"again")


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "result", b"content")

    assert stat.S_IMODE((tmp_path / "result").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
