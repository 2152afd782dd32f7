"""Series: methods over their rates, each with a label unlike the others'."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench_results import make_cell, usual_cells, write_results
from dirac_enhance.bench.results import read_results
from dirac_enhance.bench.series import Series, series_of


def _series(tmp_path: Path, *cells: dict[str, object]) -> tuple[Series, ...]:
    return series_of(read_results(write_results(tmp_path / "x.json", cells=list(cells))).cells)


def _labels(tmp_path: Path, *cells: dict[str, object]) -> list[str]:
    return [each.label for each in _series(tmp_path, *cells)]


def test_series_are_in_order_and_labelled(tmp_path: Path) -> None:
    averaged = make_cell("steps", 10, {"psnr": 28.0}, samples=8)
    found = _series(tmp_path, *reversed([*usual_cells(), averaged]))

    assert [each.label for each in found] == [
        "not enhanced",
        "steps 1",
        "steps 100",
        "steps 100, mean of 8",
        "jpeg2png",
        "Somebody",
    ]
    assert found[1].name == "jpeg, steps 1"
    assert list(found[1].cells) == [10, 20]


def test_steps_between_two_evaluations_are_one_series(tmp_path: Path) -> None:
    cells = [
        make_cell("steps", rate, {"psnr": decibels + rate}, steps=steps, evaluations=evaluations)
        for rate in (10, 20)
        for steps, evaluations, decibels in (
            (1, 1, 27),
            (81, 1, 26),
            (85, 1, 26),
            (90, 1, 26),
            (95, 2, 25),
            (100, 2, 25),
        )
    ]

    assert _labels(tmp_path, *cells) == ["steps 1", "steps 81–90", "steps 95–100"]
    assert [each.key.steps for each in _series(tmp_path, *cells)] == [1, 90, 100]
    assert _labels(tmp_path, *cells[:-1]) == ["steps 1", "steps 81–90", "steps 95", "steps 100"], "one lacks a rate"


@pytest.mark.parametrize(
    ("difference", "labels"),
    [
        ({"weights_sha256": "abcdef0123"}, ["steps 100, weights 77d2bcde", "steps 100, weights abcdef01"]),
        ({"spacing": "paper"}, ["steps 100, log-snr spacing", "steps 100, paper spacing"]),
        ({"evaluations": 1}, ["steps 100, 3 evaluations", "steps 100, 1 evaluation"]),
        ({"late_start": 90}, ["steps 100", "steps 100, late start 90"]),
        ({"eta": 1.0}, ["steps 100, η 0", "steps 100, η 1"]),
        ({"seed": 5}, ["steps 100, seed 0", "steps 100, seed 5"]),
        ({"codec_options": {"chroma": "444"}}, ["steps 100", "steps 100, chroma 444"]),
        ({"method": "published", "peer": "steps 100"}, ["steps 100", "steps 100, published"]),
        ({"codec": "vtm"}, ["steps 100", "steps 100"]),
    ],
)
def test_methods_that_differ_in_little_are_told_apart(
    tmp_path: Path, difference: dict[str, object], labels: list[str]
) -> None:
    cell = make_cell("steps", 10, {"psnr": 27.0})
    other = {**cell, "metrics": {"psnr": {"mean": 26.0, "values": []}}, **difference}
    found = _series(tmp_path, cell, other)

    assert [each.label for each in found] == labels
    assert len({each.name for each in found}) == 2


def test_figures_published_by_bits_per_pixel_are_one_series_of_their_method(tmp_path: Path) -> None:
    cells = [
        make_cell("published", None, {"psnr": 30.0}, codec="MS-ILLM", peer=f"at {bpp}", bpp={"mean": bpp, "values": []})
        for bpp in (0.5, 0.25)
    ]
    (found,) = _series(tmp_path, *cells)

    assert (found.label, found.name, list(found.cells)) == ("MS-ILLM", "MS-ILLM", [0.25, 0.5])
