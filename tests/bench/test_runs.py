"""Several runs into one folder, one after the other or at the same time: nothing is lost, and cells name their run."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bench_results import make_cell, write_results
from dirac_enhance import BenchmarkError, DiracWarning
from dirac_enhance.bench.cells import Cell, CellKey, Printed, Values
from dirac_enhance.bench.folder_lock import locked
from dirac_enhance.bench.results import LeftOut, Results, ResultsFolder, read_results
from dirac_enhance.bench.results_table import tables_of
from dirac_enhance.bench.runs import Run

ON_CPU = Run(("dirac-enhance", "bench", "a"), "2026-01-01T00:00:00+00:00", {"cpu": "EPYC", "threads": 2, "gpu": None})
ON_GPU = Run(("dirac-enhance", "bench", "b"), "2026-01-02T00:00:00+00:00", {"cpu": "Xeon", "threads": 8, "gpu": "H200"})
ORIGINALS = Results("set", ("a.png", "b.png"), "0" * 64)
PUBLISHED = Cell(
    CellKey("jpeg", 15.0, "published", "jpeg-colour", peer="Somebody"),
    Values(None),
    {"psnr": Values(30.0)},
    published=Printed("somewhere", verified=True),
)


def measured(rate: float, *, seconds: float = 1.0, **metrics: float) -> Cell:
    given = metrics or {"psnr": 30.0}
    key = CellKey("jpeg", rate, "base", "jpeg-colour")
    return Cell(key, Values(None), {name: Values(value) for name, value in given.items()}, seconds)


def begin(folder: Path, run: Run, *, left_out: tuple[LeftOut, ...] = ()) -> ResultsFolder:
    return ResultsFolder(folder, replace(ORIGINALS, runs=(run,), left_out=left_out))


def on_disk(folder: Path) -> Results:
    return read_results(folder / "results.json")


def runs_by_rate(results: Results) -> dict[float | None, int | None]:
    return {cell.key.rate: cell.run for cell in results.cells}


def test_a_resume_on_another_device_leaves_the_first_one_s_cells_to_it(tmp_path: Path) -> None:
    begin(tmp_path, ON_CPU).add([measured(5, seconds=8.0)])
    begin(tmp_path, ON_GPU).add([measured(10, seconds=0.1)])

    results = on_disk(tmp_path)
    assert results.runs == (ON_CPU, ON_GPU)
    assert runs_by_rate(results) == {5: 0, 10: 1}
    assert [cell.seconds_per_megapixel for cell in results.cells] == [8.0, 0.1]


def test_a_resume_that_measures_nothing_is_no_run(tmp_path: Path) -> None:
    begin(tmp_path, ON_CPU).add([measured(5)])
    begin(tmp_path, ON_GPU).add([PUBLISHED])

    assert on_disk(tmp_path).runs == (ON_CPU,)
    assert runs_by_rate(on_disk(tmp_path)) == {5: 0, 15: None}


def test_a_metric_left_from_an_earlier_run_stays_that_run_s(tmp_path: Path) -> None:
    begin(tmp_path, ON_CPU).add([measured(5, psnr=30.0, lpips=0.3)])
    begin(tmp_path, ON_GPU).add([measured(5, psnr=30.0, ssim=0.9)])

    (cell,) = on_disk(tmp_path).cells
    assert {name: cell.run_of(name) for name in cell.metrics} == {"psnr": 1, "lpips": 0, "ssim": 1}
    assert cell.metric_runs == {"lpips": 0}


def test_a_folder_of_version_1_goes_on_and_its_header_is_the_first_run(tmp_path: Path) -> None:
    cells = [make_cell("base", 5, {"psnr": 25.0}), make_cell("published", 5, {"psnr": 26.0}, peer="Somebody")]
    write_results(tmp_path / "results.json", cells=cells)
    first = on_disk(tmp_path)
    folder = ResultsFolder(tmp_path, replace(first, runs=(ON_GPU,), cells=(), left_out=()))

    assert folder.missing([first.cells[0].key], ["psnr"]) == ()
    folder.add([replace(measured(10), metrics={"psnr": Values.of([1.0, 2.0])})])
    contents = json.loads(folder.json_file.read_text(encoding="utf-8"))
    assert contents["version"] == 2
    assert [run["command"][:3] for run in contents["runs"]] == [
        ["dirac-enhance", "bench", "my photographs"],
        [*ON_GPU.command],
    ]
    assert [run["device"] for run in contents["runs"]] == [{"name": "cpu", "threads": 2}, ON_GPU.device]
    assert [run["date"] for run in contents["runs"]] == [None, ON_GPU.date]
    assert runs_by_rate(on_disk(tmp_path)) == {5: 0, 10: 1}
    assert not set(contents) & {"command", "device", "versions"}


def test_two_runs_at_once_keep_each_other_s_cells(tmp_path: Path) -> None:
    begin(tmp_path, ON_CPU).add([measured(5)])
    one, other = begin(tmp_path, ON_CPU), begin(tmp_path, ON_GPU)
    third = begin(tmp_path, replace(ON_GPU, date="2026-01-03T00:00:00+00:00"))
    one.add([measured(10)], left_out=[LeftOut("peer", "absent")])
    other.add([measured(20), PUBLISHED], left_out=[LeftOut("lpips", "no backbone")])
    one.add([measured(30)])
    third.add([])
    other.add([measured(40)])

    results = on_disk(tmp_path)
    assert runs_by_rate(results) == {5: 0, 10: 0, 15: None, 20: 1, 30: 0, 40: 1}
    assert {each.what for each in results.left_out} == {"peer", "lpips"}
    assert results.runs == (ON_CPU, ON_GPU)
    assert len((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()) == 1 + 6


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    folders = [begin(tmp_path, replace(ON_CPU, date=f"2026-01-0{day}T00:00:00+00:00")) for day in (1, 2, 3, 4)]

    def write(place: int) -> None:
        for step in range(6):
            folders[place].add([measured(10.0 * place + step + 1)])

    threads = [threading.Thread(target=write, args=(place,)) for place in range(len(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    results = on_disk(tmp_path)
    assert len(results.cells) == 24
    dates = {cell.key.rate: results.runs[cell.run or 0].date for cell in results.cells}
    assert all(date == f"2026-01-0{int((rate or 1) - 1) // 10 + 1}T00:00:00+00:00" for rate, date in dates.items())
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "results.csv"}


def test_a_locked_folder_is_waited_for(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="folders cannot be locked here")
    folder = begin(tmp_path, ON_CPU)
    writer = threading.Thread(target=lambda: folder.add([measured(5)]))
    with locked(tmp_path):
        writer.start()
        writer.join(0.2)
        assert not folder.json_file.exists()
    writer.join()

    assert folder.json_file.exists()


def test_what_an_earlier_run_left_out_is_forgotten_once_another_writes(tmp_path: Path) -> None:
    begin(tmp_path, ON_CPU, left_out=(LeftOut("lpips", "no backbone"),)).add([measured(5), PUBLISHED])
    begin(tmp_path, ON_GPU).add([measured(10)])

    assert on_disk(tmp_path).left_out == ()
    assert [cell.key.method for cell in on_disk(tmp_path).cells] == ["base", "base"]


def test_a_folder_that_was_emptied_meanwhile_gets_everything_back(tmp_path: Path) -> None:
    folder = begin(tmp_path, ON_CPU)
    folder.add([measured(5)])
    folder.json_file.unlink()
    folder.add([measured(10)])

    assert runs_by_rate(on_disk(tmp_path)) == {5: 0, 10: 0}


def test_results_that_cannot_be_read_any_more_are_not_overwritten(tmp_path: Path) -> None:
    folder = begin(tmp_path, ON_CPU)
    folder.add([measured(5)])
    folder.json_file.write_text("not ours")

    with pytest.raises(BenchmarkError, match="is no results file"):
        folder.add([measured(10)])
    assert folder.json_file.read_text() == "not ours"


def test_a_metric_measured_with_another_network_is_refused(tmp_path: Path) -> None:
    begin(tmp_path, replace(ON_CPU, networks={"lpips": "a" * 64})).add([measured(5, lpips=0.3)])
    begin(tmp_path, replace(ON_CPU, networks={})).add([measured(5, psnr=30.0)])

    with pytest.raises(BenchmarkError, match=r"has lpips measured with the network of sha256 a{8}…; this one's is b"):
        begin(tmp_path, replace(ON_GPU, networks={"lpips": "b" * 64}))
    begin(tmp_path, replace(ON_GPU, networks={"lpips": "a" * 64, "fid256": "b" * 64})).add([measured(10, lpips=0.2)])
    assert len(on_disk(tmp_path).runs) == 3


def test_a_table_says_which_networks_and_machines_it_is_of(tmp_path: Path) -> None:
    for name, run, sha256 in (("one", ON_CPU, "a" * 64), ("other", ON_GPU, "b" * 64)):
        begin(tmp_path / name, replace(run, networks={"lpips": sha256})).add([measured(len(name), lpips=0.3)])
    one, other = (on_disk(tmp_path / name) for name in ("one", "other"))

    with pytest.warns(DiracWarning, match=r"lpips was measured with several networks, of sha256 a{8}… and b{8}…: its"):
        (table,) = tables_of([one, other])
    assert "LPIPS measured with aaaaaaaaaaaa, bbbbbbbbbbbb." in table.footer()
    assert "Seconds are of several machines: EPYC, 2 threads; H200." in table.footer()
    (table,) = tables_of([one])
    assert "LPIPS measured with aaaaaaaaaaaa." in table.footer()
    assert not [line for line in table.footer() if "machines" in line]
