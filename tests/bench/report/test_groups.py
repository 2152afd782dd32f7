"""Groups: figures of one set and protocol side by side, others never."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench_results import make_cell, usual_cells, write_results
from dirac_enhance import DiracWarning
from dirac_enhance.bench.published import load_published
from dirac_enhance.bench.report.groups import group_results
from dirac_enhance.bench.report.results import read_results


def _labels(tmp_path: Path, *cells: dict[str, object]) -> list[str]:
    (group,) = group_results([read_results(write_results(tmp_path / "x.json", cells=list(cells)))])
    return [series.label for series in group.series]


def test_protocols_and_sets_stand_apart(tmp_path: Path) -> None:
    simulated = make_cell("peer", 10, {"psnr": 28.0}, peer="ddrm", protocol="ddrm-jpeg")
    one = write_results(tmp_path / "one.json", cells=[*usual_cells(), simulated])
    other = write_results(tmp_path / "other.json", set={"name": "kodak", "images": 1, "pixel_hash": "ab"})

    groups = group_results([read_results(one), read_results(other)])

    assert [(group.protocol.id, group.pixel_hash[:2], len(group.series)) for group in groups] == [
        ("jpeg-colour", "f4", 5),
        ("ddrm-jpeg", "f4", 1),
        ("jpeg-colour", "ab", 5),
    ]


def test_files_of_one_set_and_protocol_stand_together(tmp_path: Path) -> None:
    one = write_results(tmp_path / "one.json", cells=[make_cell("base", 10, {"psnr": 26.0})])
    other = write_results(tmp_path / "two.json", cells=[make_cell("base", 5, {"psnr": 24.0, "ssim": 0.7})])

    (group,) = group_results([read_results(one), read_results(other)])

    assert [list(series.cells) for series in group.series] == [[5.0, 10.0]]
    assert group.metrics == ("psnr", "ssim")


def test_cell_measured_again_replaces_the_first_with_a_warning(tmp_path: Path) -> None:
    files = [
        read_results(write_results(tmp_path / f"{decibels}.json", cells=[make_cell("steps", 10, {"psnr": decibels})]))
        for decibels in (27.0, 27.5)
    ]

    with pytest.warns(DiracWarning, match=r"'27.5.json' measures steps 100 at 10.0 again"):
        (group,) = group_results(files)
    assert [cell.metrics for series in group.series for cell in series.cells.values()] == [{"psnr": 27.5}]


def test_the_same_file_twice_is_no_reason_to_warn(tmp_path: Path) -> None:
    file = read_results(write_results(tmp_path / "x.json"))

    assert group_results([file, file]) == group_results([file])


def test_series_are_in_order_and_labelled(tmp_path: Path) -> None:
    averaged = make_cell("steps", 10, {"psnr": 28.0}, samples=8)

    assert _labels(tmp_path, *reversed([*usual_cells(), averaged])) == [
        "jpeg, not enhanced",
        "steps 1",
        "steps 100",
        "steps 100, mean of 8",
        "jpeg2png",
        "Somebody",
    ]


@pytest.mark.parametrize(
    ("difference", "labels"),
    [
        ({"weights_sha256": "abcdef0123"}, ["steps 100, weights 77d2bcde", "steps 100, weights abcdef01"]),
        ({"spacing": "paper"}, ["steps 100, log-snr spacing", "steps 100, paper spacing"]),
        ({"evaluations": 1}, ["steps 100, 3 evaluations", "steps 100, 1 evaluation"]),
        ({"seed": 5}, ["steps 100, seed 0", "steps 100, seed 5"]),
        ({"method": "published", "peer": "steps 100"}, ["steps 100", "steps 100, published"]),
        ({"codec": "vtm"}, ["steps 100, jpeg", "steps 100, vtm"]),
    ],
)
def test_methods_that_differ_in_little_are_told_apart(
    tmp_path: Path, difference: dict[str, object], labels: list[str]
) -> None:
    cell = make_cell("steps", 10, {"psnr": 27.0})

    assert _labels(tmp_path, cell, {**cell, **difference}) == labels


def test_published_figures_that_are_not_verified_are_known(tmp_path: Path) -> None:
    figure = next(figure for table in load_published().tables for figure in table.figures if not figure.verified)
    keywords = {"peer": figure.method, "protocol": figure.protocol}
    cells = [
        make_cell("published", figure.rate, {figure.metric: figure.value, "other": 1.0}, **keywords),
        make_cell("peer", figure.rate, {figure.metric: figure.value}, **keywords),
    ]
    path = write_results(tmp_path / "x.json", cells=cells, set={"name": figure.set_id, "images": 2, "pixel_hash": "ab"})

    (group,) = group_results([read_results(path)])
    measured, published = (next(iter(series.cells.values())) for series in group.series)

    assert group.evidence(published, figure.metric) == figure.evidence
    assert group.evidence(published, "other") == "read"
    assert group.evidence(measured, figure.metric) == "measured"
