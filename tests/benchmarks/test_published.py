"""Tables beside published figures: put into a page, and those that are committed."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

import published
from bench_results import make_cell, write_results

BENCHMARKS = Path(published.__file__).parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(published.main, [str(argument) for argument in arguments])


def part_of(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    return text.partition("<!-- beside published -->\n")[2].partition("<!-- end of beside published -->")[0]


def test_tables_of_one_protocol_each_are_put_into_a_page(tmp_path: Path) -> None:
    results = write_results(tmp_path / "r.json", cells=[make_cell("base", 10, {"psnr": 26.67, "ssim": 0.75})])
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- beside published -->\nold\n<!-- end of beside published -->\nafter\n")
    result = run(results, "--into", page)

    assert result.exit_code == 0, result.output
    colour, codec = part_of(page).split("\n\n**")
    assert "protocol jpeg-colour**" in colour
    assert "(published)" not in colour, "nothing was published on Kodak in this protocol"
    assert "protocol codec**" in codec
    assert "| jpeg | 10 | 0.300 | not enhanced | 26.67 |" in codec
    assert "|  |  | 0.153 | MS-ILLM (published) | 27.53 |" in codec
    assert "SSIM" not in codec, "it is not measured alike"
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")


def test_a_damaged_file_leaves_the_page_alone(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    page = tmp_path / "page.md"
    page.write_text("as it is")
    result = run(tmp_path / "r.json", "--into", page)

    assert result.exit_code == 1
    assert "is no results file of `dirac-enhance bench`" in result.output
    assert page.read_text() == "as it is"


def test_the_committed_page_shows_what_the_committed_results_say() -> None:
    results = BENCHMARKS / "results" / "kodak" / "results.json"
    expected = run(results).output if results.exists() else ""

    assert part_of(BENCHMARKS / "README.md") == expected
