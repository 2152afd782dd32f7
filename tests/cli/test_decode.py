"""`dirac-enhance decode FILE…`: the base reconstruction as a file, by the rules of enhancing."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from click.testing import Result
from PIL import Image

from dirac_enhance import srgb_profile
from small_pictures import save_turned

Run = Callable[..., Result]


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_decoded_picture_is_that_of_the_codec(run: Run, photo: Path, jpeg_bytes: bytes) -> None:
    result = run("decode", photo)

    target = photo.with_name("photo.decoded.png")
    assert (result.exit_code, result.output) == (0, f"{target}\n")
    assert _files(photo.parent) == ["photo.decoded.png", "photo.jpg"]
    with Image.open(target) as decoded, Image.open(io.BytesIO(jpeg_bytes)) as expected:
        assert numpy.array_equal(numpy.array(decoded), numpy.array(expected))


def test_orientation_is_applied(run: Run, photo: Path) -> None:
    save_turned(photo, 6)

    assert run("decode", photo, "-o", photo.with_name("x.webp")).exit_code == 0
    with Image.open(photo.with_name("x.webp")) as decoded:
        assert decoded.size == (40, 56)


def test_cmyk_arrives_with_the_profile_of_srgb_and_without_its_own(run: Run, photo: Path) -> None:
    with Image.open(photo) as picture:
        picture.convert("CMYK").save(photo, icc_profile=b"one for a press")

    assert run("decode", photo).exit_code == 0
    with Image.open(photo.with_name("photo.decoded.png")) as decoded:
        assert (decoded.mode, decoded.info["icc_profile"]) == ("RGB", srgb_profile())


def test_several_go_to_a_folder_and_a_bad_one_stops_nothing(run: Run, photo: Path, tmp_path: Path) -> None:
    shutil.copy(photo, tmp_path / "other.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"plain text")
    (tmp_path / "results").mkdir()

    result = run("decode", tmp_path / "bad.jpg", photo, tmp_path / "other.jpg", "-o", tmp_path / "results")

    assert result.exit_code == 1
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert "bad.jpg': the file's content is of no known codec" in error
    assert result.stderr.splitlines()[-1] == "2 decoded, 0 skipped, 1 failed"
    assert _files(tmp_path / "results") == ["other.png", "photo.png"]


def test_existing_result_is_kept_unless_told_otherwise(run: Run, photo: Path) -> None:
    existing = photo.with_name("photo.decoded.png")
    existing.write_bytes(b"old")

    result = run("decode", photo)
    assert (result.exit_code, existing.read_bytes()) == (1, b"old")
    assert result.stderr == f"Error: '{existing}' already exists; pass --overwrite (overwrite=True) to replace it\n"

    assert run("decode", photo, "--overwrite").exit_code == 0
    assert existing.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["{folder}/missing.jpg"], 1, "there is no file"),
        (["{folder}/photo.jpg", "-o", "{folder}/x.bmp"], 1, r"cannot be written as '.bmp'"),
        (["{folder}/photo.jpg", "-o", "{folder}/missing/x.png"], 1, "create it first"),
        (["{folder}/photo.jpg", "--codec", "vvc"], 1, "unknown codec 'vvc'"),
        (["{folder}/photo.jpg", "--codec-option", "speed=9"], 1, "unknown option 'speed'"),
        (["{folder}/photo.jpg", "-o", "{folder}/photo.jpg", "--overwrite"], 2, "would replace the input"),
        ([], 2, "Missing argument 'FILE...'"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    run: Run, photo: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    folder = photo.parent

    result = run("decode", *(each.format(folder=folder) for each in arguments))

    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert [line[:7] for line in result.stderr.splitlines()].count("Error: ") == 1
    assert message in result.stderr.splitlines()[-1]
    assert _files(folder) == ["photo.jpg"]


def test_depth_metadata_and_limit_are_those_of_enhancing(run: Run, photo: Path) -> None:
    with Image.open(photo) as picture:
        picture.save(photo, dpi=(300, 300))
    deep, bare = photo.with_name("deep.tiff"), photo.with_name("bare.png")

    assert run("decode", photo, "-o", deep, "--depth", "16").exit_code == 0
    assert run("decode", photo, "-o", bare, "--strip-metadata").exit_code == 0
    refused = run("decode", photo, "-o", photo.with_name("none.png"), "--max-pixels", "100")

    assert deep.stat().st_size > 2 * 3 * 56 * 40
    with Image.open(bare) as picture:
        assert "dpi" not in picture.info
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert _files(photo.parent) == ["bare.png", "deep.tiff", "photo.jpg"]


def test_the_picture_itself_goes_to_standard_output(run: Run, photo: Path) -> None:
    result = run("decode", photo, "-o", "-")

    with Image.open(io.BytesIO(result.stdout_bytes)) as decoded:
        assert (decoded.format, decoded.size) == ("PNG", (56, 40))


def test_a_folder_for_several_is_created(run: Run, photo: Path, tmp_path: Path) -> None:
    shutil.copy(photo, tmp_path / "other.jpg")

    assert run("decode", photo, tmp_path / "other.jpg", "-o", tmp_path / "new").exit_code == 0
    assert _files(tmp_path / "new") == ["other.png", "photo.png"]


def test_a_folder_s_tree_is_mirrored_and_a_second_run_goes_on(run: Run, jpeg_bytes: bytes, tmp_path: Path) -> None:
    for name in ("album/a.jpg", "album/2020/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg_bytes)
    (tmp_path / "album" / "notes.txt").write_text("by the sea")
    folders = (tmp_path / "album", "--recursive", "-o", tmp_path / "plain")

    assert run("decode", *folders).stderr.splitlines()[-3:] == [
        f"{tmp_path / 'album' / '2020' / 'b.jpg'} (2 of 2)",
        "1 file ignored, of no known codec: 1 .txt",
        "2 decoded, 0 skipped, 0 failed",
    ]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        "plain/2020/b.png",
        "plain/a.png",
    ]
    (tmp_path / "plain" / "a.png").unlink()
    again = run("decode", *folders, "--verbose")
    assert (again.exit_code, again.stdout) == (0, f"{tmp_path / 'plain' / 'a.png'}\n")
    assert again.stderr.splitlines()[-1] == "1 decoded, 1 skipped, 0 failed"
    assert f"{tmp_path / 'album' / 'notes.txt'}: ignored, of no known codec" in again.stderr
    assert run("decode", tmp_path / "album").stderr.startswith(f"Error: '{tmp_path / 'album'}' is a folder; pass -")


def test_results_beside_their_sources_are_no_inputs_later(run: Run, photo: Path) -> None:
    pattern = photo.with_name("*")
    assert run("decode", pattern).stderr.splitlines()[-1] == "1 decoded, 0 skipped, 0 failed"
    assert run("decode", pattern).stderr.splitlines()[-1] == "0 decoded, 1 skipped, 0 failed"
    assert _files(photo.parent) == ["photo.decoded.png", "photo.jpg"]
