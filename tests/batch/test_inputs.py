"""What files, folders, patterns and lists stand for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from dirac_enhance.batch.inputs import FolderSearch, Inputs, find_inputs, read_list, recognise_by
from dirac_enhance_jpeg import JpegCodec

SEARCH = FolderSearch(lambda path: path.suffix == ".jpg")


def _make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _pairs(inputs: Inputs) -> list[tuple[str, str]]:
    return [(str(source.path), str(source.place)) for source in inputs.sources]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_goes_by_its_name_whether_or_not_it_is_there() -> None:
    inputs = find_inputs(["b/a.jpg"])
    assert _pairs(inputs) == [("b/a.jpg", "a.jpg")]
    assert inputs.alone


def test_standard_input_is_passed_on() -> None:
    assert _pairs(find_inputs(["-"], search=SEARCH)) == [("-", "-")]


def test_a_folder_is_searched_in_order_and_its_tree_kept(working_folder: Path) -> None:
    _make(working_folder, "album/b.jpg", "album/a.jpg", "album/2021/may/c.jpg", "album/2020/d.jpg", "album/notes.txt")

    inputs = find_inputs(["album"], search=SEARCH)

    assert [place for _, place in _pairs(inputs)] == ["a.jpg", "b.jpg", "2020/d.jpg", "2021/may/c.jpg"]
    assert [path for path, _ in _pairs(inputs)][-1] == "album/2021/may/c.jpg"
    assert inputs.ignored == (Path("album/notes.txt"),)
    assert not inputs.alone


def test_results_hidden_files_special_files_and_the_result_folder_are_passed_over(working_folder: Path) -> None:
    _make(working_folder, "album/a.jpg", "album/a.enhanced.png", "album/._a.jpg", "album/.trash/b.jpg")
    _make(working_folder, "album/better/a.jpg", "album/better/below/b.jpg", "album/old/better/c.jpg")
    os.mkfifo("album/pipe.jpg")
    Path("album/loop").symlink_to(working_folder / "album", target_is_directory=True)
    Path("album/linked.jpg").symlink_to(working_folder / "album" / "a.jpg")

    inputs = find_inputs(["album"], search=FolderSearch(Path.is_file, spared=Path("album/better")))

    assert [place for _, place in _pairs(inputs)] == ["a.jpg", "linked.jpg", "old/better/c.jpg"]
    assert inputs.ignored == ()


def test_the_searched_folder_may_be_the_result_folder(working_folder: Path) -> None:
    _make(working_folder, "album/a.jpg")
    inputs = find_inputs(["album"], search=FolderSearch(SEARCH.recognises, spared=Path("album")))
    assert _pairs(inputs) == [("album/a.jpg", "a.jpg")]


def test_a_folder_without_recursive_is_one_error(working_folder: Path) -> None:
    _make(working_folder, "album/a.jpg", "b.jpg")

    inputs = find_inputs(["album", "b.jpg"])

    assert _pairs(inputs) == [("b.jpg", "b.jpg")]
    (error,) = inputs.refused
    assert "'album' is a folder; pass --recursive for all pictures in it" in str(error)


def test_a_folder_that_cannot_be_read_is_an_error_and_the_rest_goes_on(
    working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(working_folder, "album/a.jpg", "album/locked/b.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    inputs = find_inputs(["album"], search=SEARCH)

    assert _pairs(inputs) == [("album/a.jpg", "a.jpg")]
    assert [str(error) for error in inputs.refused] == ["cannot search the folder 'album/locked': Permission denied"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("album/*.jpg", [("album/a.jpg", "a.jpg"), ("album/b.jpg", "b.jpg")]),
        ("album/?.jpg", [("album/a.jpg", "a.jpg"), ("album/b.jpg", "b.jpg")]),
        ("album/[a]*", [("album/a.jpg", "a.jpg")]),
        ("alb*/b.jpg", [("album/b.jpg", "album/b.jpg")]),
        ("album/**/*.jpg", [("album/2020/c.jpg", "2020/c.jpg"), ("album/a.jpg", "a.jpg"), ("album/b.jpg", "b.jpg")]),
        ("**/c.jpg", [("album/2020/c.jpg", "album/2020/c.jpg")]),
        ("album/2*", []),
    ],
)
def test_a_pattern_keeps_the_folders_after_its_fixed_part(
    working_folder: Path, pattern: str, found: list[tuple[str, str]]
) -> None:
    _make(working_folder, "album/a.jpg", "album/b.jpg", "album/2020/c.jpg", "album/a.enhanced.png")
    inputs = find_inputs([pattern])
    assert _pairs(inputs) == found
    assert (inputs.refused, inputs.alone) == ((), False)


def test_folders_of_a_pattern_are_searched_when_asked_for(working_folder: Path) -> None:
    _make(working_folder, "album/2020/c.jpg", "album/2021/c.jpg")
    expected = [("album/2020/c.jpg", "2020/c.jpg"), ("album/2021/c.jpg", "2021/c.jpg")]
    assert _pairs(find_inputs(["album/2*"], search=SEARCH)) == expected
    assert _pairs(find_inputs(["album/**/*"], search=SEARCH)) == expected


def test_a_pattern_without_a_match_is_one_error() -> None:
    (error,) = find_inputs(["album/*.jpg"]).refused
    assert str(error) == "no file matches 'album/*.jpg'"


def test_a_file_that_looks_like_a_pattern_is_the_file(working_folder: Path) -> None:
    _make(working_folder, "a[1].jpg", "a1.jpg")
    inputs = find_inputs(["a[1].jpg"])
    assert _pairs(inputs) == [("a[1].jpg", "a[1].jpg")]
    assert inputs.alone


def test_listed_files_keep_their_whole_path(working_folder: Path) -> None:
    _make(working_folder, "photos/2020/d.jpg")
    inputs = find_inputs([], ["photos/a.jpg", "/data/./b.jpg", "../c.jpg", "photos/2020", "*.jpg"], search=SEARCH)
    places = ["photos/a.jpg", "data/b.jpg", "c.jpg", "photos/2020/d.jpg", "*.jpg"]
    assert [place for _, place in _pairs(inputs)] == places
    assert not inputs.alone
    assert not find_inputs([], ["a.jpg"]).alone


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.jpg\nb c.jpg\n", ("a.jpg", "b c.jpg")),
        (b"\xef\xbb\xbfa.jpg\r\n\r\nb.jpg", ("a.jpg", "b.jpg")),
        (b"two\nlines.jpg\0b.jpg\0", ("two\nlines.jpg", "b.jpg")),
        (b"stray \xff.jpg\n", ("stray \udcff.jpg",)),
        (b"", ()),
    ],
)
def test_a_list_has_a_name_a_line_or_between_nuls(content: bytes, names: tuple[str, ...]) -> None:
    assert read_list(content) == names


def test_pictures_are_recognised_by_suffix_or_else_by_header(working_folder: Path) -> None:
    _make(working_folder, "a.JPG", "notes.txt")
    Path("b.bin").write_bytes(b"\xff\xd8\xff\xe0")

    class Broken(JpegCodec):
        def detect(self, header: bytes) -> bool:
            raise KeyError("broken")

    recognises = recognise_by([Broken(), JpegCodec()])
    assert recognises(Path("a.JPG"))
    assert recognises(Path("b.bin"))
    assert not recognises(Path("notes.txt"))
    assert not recognises(Path("missing"))


def test_a_suffix_that_anything_has_is_no_sign_of_a_codec(working_folder: Path) -> None:
    _make(working_folder, "firmware.bin", "empty.VVC")
    Path("stream.bin").write_bytes(b"\0\0\0\1VVC")

    @dataclass(frozen=True, slots=True)
    class Video(JpegCodec):
        @property
        def file_suffixes(self) -> tuple[str, ...]:
            return (".vvc", ".bin")

        def detect(self, header: bytes) -> bool:
            return header.startswith(b"\0\0\0\1")

    recognises = recognise_by([Video()])
    assert [recognises(Path(name)) for name in ("firmware.bin", "stream.bin", "empty.VVC")] == [False, True, True]


@pytest.mark.parametrize("name", ["n" * 300, "null\0byte"])
def test_a_name_that_cannot_be_is_left_to_the_decoder_to_refuse(name: str) -> None:
    assert _pairs(find_inputs([name])) == [(name, name)]
