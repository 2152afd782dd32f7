"""A file is written whole or not at all, and never over another unasked."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dirac_enhance import OutputExistsError
from dirac_enhance.atomic import remove_leftovers, write_atomically


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


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synchronised = []

    def fsync(descriptor: int) -> None:
        assert not (tmp_path / "result").exists()
        synchronised.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "result", b"content")

    assert synchronised == [len(b"content")]


def test_disk_that_fills_up_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "result").write_bytes(b"old")

    class Full(io.FileIO):
        """A file of which only the first bytes fit."""

        def write(self, content: Any, /) -> int:
            super().write(content[:3])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open_full(path: Path, mode: str) -> Full:
        return Full(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(OSError, match="No space left on device"):
            write_atomically(tmp_path / "result", b"content", overwrite=True)

    assert (tmp_path / "result").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "result"]


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


LEFTOVER = ".dirac-enhance.0123456789abcdef.part"

needs_locks = pytest.mark.skipif(os.name != "posix", reason="files cannot be locked as they can on POSIX")


@needs_locks
def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / LEFTOVER).write_bytes(b"half a result")
    others = {"result", ".0123456789abcdef.part", f"{LEFTOVER}.txt", ".dirac-enhance.part", LEFTOVER.upper()}
    for name in others:
        (tmp_path / name).write_bytes(b"content")
    linked, folder = LEFTOVER.replace("0", "1"), LEFTOVER.replace("0", "2")
    (tmp_path / linked).symlink_to(tmp_path / "result")
    (tmp_path / folder).mkdir()

    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "missing")

    assert {path.name for path in tmp_path.iterdir()} == {*others, linked, folder}


@needs_locks
def test_a_file_that_is_being_written_is_no_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def clear_first(*paths: Path) -> None:
        remove_leftovers(tmp_path)  # its lock is its own, as that of another process would be
        link(*paths)

    monkeypatch.setattr(os, "link", clear_first)
    write_atomically(tmp_path / "result", b"content")

    assert (tmp_path / "result").read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [tmp_path / "result"]


@needs_locks
def test_a_file_taken_for_a_leftover_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    flock, early = fcntl.flock, iter([True])

    def lock_late(file: Any, operation: int) -> None:
        if next(early, False):
            remove_leftovers(tmp_path)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    write_atomically(tmp_path / "result", b"content")

    assert (tmp_path / "result").read_bytes() == b"content"


@needs_locks
def test_where_files_cannot_be_locked_they_are_written_and_none_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    (tmp_path / LEFTOVER).touch()
    write_atomically(tmp_path / "result", b"content")
    remove_leftovers(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"result", LEFTOVER}
