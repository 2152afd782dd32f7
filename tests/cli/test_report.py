"""`dirac-enhance report RESULTS…`: the page it writes, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
from click.testing import Result
from PIL import Image

from bench_results import make_cell, usual_cells, write_results
from dirac_enhance import WeightsFile
from report_page import Page

Run = Callable[..., Result]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_results(tmp_path / "kodak.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small originals."""
    (tmp_path / "originals").mkdir()
    rows, columns = numpy.mgrid[0:40, 0:56]
    samples = numpy.stack([rows * 6, columns * 4, (rows * columns) % 256], axis=-1).astype(numpy.uint8)
    for name in ("01.png", "02.png"):
        Image.fromarray(samples).save(tmp_path / "originals" / name)
    return tmp_path / "originals"


def test_page_of_results_alone(run: Run, results: Path, tmp_path: Path) -> None:
    result = run("report", results, "-o", tmp_path / "report.html")

    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{tmp_path / 'report.html'}\n", "")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert ["steps 100", "27.00 +0.50", "29.50 +0.50"] in page.table("PSNR")
    assert not [tag for tag, _ in page.elements if tag in ("img", "input")]


def test_results_of_a_real_run_become_a_page(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ("--rates", "10,40", "--steps", "1,90,100", "--metrics", "psnr,ssim", "--device", "cpu")
    assert run("bench", folder, *settings).exit_code == 0

    result = run("report", tmp_path / "results" / "results.json", "--pictures", folder, "--crop", "01.png")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "report.html\n", "")
    page = Page(Path("report.html").read_text(encoding="utf-8"))
    assert [row[0] for row in page.table("PSNR")] == [
        *("rate factor", "bits per pixel", "not enhanced", "steps 1", "steps 90", "steps 100"),
    ]
    assert "dirac-enhance" in page.text
    assert "results/results.json" in page.text
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == [
        f"01.png, {label}" for label in ("original", "jpeg 10", "steps 1", "steps 100")
    ]


def test_pictures_are_made_at_the_rate_and_with_the_codec_of_the_results(
    run: Run, results: Path, folder: Path, weights: WeightsFile
) -> None:
    target = folder.parent / "report.html"
    arguments = ("--pictures", folder, "--crop", "02.png:8,4,32,24", "--crop", "01.png", "--precision", "float32")
    result = run("report", results, "-o", target, *arguments, "--title", "Mine & yours")

    assert result.exit_code == 0
    (warning,) = result.stderr.splitlines()
    assert warning == (
        f"Warning: the pictures are made with weights {weights.load().sha256[:12]}, but the figures with 77d2bcde0123"
    )
    page = Page(target.read_text(encoding="utf-8"))
    pictures = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    assert pictures == [
        f"{name}, {label}" for name in ("02.png", "01.png") for label in ("original", "jpeg 10", "steps 1", "steps 100")
    ]
    assert "Mine & yours" in page.text


@pytest.mark.parametrize(
    ("settings", "evaluations"),
    [
        (("--spacing", "paper", "--late-start", "95", "--eta", "0.5", "--seed", "7"), "5 evaluations"),
        (("--evaluations", "2", "--codec-option", "subsampling=4:4:4"), "2 evaluations"),
    ],
)
def test_pictures_are_made_with_the_settings_of_the_figures(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: tuple[str, ...], evaluations: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "02.png").unlink()
    common = ("--rates", "10", "--steps", "100", "--metrics", "psnr", "--device", "cpu", "--precision", "float32")
    assert run("bench", folder, *common, *settings).exit_code == 0
    base, steps = json.loads(Path("results", "results.json").read_text())["cells"]

    arguments = ("--pictures", folder, "--crop", "01.png", "--steps", "100", "--device", "cpu")
    result = run("report", tmp_path / "results" / "results.json", *arguments, "--precision", "float32")

    assert (result.exit_code, result.stderr) == (0, "")
    text = Page(Path("report.html").read_text(encoding="utf-8")).text
    assert f"{base['metrics']['psnr']['mean']:.2f} dB, {base['bpp']['mean']:.3f} bpp" in text
    assert f"{steps['metrics']['psnr']['mean']:.2f} dB, {evaluations}" in text


