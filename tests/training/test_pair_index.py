"""The index of stored pairs: what is read, what is refused, and what an interrupted writer leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.pair_index import PairRow, open_index, read_index, read_indexes, split_rows

VIDEO_INDEX = "bitstream,file,x,y,width,height,qp,bytes\na_y8_x37_qp27.bin,far__a.jpg,37,8,256,256,27,4476\n"
HEADER = "bitstream,file,x,y,width,height,rate_factor,bytes\n"
ROW = PairRow("0.bin", 'a, "b".png', 3, 4, 32, 48, 0.001234567, 99)


def rows_of(originals: int, *, each: int) -> list[PairRow]:
    return [
        PairRow(f"{original}-{k}.bin", f"{original}.png", 0, 0, 32, 32, float(k), 1)
        for original in range(originals)
        for k in range(each)
    ]


def test_an_index_made_with_a_video_codec_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(VIDEO_INDEX)
    row = PairRow("a_y8_x37_qp27.bin", "far__a.jpg", 37, 8, 256, 256, 27.0, 4476)
    assert read_index(tmp_path / "index.csv") == (row,)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    for _ in range(2):
        with open_index(path) as append:
            append(ROW)
    assert read_index(path) == (ROW, ROW)
    assert path.read_text().startswith(HEADER)


def test_several_indexes_are_read_as_one(tmp_path: Path) -> None:
    for name in ("many", "few/low"):
        (tmp_path / name).mkdir(parents=True)
        with open_index(tmp_path / name / "index.csv") as append:
            append(ROW)
    rows, folder = read_indexes([tmp_path / "many/index.csv", tmp_path / "few/low/index.csv"])
    assert [folder / row.bitstream for row in rows] == [tmp_path / "many/0.bin", tmp_path / "few/low/0.bin"]
    assert read_indexes([tmp_path / "many/index.csv"]) == ((ROW,), tmp_path / "many")


@pytest.mark.parametrize("torn", ["1.bin,a.png,0,0,32", HEADER[:9]])
def test_half_a_row_is_cut_off_before_the_next_is_appended(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "index.csv"
    if torn != HEADER[:9]:
        with open_index(path) as append:
            append(ROW)
    with path.open("a") as file:
        file.write(torn)
    with open_index(path) as append:
        append(ROW)
    assert set(read_index(path)) == {ROW}


def test_a_row_that_does_not_fit_on_the_disk_leaves_the_index_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "index.csv", os.write
    with open_index(path) as append:
        append(ROW)
        monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:7]))
        with pytest.raises(OSError, match="No space left"):
            append(ROW)
    assert read_index(path) == (ROW,)


def test_two_processes_do_not_add_to_one_index(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no file locks on this system")
    with (
        open_index(tmp_path / "index.csv"),
        pytest.raises(TrainingError, match="another process is adding"),
        open_index(tmp_path / "index.csv"),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("bitstream,file,x,y,width,height\n", "lacks the columns bytes, rate_factor"),
        ("", "lacks the columns"),
        (HEADER + "0.bin,a.png,0,0,32,32,five,9\n", "line 2 .* is no pair: .*five"),
        (HEADER + "0.bin,a.png,0,0,32\n", "line 2 .* is no pair"),
        (HEADER + "0.bin,a.png,-1,0,32,32,5,9\n", "line 2 .* not a crop"),
        (HEADER + "0.bin,a.png,0,0,0,32,5,9\n", "line 2 .* not a crop"),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "index.csv").write_text(content)
    with pytest.raises(TrainingError, match=said):
        read_index(tmp_path / "index.csv")


def test_a_missing_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No such file"):
        read_index(tmp_path / "gone.csv")


def test_no_original_has_pairs_on_both_sides_of_the_split() -> None:
    training, apart = split_rows(rows_of(20, each=3), held_out=0.1)
    assert len(apart) == 6
    assert not {row.file for row in training} & {row.file for row in apart}
    assert len(training) + len(apart) == 60


def test_the_split_depends_on_names_only_and_smaller_limits_are_parts_of_larger_ones() -> None:
    rows = rows_of(20, each=3)
    training, apart = split_rows(rows, held_out=0.1)
    half, apart_again = split_rows(rows[::-1], held_out=0.1, limit=27)
    assert set(apart) == set(apart_again)
    assert half == training[:27]


def test_nothing_held_out_leaves_all() -> None:
    training, apart = split_rows(rows_of(3, each=2), held_out=0)
    assert (len(training), apart) == (6, ())


def test_holding_everything_out_is_refused() -> None:
    with pytest.raises(TrainingError, match="none left to train on"):
        split_rows(rows_of(3, each=2), held_out=1)
