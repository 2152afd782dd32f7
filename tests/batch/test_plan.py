"""Where results go, what is skipped, and which clashes are refused before anything starts."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import pytest

from dirac_enhance import InvalidImageError, OutputPathError
from dirac_enhance.batch.inputs import Inputs, Source
from dirac_enhance.batch.plan import Plan, plan_batch


def _inputs(*paths: str | Path, alone: bool | None = None) -> Inputs:
    sources = tuple(Source(Path(path), PurePath(Path(path).name)) for path in paths)
    return Inputs(sources, alone=len(paths) == 1 if alone is None else alone)


def _targets(plan: Plan) -> list[str]:
    return [str(job.target) for job in plan.jobs]


def test_without_output_results_lie_beside_their_sources() -> None:
    plan = plan_batch(_inputs("a.jpg", "b/c.d.jpeg"), None)
    assert _targets(plan) == ["a.enhanced.png", "b/c.d.enhanced.png"]


def test_output_of_one_source_is_a_file() -> None:
    assert _targets(plan_batch(_inputs("a.jpg"), "better.webp")) == ["better.webp"]


@pytest.mark.parametrize("output", ["missing/", "missing" + os.sep])
def test_output_with_a_separator_at_its_end_is_a_folder(output: str) -> None:
    assert _targets(plan_batch(_inputs("b/a.jpg"), output)) == ["missing/a.png"]


def test_output_that_is_a_folder_is_used_as_one(tmp_path: Path) -> None:
    assert _targets(plan_batch(_inputs("a.jpg"), str(tmp_path))) == [str(tmp_path / "a.png")]


def test_output_of_several_sources_is_a_folder() -> None:
    assert _targets(plan_batch(_inputs("a.jpg", "b.jpg"), "results.v2")) == ["results.v2/a.png", "results.v2/b.png"]


def test_folders_are_mirrored_below_the_output() -> None:
    sources = (Source(Path("album/2020/a.jpg"), PurePath("2020/a.jpg")), Source(Path("x/a.jpg"), PurePath("a.jpg")))
    assert _targets(plan_batch(Inputs(sources), "results")) == ["results/2020/a.png", "results/a.png"]


def test_a_file_name_for_several_results_is_refused_unless_it_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputPathError, match=r"'better\.png' names a file, but several results need a folder; write"):
        plan_batch(_inputs("a.jpg", "b.jpg"), "better.png")
    (tmp_path / "better.png").mkdir()
    assert plan_batch(_inputs("a.jpg", "b.jpg"), f"{tmp_path}/better.png").jobs
    assert plan_batch(_inputs("a.jpg", "b.jpg"), "better.png/").jobs


@pytest.mark.parametrize("sources", [["a.jpg", "b/a.jpg"], ["a.jpg", "a.jpeg"], ["a.jpg", "./a.jpg"]])
def test_two_results_of_one_name_are_refused(sources: list[str]) -> None:
    with pytest.raises(OutputPathError, match=r"would both be written to 'results/a\.png'"):
        plan_batch(_inputs(*sources), "results")


def test_result_that_would_replace_an_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputPathError, match=r"the result of '.*a\.jpg' would replace the input '.*a\.png'"):
        plan_batch(_inputs(tmp_path / "a.jpg", tmp_path / "a.png"), f"{tmp_path}/", overwrite=True)
    with pytest.raises(OutputPathError, match="would replace the input"):
        plan_batch(_inputs("a.png"), "a.png", overwrite=True)


def test_input_behind_a_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.png")
    with pytest.raises(OutputPathError, match="would replace the input"):
        plan_batch(_inputs(tmp_path / "link.jpg"), str(tmp_path / "a.png"), overwrite=True)


def test_result_of_an_earlier_run_is_no_input_beside_its_source(tmp_path: Path) -> None:
    source, result = tmp_path / "a.jpg", tmp_path / "a.enhanced.png"
    assert [job.source for job in plan_batch(_inputs(source, result), None).jobs] == [source]
    assert [job.source for job in plan_batch(_inputs(result), None).jobs] == [result]


def test_existing_results_are_skipped_unless_they_are_to_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    inputs = _inputs("a.jpg", "b.jpg")

    plan = plan_batch(inputs, str(tmp_path))
    assert _targets(plan) == [str(tmp_path / "b.png")]
    assert [job.source for job in plan.skipped] == [Path("a.jpg")]

    plan = plan_batch(inputs, str(tmp_path), overwrite=True)
    assert (len(plan.jobs), plan.skipped) == (2, ())


def test_existing_result_of_a_single_file_is_left_to_the_writer_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    plan = plan_batch(_inputs("a.jpg"), str(tmp_path))
    assert (len(plan.jobs), plan.skipped, plan.alone) == (1, (), True)
    assert plan_batch(_inputs("a.jpg", alone=False), str(tmp_path)).skipped


def test_refused_inputs_are_passed_on() -> None:
    error = InvalidImageError("no file matches '*.jpg'")
    assert plan_batch(Inputs((), (error,)), None).refused == (error,)
