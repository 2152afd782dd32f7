"""Figure 7's analysis, run in this process on tiny pictures with an enhancer that predicts by a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

import trajectories
from analysis_stubs import formula_enhancer, use_stubs
from benchmark_scripts import present, run_script
from small_pictures import write_pictures
from trajectory_pages import late_start_text, latest_without_loss

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """The printed text, and the record."""
    return run_script(trajectories.main, folder, folder, "--lpips-backbone", "x", "--device", "cpu", *arguments)


def test_angles_are_those_of_geometry() -> None:
    east, north = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0])
    assert trajectories.angle(east, north) == pytest.approx(90)
    assert trajectories.angle(east, east + 2 * north) == pytest.approx(45)
    assert trajectories.angle(east, -east) == pytest.approx(180)
    assert trajectories.angle(east, None) is trajectories.angle(None, east) is None


def test_positions_and_late_starts_are_measured_at_every_quality(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stubs(monkeypatch, formula_enhancer())
    output, record = run(write_pictures(tmp_path), "--qualities", "5,40", "--late-starts", "90,98", "--limit", "1")
    positions = [row for row in record["rows"] if row["quality"] == 5 and row["kind"] == "position"]
    assert [row["position"] for row in positions] == list(range(101))
    assert [row["timestep"] for row in positions] == [None, *range(990, -1, -10)]
    assert [row["position"] for row in positions if row["angle"] is None] == [0, 1]
    assert [row["position"] for row in positions if row["update_angle"] is None] == [0, 1, 100]
    late = [row for row in record["rows"] if row["kind"] == "late start"]
    assert [(row["quality"], row["late_start"], row["timestep"]) for row in late] == [
        (5, 90, 90),
        (5, 98, 10),
        (40, 90, 90),
        (40, 98, 10),
    ]
    assert record["pictures"] == 1
    assert record["sizes"] == ["40×24"]
    assert "| 5 |" in output


def test_a_network_that_predicts_nothing_goes_straight_and_leaves_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stubs(monkeypatch, formula_enhancer(lambda r_t, _t: torch.zeros_like(r_t)))
    _, record = run(write_pictures(tmp_path), "--qualities", "10", "--late-starts", "80,99")
    base, *positions = (row for row in record["rows"] if row["kind"] == "position")
    angles = [row[name] for row in positions for name in ("angle", "update_angle") if row[name] is not None]
    assert max(angles) < 0.5  # degrees, of rounding
    assert all(row["psnr"] == pytest.approx(base["psnr"], abs=1e-3) for row in record["rows"])
    assert latest_without_loss(record, 10) == 99


def test_a_network_that_changes_its_mind_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flip(noised_residual: torch.Tensor, timestep: int) -> torch.Tensor:
        return torch.full_like(noised_residual, 0.9 if timestep == 500 else 0.0)

    use_stubs(monkeypatch, formula_enhancer(flip))
    _, record = run(write_pictures(tmp_path), "--qualities", "10", "--late-starts", "99", "--limit", "1")
    turns = {row["timestep"]: row["angle"] for row in record["rows"] if row["kind"] == "position"}
    assert turns[500] > 20  # there, and back again
    assert turns[490] > 20
    assert turns[510] < 1


def synthetic(losses: dict[int, tuple[float, float]]) -> dict[str, Any]:
    """A record of one quality and two pictures, by late start the mean loss in PSNR and in LPIPS."""

    def row(psnr: float, lpips: float, **columns: Any) -> dict[str, Any]:
        pictures = {
            picture: {"psnr": psnr + sign * (30 - psnr), "lpips_alex": lpips} for picture, sign in (("a", 1), ("b", -1))
        }
        return {"quality": 10.0, **columns, "psnr": psnr, "lpips_alex": lpips, "pictures": pictures}

    places = [
        row(30.0, 0.2, kind="position", position=position, timestep=10 * (100 - position)) for position in (0, 1, 100)
    ]
    late = [
        row(30 - psnr, 0.2 + lpips, kind="late start", late_start=start, timestep=10 * (99 - start))
        for start, (psnr, lpips) in losses.items()
    ]
    return {"codec": "jpeg", "psnr_tolerance": 0.02, "lpips_tolerance": 0.001, "rows": places + late}


@pytest.mark.parametrize(
    ("losses", "latest"),
    [
        ({80: (0.01, 0.0), 90: (0.0, 0.0009), 95: (0.1, 0.0)}, 90),
        ({80: (0.01, 0.002), 90: (-0.5, -0.1)}, 0),  # a later gain does not make up for an earlier loss
        ({90: (0.3, 0.0), 80: (-1.0, 0.0)}, 80),
        ({80: (0.0, 0.0)}, 80),
    ],
)
def test_late_start_loses_nothing_up_to_the_first_loss(losses: dict[int, tuple[float, float]], latest: int) -> None:
    assert latest_without_loss(synthetic(losses), 10) == latest


def test_the_table_names_the_late_start_and_what_comes_after_it() -> None:
    text = late_start_text(synthetic({80: (0.01, 0.0), 95: (0.1, 0.0)}))
    eighty, later = "-0.010 ± 0.010, +0.0000 ± 0.0000", "-0.100 ± 0.100, +0.0000 ± 0.0000"
    assert f"| 80 (t = 190) | {eighty} | 95: {later} | {eighty} |" in text


def test_pages_get_the_table_and_docs_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stubs(monkeypatch, formula_enhancer())
    _, record = run(write_pictures(tmp_path), "--qualities", "5", "--late-starts", "98", "--limit", "1")
    page, drawn = present(tmp_path, "late start")
    assert late_start_text(record) in page
    assert page.endswith("<!-- end of late start -->\nafter\n")
    assert drawn == ["trajectories.png"]
    assert (tmp_path / "drawn" / "trajectories.png").read_bytes().startswith(b"\x89PNG")
