"""`dirac-enhance FILE…`: where results go, what is printed, and that settings reach the enhancer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from click.testing import Result
from PIL import Image

from dirac_enhance import WeightsFile
from small_pictures import save_turned

Run = Callable[..., Result]


def _pixels(path: Path) -> numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]:
    with Image.open(path) as picture:
        return numpy.array(picture)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_result_lies_beside_the_input_and_its_path_is_printed(run: Run, photo: Path) -> None:
    result = run(photo)

    expected = photo.with_name("photo.enhanced.png")
    assert (result.exit_code, result.stdout) == (0, f"{expected}\n")
    assert _pixels(expected).shape == (40, 56, 3)
    assert _files(photo.parent) == ["photo.enhanced.png", "photo.jpg"]


def test_command_may_be_named(run: Run, photo: Path) -> None:
    assert run("enhance", photo).exit_code == 0


def test_options_may_come_first(run: Run, photo: Path) -> None:
    assert run("-o", photo.parent / "x.png", "--steps", "1", photo).exit_code == 0
    assert (photo.parent / "x.png").exists()


def test_several_inputs_go_to_a_folder(run: Run, photo: Path, tmp_path: Path) -> None:
    shutil.copy(photo, tmp_path / "other.jpeg")
    (tmp_path / "results").mkdir()

    result = run(photo, tmp_path / "other.jpeg", "-o", tmp_path / "results", "--steps", "1")

    assert result.exit_code == 0
    assert _files(tmp_path / "results") == ["other.png", "photo.png"]
    assert "photo.jpg (1 of 2)" in result.stderr
    assert "other.jpeg (2 of 2)" in result.stderr


def test_steps_up_to_the_late_start_give_the_same_picture(run: Run, photo: Path, tmp_path: Path) -> None:
    for steps in (1, 80, 81, 100):
        assert run(photo, "--steps", steps, "-o", tmp_path / f"{steps}.png").exit_code == 0

    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "80.png").read_bytes()
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "81.png").read_bytes()
    assert (tmp_path / "81.png").read_bytes() != (tmp_path / "100.png").read_bytes()


def test_same_seed_same_file_other_seed_another(run: Run, photo: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(photo, "--seed", seed, "-o", tmp_path / f"{name}.png")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "evaluations"),
    [
        ([], 3),
        (["--samples", "2"], 6),
        (["--spacing", "paper"], 20),
        (["--evaluations", "5"], 5),
        (["--evaluations", "5", "--end-timestep", "0"], 5),
        (["--steps", "81"], 1),
        (["--steps", "81", "--spacing", "paper"], 1),
        (["--late-start", "95", "--spacing", "paper"], 5),
        (["--steps", "50"], 1),
    ],
)
def test_verbose_tells_what_was_done(
    run: Run, photo: Path, weights: WeightsFile, options: list[str], evaluations: int
) -> None:
    result = run(photo, "--verbose", "--precision", "float32", "--device", "cpu", *options)

    line = result.stderr.splitlines()[-1]
    plural = "s" if evaluations > 1 else ""
    assert line.startswith(f"{photo}: codec jpeg, rate factor 20, 56×40, {evaluations} evaluation{plural}, device cpu,")
    assert f"precision float32, tile auto, weights {str(weights.sha256)[:12]}, " in line
    assert line.endswith(" s")


def test_quiet_prints_nothing(run: Run, photo: Path) -> None:
    assert run(photo, "--quiet").output == ""


def test_tiles_change_the_picture_by_one_level_at_most(run: Run, photo: Path, tmp_path: Path) -> None:
    run(photo, "-o", tmp_path / "whole.png", "--precision", "float32")
    result = run(photo, "-o", tmp_path / "tiled.png", "--precision", "float32", "--tile", "16", "--verbose")

    assert "tile 16" in result.stderr
    difference = _pixels(tmp_path / "whole.png").astype(int) - _pixels(tmp_path / "tiled.png")
    assert abs(difference).max() <= 1


def test_codec_and_its_options_may_be_named(run: Run, photo: Path) -> None:
    assert run(photo, "--codec", "jpeg", "--codec-option", "subsampling=4:4:4").exit_code == 0


def test_existing_result_is_kept_unless_told_otherwise(run: Run, photo: Path) -> None:
    existing = photo.with_name("photo.enhanced.png")
    existing.write_bytes(b"old")

    result = run(photo)
    assert result.exit_code == 1
    assert f"Error: '{existing}' already exists; pass --overwrite" in result.stderr
    assert existing.read_bytes() == b"old"

    assert run(photo, "--overwrite").exit_code == 0
    assert _pixels(existing).shape == (40, 56, 3)


def test_exif_orientation_is_applied(run: Run, photo: Path) -> None:
    save_turned(photo, 6, quality=20)

    assert run(photo).exit_code == 0
    with Image.open(photo.with_name("photo.enhanced.png")) as picture:
        assert picture.size == (40, 56)
        assert picture.getexif()[0x0112] == 1


def test_weights_of_another_codec_are_used_with_a_warning(run: Run, photo: Path, weights: WeightsFile) -> None:
    from dataclasses import replace

    from dirac_enhance.weights import save_weights

    loaded = weights.load()
    other = photo.parent / "vtm.safetensors"
    save_weights(other, loaded.state_dict, replace(loaded.metadata, codec_id="vtm"))

    result = run(photo, "--weights", other)

    assert result.exit_code == 0
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert warnings == [f"Warning: the weights '{other}' were trained for codec 'vtm', not 'jpeg'"]


def test_an_output_written_as_a_folder_is_created(run: Run, photo: Path, tmp_path: Path) -> None:
    assert run(photo, "-o", f"{tmp_path}/new/results/", "--steps", "1").exit_code == 0
    assert _files(tmp_path / "new" / "results") == ["photo.png"]
    assert "already exists" in run(photo, "-o", f"{tmp_path}/new/results/", "--steps", "1").stderr


def test_a_folder_for_nothing_is_not_created(run: Run, photo: Path, tmp_path: Path) -> None:
    photo.write_bytes(b"plain text")

    assert run(photo, "-o", f"{tmp_path}/new/").exit_code == 1
    assert not (tmp_path / "new").exists()
