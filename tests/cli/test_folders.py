"""`dirac-enhance FOLDER --recursive` and other ways to name many files: trees, second runs, counts."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dirac_enhance import CodecHost, RegisteredCodec, WeightsFile
from dirac_enhance.cli.group import build_group
from dirac_enhance_vtm import VtmCodec

Run = Callable[..., Result]


def _tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _last_line(result: Result) -> str:
    return str(result.stderr.splitlines()[-1])


def _jpeg(width: int, height: int, *, quality: int, seed: int) -> bytes:
    samples = numpy.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture
def album(tmp_path: Path, jpeg_bytes: bytes) -> Path:
    """Three pictures in a tree, and a text."""
    folder = tmp_path / "album"
    for name in ("a.jpg", "2020/b.jpg", "2020/may/a.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg_bytes)
    (folder / "notes.txt").write_text("by the sea")
    return folder


def test_a_folder_s_tree_is_mirrored_and_the_last_line_counts(run: Run, album: Path, tmp_path: Path) -> None:
    result = run(album, "--recursive", "-o", tmp_path / "better")

    assert result.exit_code == 0
    assert _tree(tmp_path / "better") == ["2020/b.png", "2020/may/a.png", "a.png"]
    assert sorted(result.stdout.splitlines()) == sorted(str(path) for path in (tmp_path / "better").rglob("*.png"))
    assert _last_line(result) == "3 enhanced, 0 skipped, 0 failed"
    assert result.stderr.count(" of 3)") == 3


def test_without_output_results_lie_beside_the_pictures_and_are_no_inputs_later(run: Run, album: Path) -> None:
    assert run(album, "-r").exit_code == 0
    assert _tree(album)[:4] == ["2020/b.enhanced.png", "2020/b.jpg", "2020/may/a.enhanced.png", "2020/may/a.jpg"]
    assert _last_line(run(album, "-r")) == "0 enhanced, 3 skipped, 0 failed"


def test_names_that_a_shell_expanded_may_hold_earlier_results(run: Run, album: Path) -> None:
    (album / "c.jpg").write_bytes((album / "a.jpg").read_bytes())
    assert _last_line(run(album / "a.jpg", album / "c.jpg")) == "2 enhanced, 0 skipped, 0 failed"
    result = run(*(path for path in sorted(album.iterdir()) if path.suffix in (".jpg", ".png")))
    assert (result.exit_code, _last_line(result)) == (0, "0 enhanced, 2 skipped, 0 failed")


def test_a_second_run_does_what_is_left_without_touching_the_rest(run: Run, album: Path, tmp_path: Path) -> None:
    better = tmp_path / "better"
    run(album, "-r", "-o", better)
    whole = (better / "a.png").read_bytes()
    (better / "a.png").write_bytes(b"as it was")
    (better / "2020" / "b.png").unlink()

    result = run(album, "-r", "-o", better)

    assert (result.exit_code, result.stdout) == (0, f"{better / '2020' / 'b.png'}\n")
    assert result.stderr.splitlines()[-3:] == [
        f"{album / '2020' / 'b.jpg'} (3 of 3)",
        "1 file ignored, of no known codec: 1 .txt",
        "1 enhanced, 2 skipped, 0 failed",
    ]
    assert (better / "a.png").read_bytes() == b"as it was"

    assert _last_line(run(album, "-r", "-o", better, "--overwrite")) == "3 enhanced, 0 skipped, 0 failed"
    assert (better / "a.png").read_bytes() == whole


def test_a_run_with_nothing_left_loads_no_network(
    run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(album, "-r", "-o", tmp_path / "better")
    monkeypatch.setattr("dirac_enhance.enhancer.load_enhancer", None)
    assert run(album, "-r", "-o", tmp_path / "better").exit_code == 0


def test_every_picture_comes_out_as_by_itself(run: Run, tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    for number, (width, height, quality) in enumerate(
        [(56, 40, 20), (56, 40, 70), (40, 56, 20), (55, 39, 5), (33, 70, 90)]
    ):
        (album / f"{number}.jpg").write_bytes(_jpeg(width, height, quality=quality, seed=number))
    options = ("--precision", "float32", "--seed", "5")

    run(album, "-r", "-o", tmp_path / "together", *options)

    for source in album.iterdir():
        target = tmp_path / f"alone-{source.stem}.png"
        assert run(source, "-o", target, *options).exit_code == 0
        with Image.open(target) as alone, Image.open(tmp_path / "together" / f"{source.stem}.png") as together:
            difference = numpy.asarray(alone, dtype=int) - numpy.asarray(together, dtype=int)
        assert abs(difference).max() <= 1


def test_the_same_run_gives_the_same_bytes(run: Run, album: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(album, "-r", "-o", tmp_path / name)
    for path in (tmp_path / "one").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_a_quoted_pattern_is_expanded(run: Run, album: Path, tmp_path: Path) -> None:
    result = run(f"{album}/**/a.jpg", "-o", tmp_path / "better")
    assert result.exit_code == 0
    assert _tree(tmp_path / "better") == ["2020/may/a.png", "a.png"]


@pytest.mark.usefixtures("album")
def test_a_list_comes_from_a_file_or_standard_input(
    run: Run, host: CodecHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("album/a.jpg\nalbum/2020/b.jpg\n")
    assert _last_line(run("--files-from", "list.txt", "-o", "better")) == "2 enhanced, 0 skipped, 0 failed"
    assert _tree(tmp_path / "better") == ["album/2020/b.png", "album/a.png"]

    names = b"album/a.jpg\0album/2020/may/a.jpg\0"
    result = CliRunner().invoke(build_group(host), ["--files-from", "-", "-o", "better"], input=names)
    assert _last_line(result) == "1 enhanced, 1 skipped, 0 failed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--files-from", "missing.txt"], "'missing.txt' does not exist"),
        (["-", "--files-from", "-"], "standard input cannot be a picture and the list of --files-from at the same"),
        (["album", "-r", "-o", "better"], "would both be written to 'better/a.png'"),
        (["album/a.jpg", "album/2020/b.jpg", "-o", "b.webp"], "'b.webp' names a file, but several results need a"),
    ],
)
def test_usage_errors_come_before_anything_starts(
    run: Run, album: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(album.parent)
    (album / "a.jpeg").touch()
    before = _tree(album.parent)

    result = run("enhance", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert _tree(album.parent) == before


def test_bad_inputs_are_reported_counted_and_leave_nothing(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "empty.jpg").touch()
    (album / "2020" / "torn.jpg").write_bytes((album / "a.jpg").read_bytes()[:300])

    result = run(album, "-r", f"{album}/*.tiff", tmp_path / "missing.jpg", "-o", tmp_path / "better")

    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 4
    assert _last_line(result) == "3 enhanced, 0 skipped, 4 failed"
    assert _tree(tmp_path / "better") == ["2020/b.png", "2020/may/a.png", "a.png"]


def test_a_folder_without_pictures_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    result = run(tmp_path / "album", "-r")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "no file of a known codec is there; `dirac-enhance codecs` lists the codecs",
        "0 enhanced, 0 skipped, 0 failed",
    ]


def test_verbose_names_what_is_ignored_and_skipped(run: Run, album: Path, tmp_path: Path) -> None:
    (tmp_path / "better").mkdir()
    run(album / "a.jpg", "-o", tmp_path / "better", "--steps", "1")

    result = run(album, "-r", "-o", tmp_path / "better", "--verbose")

    assert f"{album / 'notes.txt'}: ignored, of no known codec\n" in result.stderr
    assert f"{album / 'a.jpg'}: skipped, '{tmp_path / 'better' / 'a.png'}' is there\n" in result.stderr
    assert result.stderr.count("3 evaluations") == 2


IGNORED = (
    "6 files ignored, of no known codec: 2 .png, 1 .bin, 1 .gif, 1 .txt, 1 without a suffix;"
    " for decoded pictures pass the codec of their artefacts, --enhancer ID"
)


@pytest.fixture
def mixed(album: Path) -> Path:
    """That album with what else such folders hold."""
    (album / "firmware.bin").write_bytes(bytes(range(256)) * 20)
    (album / "README").touch()
    for name in ("frame.png", "2020/frame.png", "moving.gif"):
        Image.new("RGB", (8, 8)).save(album / name)
    return album


def test_of_a_mixed_folder_pictures_are_enhanced_and_the_rest_is_counted(
    host: CodecHost, mixed: Path, tmp_path: Path
) -> None:
    codecs = {**host.codecs, "vtm": RegisteredCodec(VtmCodec(), None, "dirac-enhance", "1.0")}
    run_both = partial(CliRunner().invoke, build_group(replace(host, codecs=codecs)))

    result = run_both([str(mixed), "-r", "-o", str(tmp_path / "better"), "--steps", "1"])

    assert (result.exit_code, [line for line in result.stderr.splitlines() if line.startswith("Error")]) == (0, [])
    assert result.stderr.splitlines()[-2:] == [
        IGNORED,
        "3 enhanced, 0 skipped, 0 failed",
    ]
    assert "ignored" not in run_both([str(mixed), "-r", "-o", str(tmp_path / "better"), "--quiet"]).stderr


def test_of_a_mixed_folder_decoded_pictures_are_enhanced_when_asked_for(run: Run, mixed: Path, tmp_path: Path) -> None:
    result = run(mixed, "-r", "-o", tmp_path / "better", "--enhancer", "jpeg", "--steps", "1")

    assert (result.exit_code, _tree(tmp_path / "better")) == (0, ["2020/frame.png", "frame.png"])
    assert result.stderr.splitlines()[-2] == (
        "7 files ignored, of no format for decoded pictures: 3 .jpg, 1 .bin, 1 .gif, 1 .txt, 1 without a suffix"
    )


def test_a_damaged_picture_of_a_known_suffix_is_no_ignored_file(run: Run, album: Path) -> None:
    (album / "a.jpg").write_bytes(bytes(100))
    result = run("decode", album, "-r")
    assert (result.exit_code, _last_line(result)) == (1, "2 decoded, 0 skipped, 1 failed")
    assert "a.jpg': the file's content is of no known codec" in result.stderr


def test_quiet_counts_only_when_something_failed(run: Run, album: Path) -> None:
    assert run(album, "-r", "--quiet").output == ""
    (album / "empty.jpg").touch()
    result = run(album, "-r", "--quiet")
    assert len(result.stderr.splitlines()) == 2
    assert _last_line(result) == "0 enhanced, 3 skipped, 1 failed"


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are POSIX's")
def test_a_name_that_is_no_utf8_is_enhanced(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "a.jpg").rename(album / "caf\udce9.jpg")
    assert _last_line(run(album, "-r", "-o", tmp_path / "better")) == "3 enhanced, 0 skipped, 0 failed"
    assert "caf\udce9.png" in _tree(tmp_path / "better")


def test_a_mistake_of_ours_costs_one_file_of_several_and_shows_for_one(
    run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: WeightsFile
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("some kernel is missing")

    monkeypatch.setattr("dirac_enhance.enhancer.Enhancer.enhance_batch", fail)

    result = run(album, "-r", "-o", tmp_path / "better", "--weights", weights.path)
    assert result.exit_code == 1
    assert result.stderr.count("RuntimeError: some kernel is missing; this should not happen") == 3
    with pytest.raises(RuntimeError, match="some kernel"):
        run(album / "a.jpg")
