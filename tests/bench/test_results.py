"""Results files: what is read back, what is refused, and which tables they become."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench_results import make_cell
from dirac_enhance import BenchmarkError, DiracWarning
from dirac_enhance.bench.cells import Cell, CellKey, Printed, Values
from dirac_enhance.bench.published_cells import published_cells
from dirac_enhance.bench.results import LeftOut, Results, ResultsFolder, read_results
from dirac_enhance.bench.results_table import tables_of, to_markdown, to_text
from dirac_enhance.bench.runs import Run

BASE = Cell(
    CellKey("jpeg", 10.0, "base", "jpeg-colour", codec_options=(("subsampling", "4:4:4"),)),
    bpp=Values.of([0.5, 0.25]),
    metrics={"psnr": Values.of([30.0, 31.0]), "ssim": Values.of([0.75, 0.875]), "fid256": Values(12.5)},
    seconds_per_megapixel=0.01,
)
STEPS = replace(
    BASE,
    key=replace(BASE.key, method="steps", weights_sha256="c" * 64, steps=100, samples=8, evaluations=16, eta=0.5),
    peak_memory_mib=100.5,
)
PUBLISHED = Cell(
    CellKey("MS-ILLM", None, "published", "codec", peer="MS-ILLM at 0.1 bpp"),
    bpp=Values(0.1),
    metrics={"psnr": Values(25.5)},
    published=Printed("somewhere", verified=False, figures={"psnr": "25.50"}, marks={"psnr": "≈"}),
)
RUN = Run(("dirac-enhance", "bench"), "2026-01-02T03:04:05+00:00", {"cpu": "x"}, {"cores": 2}, {"torch": "2"})
RESULTS = Results("kodak", ("a.png", "b.png"), "0" * 64, (RUN,))


def written(path: Path, results: Results) -> Path:
    path.write_text(results.to_json(), encoding="utf-8")
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    results = replace(RESULTS, left_out=(LeftOut("lpips", "no backbone"),)).with_cells([PUBLISHED, STEPS, BASE])

    assert read_results(written(tmp_path / "r.json", results)) == results


def test_the_csv_file_says_how_surely_published_figures_are_known() -> None:
    read = replace(
        PUBLISHED, key=replace(PUBLISHED.key, peer="read"), published=Printed("a, paper", True, {"psnr": "25.50"})
    )
    text = RESULTS.with_cells([BASE, PUBLISHED, read]).to_csv()
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [(row["psnr"], row["verified"], row["marks"], row["source"]) for row in rows] == [
        ("25.5", "no", "psnr≈", "somewhere"),
        ("25.5", "yes", "", "a, paper"),
        ("30.5", "", "", ""),
    ]


def test_an_infinite_value_is_null_and_so_is_its_mean() -> None:
    assert Values.of([float("inf"), 30.0]) == Values(None, (None, 30.0))
    assert Values.of([]) == Values(None)


def test_a_cell_measured_again_keeps_metrics_that_were_not() -> None:
    other = replace(BASE, metrics={"psnr": Values.of([1.0, 2.0])})
    (cell,) = RESULTS.with_cells([BASE]).with_cells([other]).cells

    assert cell.metrics == {**BASE.metrics, **other.metrics}


def test_published_figures_are_renewed_by_each_run(tmp_path: Path) -> None:
    written(tmp_path / "results.json", RESULTS.with_cells([BASE, PUBLISHED]))

    assert ResultsFolder(tmp_path, RESULTS).results.cells == (BASE,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3 given; this program reads versions 1 and 2"),
        ({"images": ["a.png"]}, "2 images stated, 1 named"),
        ({"cells": [{"codec": "jpeg"}]}, "a cell is damaged"),
        ({"cells": 5}, "is no results file"),
        ({"cells": [3]}, "a cell is damaged"),
        ({"cells": [make_cell("magic", 10, {})]}, "a cell is damaged \\(ValueError: method 'magic'"),
        ({"cells": [make_cell("base", 10, {}, rate="10")]}, "'10', .* is no number"),
        ({"cells": [make_cell("base", 10, {}, steps=1.5)]}, "1.5, .* is no whole number"),
        ({"cells": [make_cell("base", 10, {}, metrics={"psnr": 30})]}, "a cell is damaged"),
        ({"cells": [make_cell("base", 10, {}, protocol="mine")]}, "unknown protocol 'mine'; expected one of"),
        ({"runs": [{"command": [], "device": ["cpu"], "versions": {}}]}, "is no results file"),
        ({"cells": [make_cell("base", 10, {}, run=1)]}, "a cell is of run 1; the file has 1, counted from 0"),
        ({"cells": [make_cell("base", 10, {"psnr": 1.0}, metric_runs={"psnr": -1})]}, "a cell is of run -1"),
        ({"set": None}, "is no results file"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    contents = json.loads(RESULTS.with_cells([BASE]).to_json()) | change
    path = tmp_path / "r.json"
    path.write_text(json.dumps(contents))

    with pytest.raises(BenchmarkError, match=message):
        read_results(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"\x89PNG", b"[" * 100_000, b"[1, 2]", b'{"format": "dirac-enhance bench"}']
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.json").write_bytes(content)

    with pytest.raises(BenchmarkError, match=r"r\.json"):
        read_results(tmp_path / "r.json")


def test_a_cell_needs_a_value_for_each_image(tmp_path: Path) -> None:
    short = replace(BASE, metrics={"psnr": Values.of([30.0])})

    with pytest.raises(BenchmarkError, match="psnr of 'base' has 1 values for 2 images"):
        read_results(written(tmp_path / "r.json", RESULTS.with_cells([short])))


def test_jpeg_stands_beside_codecs_with_what_is_measured_alike() -> None:
    colour, codec = tables_of([RESULTS.with_cells([BASE, STEPS, PUBLISHED])])

    assert (colour.protocol.id, codec.protocol.id) == ("jpeg-colour", "codec")
    assert [measure.id for measure in colour.measures] == ["psnr", "ssim", "fid256"]
    assert [measure.id for measure in codec.measures] == ["psnr", "fid256"]
    assert [cell.key.method for cell in codec.cells] == ["base", "steps", "published"]


def test_published_figures_alone_are_no_table() -> None:
    assert tables_of([RESULTS.with_cells([PUBLISHED])]) == ()


def test_sets_are_kept_apart() -> None:
    first, second = tables_of(
        [RESULTS.with_cells([BASE]), replace(RESULTS, set_name="b", pixel_hash="1" * 64).with_cells([BASE])]
    )

    assert (first.set_name, second.set_name) == ("kodak", "b")


def test_the_same_cell_of_two_files_is_one_row() -> None:
    (table,) = tables_of([RESULTS.with_cells([BASE]), RESULTS.with_cells([BASE, STEPS])])

    assert len(table.cells) == 2


def test_other_figures_of_a_cell_in_a_later_file_count_with_a_warning() -> None:
    again = replace(BASE, metrics={"psnr": Values.of([20.0, 22.0])})

    with pytest.warns(DiracWarning, match=r"1 cells have other figures in a later file, the first of 'kodak'"):
        (table,) = tables_of([RESULTS.with_cells([BASE]), RESULTS.with_cells([again])])
    assert table.cells == (again,)


def test_tables_print_what_was_measured() -> None:
    (_, table) = tables_of([RESULTS.with_cells([BASE, STEPS, PUBLISHED])])
    markdown = to_markdown(table).splitlines()

    assert markdown[0] == "**kodak, 2 images (pixels 00000000), protocol codec**"
    assert markdown[2] == "| codec | rate | bpp | method | evals | PSNR, dB | FID/256 | s/MP |"
    assert markdown[4] == "| jpeg | 10 | 0.375 | not enhanced |  | 30.50 | 12.50 | 0.01 |"
    assert markdown[5] == "| jpeg | 10 | 0.375 | steps 100, mean of 8 | 16 | 30.50 | 12.50 | 0.01 |"
    assert markdown[6] == "|  |  | 0.100 | MS-ILLM (published) |  | 25.50≈ |  |  |"
    assert markdown[-4:] == [
        "Weights: cccccccccccc.",
        "Published figures: somewhere.",
        "Published, but not at hand: CDC (Yang and Mandt, buggyyang/CDC_compression).",
        "≈ read off a plot.",
    ]
    text = to_text(table).splitlines()
    assert text[2].split() == ["jpeg", "10", "0.375", "not", "enhanced", "30.50", "12.50", "0.01"]
    assert len(text[1]) == len(text[2]) == len(text[3])


def test_published_cells_meet_the_protocol_and_name_their_source() -> None:
    cells = published_cells(set_name="kodak", protocols=["jpeg-colour"], measures=["psnr", "ssim"], rates=[10.0])

    assert {cell.key.protocol for cell in cells} == {"codec"}
    assert len({cell.key for cell in cells}) == len(cells) > 10
    assert all(cell.published is not None and cell.published.source for cell in cells)
    assert {name for cell in cells for name in cell.metrics} == {"psnr"}


def test_published_cells_are_those_of_the_rates_asked_for() -> None:
    cells = published_cells(set_name="live1", protocols=["jpeg-colour"], measures=["psnr"], rates=[20.0])

    assert {cell.key.rate for cell in cells} == {20.0}
    (qgac,) = [cell for cell in cells if cell.key.peer == "QGAC"]
    assert qgac.published is not None
    assert (qgac.published.verified, qgac.published.marks) == (False, {"psnr": "†"})


def test_nothing_measured_on_simulated_jpeg_meets_a_protocol_of_files() -> None:
    assert published_cells(set_name="live1", protocols=["ddrm-jpeg"], measures=["psnr"], rates=[20.0]) == ()