def test_rates_steps_and_absent_peers_are_as_asked(
    run: Run, results: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    target = folder.parent / "report.html"
    chosen = ("--crop", "01.png", "--rate", "30", "--rate", "5", "--steps", "90", "--peer", "jpeg2png")

    result = run("report", results, "-o", target, "--pictures", folder, *chosen)

    assert result.exit_code == 0
    assert "Warning: the peer 'jpeg2png' is left out: " in result.stderr
    page = Page(target.read_text(encoding="utf-8"))
    pictures = [attributes["data-label"] for _, attributes in page.elements if attributes.get("class") == "version"]
    assert pictures == [label for rate in (30, 5) for label in ("original", f"jpeg {rate}", "steps 90")]


def test_existing_page_is_kept_unless_told_otherwise(run: Run, results: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")

    result = run("report", results, "-o", target)
    assert (result.exit_code, target.read_text()) == (1, "old")
    assert "already exists; pass --overwrite" in result.stderr
    assert run("report", results, "-o", target, "--overwrite").exit_code == 0
    assert target.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ([], 2, "Missing argument 'RESULTS…'"),
        (["{folder}/none.json"], 1, "cannot read '"),
        (["{folder}/originals/01.png"], 1, "01.png': no text; give a results file of"),
        (
            ["{folder}/kodak.json", "{folder}/newer.json"],
            1,
            "newer.json': version 3 given; this program reads versions 1 and 2",
        ),
        (["{folder}/empty.json"], 1, "there are no figures in '"),
        (["{folder}/kodak.json", "--crop", "01.png"], 2, "name their folder with --pictures FOLDER"),
        (["{folder}/kodak.json", "--steps", "0"], 2, "0 is not in the range"),
        (["{folder}/kodak.json", "--pictures", "{folder}/nowhere"], 1, "there is no folder"),
        (["{folder}/kodak.json", "--pictures", "{originals}", "--crop", "03"], 1, "there is no picture '03' in"),
        (["{folder}/kodak.json", "--pictures", "{originals}", "--crop", "01:50,0,9,9"], 1, "reaches beyond '01"),
        (
            ["{folder}/kodak.json", "--pictures", "{originals}", "--crop", "01:5,0,0,9"],
            1,
            "is no crop; expected",
        ),
        (["{folder}/kodak.json", "--pictures", "{originals}", "--peer", "x"], 1, "unknown peer 'x'"),
        (["{folder}/kodak.json", "--pictures", "{originals}", "--rate", "101"], 1, "101"),
        (["{folder}/kodak.json", "--pictures", "{originals}", "--codec", "vvc"], 1, "unknown codec 'vvc'"),
        (["{folder}/two.json", "--pictures", "{originals}"], 1, "are about 2 codecs; name that of the pictures"),
        (
            ["{folder}/empty_rates.json", "--pictures", "{originals}"],
            1,
            "have no rate of codec 'jpeg'; name one",
        ),
    ],
)
@pytest.mark.usefixtures("results")
def test_bad_input_is_one_line_and_nothing_is_written(
    run: Run, folder: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    home = folder.parent
    write_results(home / "newer.json", version=3)
    write_results(home / "empty.json", cells=[])
    write_results(home / "two.json", cells=[*usual_cells(), make_cell("base", 32, {"psnr": 35.0}, codec="vtm")])
    write_results(home / "empty_rates.json", cells=[make_cell("peer", 10, {"psnr": 30.0}, peer="jpeg2png")])

    result = run(
        "report", *(each.format(folder=home, originals=folder) for each in arguments), "-o", home / "report.html"
    )

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert [line[:7] for line in result.stderr.splitlines()].count("Error: ") == 1
    assert message in result.stderr.splitlines()[-1]
    assert not (home / "report.html").exists()
