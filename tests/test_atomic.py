"""A file is written whole or not at all, and never over another unasked."""

from __future__ import annotations

import errno
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
    opened = Path.open

    class Full:
        """A file of which only the first bytes fit."""

        def __init__(self, path: Path) -> None:
            self.file = opened(path, "xb")

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> None:
            self.file.write(content[:3])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, _mode: Full(path))
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
