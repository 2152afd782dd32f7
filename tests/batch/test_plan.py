"""Where results go, and which clashes are refused before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from dirac_enhance.cli.outputs import plan_jobs


def _targets(sources: list[str], output: str | None) -> list[str]:
    return [str(job.target) for job in plan_jobs([Path(source) for source in sources], output)]


def test_without_output_results_lie_beside_their_sources() -> None:
    assert _targets(["a.jpg", "b/c.d.jpeg"], None) == ["a.enhanced.png", "b/c.d.enhanced.png"]


def test_output_of_one_source_is_a_file() -> None:
    assert _targets(["a.jpg"], "better.webp") == ["better.webp"]


@pytest.mark.parametrize("output", ["missing/", "missing" + os.sep])
def test_output_with_a_separator_at_its_end_is_a_folder(output: str) -> None:
    assert _targets(["b/a.jpg"], output) == ["missing/a.png"]


def test_output_that_is_a_folder_is_used_as_one(tmp_path: Path) -> None:
    assert _targets(["a.jpg"], str(tmp_path)) == [str(tmp_path / "a.png")]


def test_output_of_several_sources_is_a_folder() -> None:
    assert _targets(["a.jpg", "b.jpg"], "results") == ["results/a.png", "results/b.png"]


@pytest.mark.parametrize("sources", [["a.jpg", "b/a.jpg"], ["a.jpg", "a.jpeg"], ["a.jpg", "./a.jpg"]])
def test_two_results_of_one_name_are_refused(sources: list[str]) -> None:
    with pytest.raises(click.UsageError, match=r"would both be written to 'results/a\.png'"):
        _targets(sources, "results")


def test_result_that_would_replace_an_input_is_refused(tmp_path: Path) -> None:
    sources = [str(tmp_path / "a.jpg"), str(tmp_path / "a.png")]

    with pytest.raises(click.UsageError, match=r"the result of '.*a\.jpg' would replace the input '.*a\.png'"):
        _targets(sources, f"{tmp_path}/")
    with pytest.raises(click.UsageError, match="would replace the input"):
        _targets(["a.png"], "a.png")


@pytest.mark.parametrize("source", [".", "..", "/"])
def test_source_without_a_name_is_left_to_the_decoder_to_refuse(source: str) -> None:
    assert len(_targets([source], None)) == 1
