"""`dirac-enhance contact-sheet FILE`: what the sheet shows, and bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from click.testing import Result
from PIL import Image

from dirac_enhance import BaseReconstruction, Enhancer, ImageMetadata, TrajectoryPoint, WeightsFile, load_enhancer
from dirac_enhance.contact_sheet.sheet import enhance_to_steps, to_samples
from dirac_enhance.sampling import SamplingSettings
from random_weights import save_random_weights
from small_pictures import save_turned

Run = Callable[..., Result]
Samples = numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]


def _samples(path: Path) -> Samples:
    with Image.open(path) as picture:
        return numpy.array(picture.convert("RGB"))


def _holds(sheet: Samples, part: Samples) -> bool:
    """Whether `part` stands somewhere in the sheet, sample for sample."""
    windows = numpy.lib.stride_tricks.sliding_window_view(sheet, part.shape)
    starts = numpy.argwhere((windows[..., 0, 0, 0] == part[0, 0, 0]) & (windows[..., -1, -1, -1] == part[-1, -1, -1]))
    return any(numpy.array_equal(windows[tuple(start)], part) for start in starts)


def test_sheet_shows_the_base_and_each_step_enlarged(run: Run, photo: Path, tmp_path: Path) -> None:
    result = run("contact-sheet", photo, "--steps", "100,1,81", "--crop", "8,4,32,24", "--precision", "float32")

    target = photo.with_name("photo.contact-sheet.png")
    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    sheet = _samples(target)
    run("decode", photo, "-o", tmp_path / "base.png")
    for steps in (1, 81, 100):
        run("enhance", photo, "--steps", steps, "-o", tmp_path / f"{steps}.png", "--precision", "float32")
    for name in ("base", "1", "81", "100"):
        crop = _samples(tmp_path / f"{name}.png")[4:28, 8:40]
        assert _holds(sheet, crop.repeat(2, axis=0).repeat(2, axis=1)), name


def test_each_step_costs_its_evaluations_once(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []
    trajectory = Enhancer.trajectory

    def walk(enhancer: Enhancer, base: BaseReconstruction, **keywords: Any) -> Iterator[TrajectoryPoint]:
        walks.append(keywords["steps"])
        return trajectory(enhancer, base, **keywords)

    monkeypatch.setattr(Enhancer, "trajectory", walk)

    assert run("contact-sheet", photo, "--steps", "1,50,81,90,100").exit_code == 0
    assert walks == [50, 100]


def test_default_steps_begin_after_the_late_start_of_the_weights(run: Run, photo: Path, tmp_path: Path) -> None:
    weights = save_random_weights(tmp_path / "late.safetensors", late_start=60).path

    for options, name in (
        (("--weights", weights), "default"),
        (("--weights", weights, "--steps", "1,61,100"), "asked"),
    ):
        assert run("contact-sheet", photo, *options, "-o", tmp_path / f"{name}.png").exit_code == 0

    assert (tmp_path / "default.png").read_bytes() == (tmp_path / "asked.png").read_bytes()


def test_steps_that_share_a_picture_are_named_with_the_way_to_tell_them_apart(run: Run, photo: Path) -> None:
    for options, said in (
        (
            ("--steps", "1,50,81,85,90,100"),
            "The same picture: steps 85 as steps 81; --spacing paper gives each its own.",
        ),
        (("--steps", "1,81,85,90,100", "--spacing", "paper"), ""),
        (("--zoom", "2"), ""),  # the default steps
    ):
        result = run("contact-sheet", photo, *options, "--overwrite")

        assert result.exit_code == 0
        assert "".join(line for line in result.stderr.splitlines() if line.startswith("The same")) == said


def test_columns_are_labelled_with_what_led_to_them(weights: WeightsFile) -> None:
    enhancer = load_enhancer("jpeg", weights=weights, device="cpu", precision="float32")
    base = BaseReconstruction(torch.full((3, 16, 24), 0.5), coded_bytes=9, rate_factor=20)
    progress: list[tuple[int, int]] = []

    versions = enhance_to_steps(
        enhancer,
        base,
        (100, 81, 85, 90, 1, 50, 81),
        sampling=SamplingSettings(),
        progress=lambda *counts: progress.append(counts),
    )

    assert [(version.label, version.note) for version in versions] == [
        ("steps 1", "1 evaluation from pure noise"),
        ("steps 50", "the same as steps 1"),
        ("steps 81", "1 evaluation after position 80"),
        ("steps 85", "the same as steps 81"),
        ("steps 90", "2 evaluations after position 80"),
        ("steps 100", "3 evaluations after position 80"),
    ]
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert versions[2].samples is versions[3].samples
    assert not torch.equal(versions[3].samples, versions[4].samples)


def test_transparent_parts_are_mid_grey_and_the_picture_is_upright() -> None:
    alpha = torch.zeros(2, 3)
    alpha[0, 0] = 1
    base = BaseReconstruction(torch.ones(3, 2, 3), coded_bytes=9, alpha=alpha, metadata=ImageMetadata(orientation=6))

    samples = to_samples(base.pixels, base)

    assert samples.shape == (3, 3, 2)
    assert samples[0].tolist() == [[128, 255], [128, 128], [128, 128]]


def test_sheet_is_upright_and_keeps_the_profile(run: Run, photo: Path, swapped_profile: bytes) -> None:
    save_turned(photo, 6, icc_profile=swapped_profile)

    assert run("contact-sheet", photo, "--steps", "1", "--crop", "0,0,40,56", "--zoom", "1").exit_code == 0
    run("decode", photo)
    with Image.open(photo.with_name("photo.contact-sheet.png")) as sheet:
        assert sheet.info["icc_profile"] == swapped_profile
        assert _holds(numpy.array(sheet), _samples(photo.with_name("photo.decoded.png")))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (17, 40)])
def test_picture_of_any_size_has_a_sheet(run: Run, tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "teal").save(tmp_path / "odd.jpg")

    assert run("contact-sheet", tmp_path / "odd.jpg", "--steps", "1", "-o", tmp_path / "sheet.webp").exit_code == 0
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.format == "WEBP"


def test_existing_sheet_is_kept_unless_told_otherwise(run: Run, photo: Path) -> None:
    existing = photo.with_name("photo.contact-sheet.png")
    existing.write_bytes(b"old")

    result = run("contact-sheet", photo, "--steps", "1")
    assert (result.exit_code, existing.read_bytes()) == (1, b"old")
    assert "already exists; pass --overwrite" in result.stderr
    assert run("contact-sheet", photo, "--steps", "1", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--steps", "0"], 2, "0 is not in the range 1<=x<=100"),
        (["--steps", "1,101"], 2, "101 is not in the range 1<=x<=100"),
        (["--steps", "1;100"], 2, "'1;100' is not a valid integer range"),
        (["--steps", ""], 2, "'' is not a valid integer range"),
        (["--steps", ",".join(map(str, range(1, 14)))], 1, "13 different steps given; expected 1 to 12"),
        (["--crop", "1,2,3"], 2, "'1,2,3'; expected X,Y,WIDTH,HEIGHT in pixels, as in 120,80,192,144"),
        (["--crop", "0,0,0,8"], 2, "'0,0,0,8'; expected X,Y,WIDTH,HEIGHT"),
        (["--crop", "50,0,8,8"], 1, "the crop 50,0,8,8 reaches beyond the picture of 56×40 pixels"),
        (["--crop=-1,0,8,8"], 1, "the crop -1,0,8,8 reaches beyond the picture"),
        (["--crop", "0,0,1,1"] * 9, 1, "9 crops given; expected at most 8"),
        (["--zoom", "3"], 2, "'3' is not one of '1', '2'"),
        (["-o", "{folder}/x.bmp"], 1, "cannot be written as '.bmp'"),
        (["--codec", "vvc"], 1, "unknown codec 'vvc'"),
        (["--weights", "{folder}/none.safetensors"], 1, "none.safetensors': there is no such file"),
        (["--evaluations", "3", "--spacing", "paper"], 1, "3 evaluations given, but the paper's spacing"),
        (["--end-timestep", "3", "--spacing", "paper"], 1, "end timestep 3 given, but the paper's spacing"),
    ],
)
def test_bad_option_is_one_line_and_nothing_is_written(
    run: Run, photo: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    result = run("contact-sheet", photo, *(each.format(folder=photo.parent) for each in arguments))

    _check_refused(result, message, exit_code=exit_code)
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize(("name", "message"), [("missing.jpg", "there is no file"), ("notes.jpg", "of no known codec")])
def test_file_that_is_no_picture(run: Run, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "notes.jpg").write_bytes(b"plain text")

    _check_refused(run("contact-sheet", tmp_path / name), message)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.jpg"]


def _check_refused(result: Result, message: str, *, exit_code: int = 1) -> None:
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert [line[:7] for line in result.stderr.splitlines()].count("Error: ") == 1
    assert message in result.stderr.splitlines()[-1]
