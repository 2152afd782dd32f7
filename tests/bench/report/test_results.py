"""Results files: what is read of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench_results import make_cell, write_results
from dirac_enhance import BenchmarkError
from dirac_enhance.bench.report.results import read_results


def test_results_are_read(tmp_path: Path) -> None:
    file = read_results(write_results(tmp_path / "kodak.json"))

    assert (file.name, file.set_name, file.images) == ("kodak.json", "kodak", ("01.png", "02.png"))
    assert file.command[:2] == ("dirac-enhance", "bench")
    assert [cell.method for cell in file.cells[:5]] == ["base", "steps", "steps", "peer", "published"]
    assert file.cells[2].metrics == {"psnr": 27.0, "lpips": 0.2}
    assert (file.cells[2].steps, file.cells[2].evaluations) == (100, 3)
    assert file.cells[2].bpp == pytest.approx(0.3)
    assert file.cells[4].bpp is None


def test_what_a_run_could_not_measure_may_be_null(tmp_path: Path) -> None:
    cell = make_cell("peer", None, {}, peer="x", metrics={"fid": {"mean": None, "values": []}}, seed=None)

    (read,) = read_results(write_results(tmp_path / "x.json", cells=[cell])).cells

    assert (read.rate, read.metrics, read.seed) == (None, {}, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "coco"}, 'x.json\' is no results file: its "format" is not "dirac-enhance bench"; pass JSON'),
        ({"version": 2}, "x.json' holds results of version 2, but this report reads version 1; use the"),
        ({"version": "1"}, "holds results of version '1'"),
        ({"cells": {}}, "are damaged (TypeError: {} is no list); measure them again"),
        ({"cells": [3]}, "are damaged (TypeError: "),
        ({"set": None}, "are damaged (TypeError: "),
        ({"set": {"name": "kodak"}}, "are damaged (KeyError: 'pixel_hash')"),
        ({"device": ["cpu"]}, "are damaged (AttributeError: "),
        ({"cells": [make_cell("magic", 10, {})]}, "are damaged (ValueError: method 'magic')"),
        ({"cells": [make_cell("base", 10, {}, rate="10")]}, "are damaged (TypeError: '10' is no number)"),
        ({"cells": [make_cell("base", 10, {}, steps=1.5)]}, "are damaged (TypeError: 1.5 is no whole number)"),
        ({"cells": [make_cell("base", 10, {}, metrics={"psnr": 30})]}, "are damaged (TypeError: "),
        ({"cells": [make_cell("base", 10, {}, protocol="mine")]}, "x.json': unknown protocol 'mine'; expected one of"),
    ],
)
def test_foreign_newer_and_damaged_files_are_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write_results(tmp_path / "x.json", **change)

    with pytest.raises(BenchmarkError) as caught:
        read_results(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x89PNG", "is no results file: it is not JSON"), (b"[" * 100_000, "it is not JSON"), (b"[]", 'its "format"')],
)
def test_files_that_are_no_json_object(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.json").write_bytes(content)

    with pytest.raises(BenchmarkError, match=message):
        read_results(tmp_path / "x.json")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"cannot read '.*none.json': No such file"):
        read_results(tmp_path / "none.json")
