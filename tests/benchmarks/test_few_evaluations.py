"""The search for few evaluations, run in this process on tiny pictures with an enhancer that predicts by a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import few_evaluations
from analysis_stubs import FormulaPredictor, formula_enhancer, use_stubs
from benchmark_scripts import present, run_script
from dirac_enhance import BenchmarkError
from dirac_enhance.diffusion.schedule import linear_schedule
from dirac_enhance.diffusion.solver import Solver
from few_evaluations import Grid, Variant
from few_evaluations_pages import best_of_each_number, best_text, winner
from small_pictures import write_pictures

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = linear_schedule()
SOLVERS: tuple[Solver, ...] = ("ddim", "dpm-solver++")


def test_a_grid_lists_only_what_differs() -> None:
    variants = Grid((190,), (10, 4), (1, 2, 3), SOLVERS).variants(SCHEDULE)
    assert [(each.solver, each.timesteps[0], each.timesteps[-1], len(each.timesteps)) for each in variants] == [
        ("ddim", 190, 190, 1),  # has no end
        ("ddim", 190, 10, 2),  # has no order
        ("ddim", 190, 10, 3),
        ("dpm-solver++", 190, 10, 3),
        ("ddim", 190, 4, 2),
        ("ddim", 190, 4, 3),
        ("dpm-solver++", 190, 4, 3),
    ]


def test_a_grid_leaves_out_what_coincides_and_ends_before_it_starts() -> None:
    assert Grid((5,), (4,), (8,), SOLVERS).variants(SCHEDULE) == ()
    assert Grid((4,), (10,), (1, 2), SOLVERS).variants(SCHEDULE) == ()


@pytest.mark.parametrize("grid", [Grid((1000,), (4,), (2,), SOLVERS), Grid((190,), (-1,), (2,), SOLVERS)])
def test_timesteps_out_of_the_schedule_are_refused(grid: Grid) -> None:
    with pytest.raises(BenchmarkError, match="given; expected 0 to 999"):
        grid.variants(SCHEDULE)


def run(folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """The printed text, and the record."""
    return run_script(few_evaluations.main, folder, folder, "--lpips-backbone", "x", "--device", "cpu", *arguments)


def test_the_codec_the_standards_and_the_grid_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer = formula_enhancer()
    use_stubs(monkeypatch, enhancer)
    arguments = ("--qualities", "5,20", "--starts", "190", "--ends", "4", "--evaluations", "1,2,3", "--limit", "1")
    output, record = run(write_pictures(tmp_path), *arguments)
    rows = [row for row in record["rows"] if row["quality"] == 20]
    assert [(row["kind"], row.get("start"), row.get("end"), row.get("evaluations")) for row in rows] == [
        ("base", None, None, None),
        ("steps 1", 990, 990, 1),
        ("paper", 190, 0, 20),
        ("default", 190, 4, 2),
        ("log-snr", 190, 190, 1),
        ("log-snr", 190, 4, 2),
        ("log-snr", 190, 4, 3),
        ("log-snr", 190, 4, 3),
    ]
    default, same = rows[3], rows[5]
    assert (default["psnr"], default["network_seconds_per_megapixel"]) == (
        same["psnr"],
        same["network_seconds_per_megapixel"],
    )
    assert "the paper's: 190 to 0" in output
    # At each of two qualities 1, 20 and 2 for the standards; of the grid only what is new: 2 for three evaluations and
    # 1 for the other solver, as they part at the third. And one before all.
    assert isinstance(enhancer.predictor, FormulaPredictor)
    assert enhancer.predictor.asked == 2 * (1 + 20 + 2 + 2 + 1) + 1


def test_one_solver_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stubs(monkeypatch, formula_enhancer())
    arguments = ("--qualities", "5", "--starts", "60", "--ends", "4", "--evaluations", "3", "--solver", "dpm-solver++")
    _, record = run(write_pictures(tmp_path), *arguments)
    assert [row["solver"] for row in record["rows"] if row["kind"] == "log-snr"] == ["dpm-solver++"]


def test_a_slip_in_a_list_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(few_evaluations.main, [str(tmp_path), "--lpips-backbone", "x", "--ends", "four"])
    assert result.exit_code == 2
    assert "'four' is not a list of numbers" in result.output


def row(kind: str, start: int, evaluations: int, psnr: float, lpips: float, solver: str = "ddim") -> dict[str, Any]:
    place = {"quality": 10.0, "kind": kind, "solver": solver, "start": start, "end": 4, "evaluations": evaluations}
    values = {"psnr": psnr, "lpips_alex": lpips, "network_seconds_per_megapixel": 1.0}
    return place | values | {"pictures": {"a": values, "b": values}}


def synthetic(*tried: dict[str, Any]) -> dict[str, Any]:
    base = {"quality": 10.0, "kind": "base", "psnr": 28.0, "lpips_alex": 0.3}
    standards = [row("paper", 190, 20, 30.0, 0.200), row("default", 190, 2, 30.0, 0.201)]
    tolerances = {"psnr_tolerance": 0.02, "lpips_tolerance": 0.001}
    return {"codec": "jpeg", **tolerances, "rows": [base, *standards, *tried]}


def test_the_best_of_each_number_keeps_the_paper_s_fidelity() -> None:
    record = synthetic(
        row("log-snr", 190, 4, 29.5, 0.100),  # loses fidelity
        row("log-snr", 100, 4, 29.99, 0.190),
        row("log-snr", 60, 4, 30.2, 0.195),
        row("log-snr", 60, 4, 30.2, 0.194, "dpm-solver++"),
        row("log-snr", 60, 2, 29.0, 0.100),
    )
    assert [(best.start, best.evaluations, best.solver) for best in best_of_each_number(record)] == [
        (100, 4, "ddim"),
        (60, 4, "dpm-solver++"),
    ]


def test_the_winner_has_the_fewest_evaluations_that_are_as_good_as_the_best() -> None:
    record = synthetic(
        row("log-snr", 190, 8, 30.1, 0.1900),
        row("log-snr", 190, 4, 30.1, 0.1905),
        row("log-snr", 190, 2, 30.1, 0.1920),
    )
    won = winner(record)
    assert won is not None
    assert won.evaluations == 4
    bold = next(line for line in best_text(record).splitlines() if line.startswith("| **"))
    assert "**30.10, 0.1905**" in bold
    assert "quality 10: +0.100 ± 0.000, -0.0105 ± 0.0000." in best_text(record)


def test_there_is_no_winner_where_all_lose_fidelity() -> None:
    record = synthetic(row("log-snr", 190, 8, 20.0, 0.1))
    assert winner(record) is None
    assert "**" not in best_text(record)


def test_pages_get_the_table_and_docs_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stubs(monkeypatch, formula_enhancer())
    run(write_pictures(tmp_path), "--qualities", "5", "--starts", "190,60", "--ends", "10,4", "--evaluations", "1,3")
    _, drawn = present(tmp_path, "few evaluations")
    assert drawn == ["few_evaluations.png"]
    assert (tmp_path / "drawn" / "few_evaluations.png").read_bytes().startswith(b"\x89PNG")


def test_a_variant_counts_its_evaluations() -> None:
    variant = Variant("log-snr", "ddim", (190, 4))
    assert [(each.position, each.timestep) for each in variant.evaluations] == [(1, 190), (2, 4)]
