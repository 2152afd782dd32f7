"""Two records on one rate axis: interpolated by hand, over the same pictures, and never beyond what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import rate_axis

Values = tuple[float, float]
"""Bits per pixel and PSNR of a picture."""


def make_row(quality: float, method: str, pictures: dict[str, Values], *, trajectory: str = "") -> dict[str, Any]:
    values = {name: {"bits_per_pixel": bpp, "psnr": psnr} for name, (bpp, psnr) in pictures.items()}
    psnr = sum(psnr for _, psnr in pictures.values()) / len(pictures)
    return {"quality": quality, "method": method, "trajectory": trajectory, "psnr": psnr, "pictures": values}


def make_record(codec: str, *rows: dict[str, Any], digest: str = "0" * 64) -> dict[str, Any]:
    weights = {"sha256": codec * 12, "precision": "bfloat16", "device": "cpu"}
    return {"codec": codec, "date": "2026-01-02T03:04:05", "pixels_sha256": digest, "weights": weights, "rows": [*rows]}


VTM = make_record(
    "vtm",
    make_row(27, "base", {"a": (0.8, 34)}),
    make_row(27, "steps 1", {"a": (0.8, 35)}),
    make_row(37, "base", {"a": (0.1, 29), "b": (0.3, 31)}),
    make_row(37, "steps 1", {"a": (0.1, 30), "b": (0.3, 32)}),
    make_row(40, "base", {"a": (0.05, 28), "b": (0.05, 28)}),
    make_row(40, "steps 1", {"a": (0.05, 29), "b": (0.05, 29)}),
)
JPEG = make_record(
    "jpeg",
    make_row(5, "base", {"a": (0.1, 20), "b": (0.1, 22)}),
    make_row(5, "steps 1", {"a": (0.1, 22), "b": (0.1, 24)}),
    make_row(10, "base", {"a": (0.4, 25), "b": (0.4, 27)}),
    make_row(10, "steps 1", {"a": (0.4, 26), "b": (0.4, 30)}),
    make_row(80, "base", {"a": (1.6, 30), "b": (1.6, 32)}),
    make_row(80, "steps 1", {"a": (1.6, 31), "b": (1.6, 35)}),
)


def invoke(folder: Path, *records: dict[str, Any], into: Path | None = None) -> Result:
    files = [folder / f"{number}.json" for number, _ in enumerate(records)]
    for file, record in zip(files, records, strict=True):
        file.write_text(json.dumps(record))
    pages = ["--into", str(into)] if into else []
    return CliRunner().invoke(rate_axis.main, [*map(str, files), *pages])


def test_each_row_is_over_the_same_pictures_at_the_same_rate(tmp_path: Path) -> None:
    result = invoke(tmp_path, VTM, JPEG)
    assert result.exit_code == 0, result.output
    table = [line for line in result.output.splitlines() if line.startswith("|")]
    assert table == [
        "| bpp | QP | pictures | VTM | VTM + steps 1 | JPEG + steps 1 |",
        "|---|---|---|---|---|---|",
        "| 0.800 | 27 | 1 | 34.00 | 35.00 | 28.50 |",  # 0.8 is halfway from 0.4 to 1.6; picture a alone
        "| 0.200 | 37 | 2 | 30.00 | 31.00 | 25.50 |",  # halfway from 0.1 to 0.4
        "| 0.050 | 40 | 2 | 28.00 | 29.00 | – |",
    ]


def test_lpips_has_a_table_of_its_own_where_it_was_measured(tmp_path: Path) -> None:
    assert "LPIPS" not in invoke(tmp_path, VTM, JPEG).output
    records = json.loads(json.dumps([VTM, JPEG]))
    for row in (row for record in records for row in record["rows"]):
        row["lpips_alex"] = 0.25
        for values in row["pictures"].values():
            values["lpips_alex"] = 0.25
    assert "| 0.200 | 37 | 2 | 0.250 | 0.250 | 0.250 |" in invoke(tmp_path, *records).output


def test_the_tables_go_between_the_markers_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- one rate axis -->\n<!-- end of one rate axis -->\nafter\n")
    printed = invoke(tmp_path, VTM, JPEG, into=page).output
    assert page.read_text() == f"before\n<!-- one rate axis -->\n{printed}<!-- end of one rate axis -->\nafter\n"
    assert "weights `vtmvtmvtmvtm`" in printed


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([VTM], "takes two records or more"),
        ([VTM, JPEG | {"pixels_sha256": "1" * 64}], "1.json measured other pictures than"),
        (
            [VTM, JPEG | {"rows": [*JPEG["rows"], make_row(5, "steps 1", {"a": (0.1, 22)}, trajectory="paper")]}],
            "several trajectories of 'steps 1'",
        ),
    ],
)
def test_records_that_cannot_be_compared_are_refused(
    tmp_path: Path, records: list[dict[str, Any]], message: str
) -> None:
    result = invoke(tmp_path, *records)
    assert result.exit_code != 0
    assert message in result.output


def test_a_page_without_both_markers_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- one rate axis -->\nthe rest of the page\n")
    result = invoke(tmp_path, VTM, JPEG, into=page)
    assert result.exit_code == 1
    assert "page.md has no lines <!-- one rate axis --> and <!-- end of one rate axis -->" in result.output
    assert page.read_text() == "<!-- one rate axis -->\nthe rest of the page\n"
