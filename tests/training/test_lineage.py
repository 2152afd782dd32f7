"""Lineage: what weights of this and of earlier versions say of the runs behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dirac_enhance import WeightsFile, bundled_weights
from dirac_enhance.training.export import card_summary, summary_line
from dirac_enhance.training.lineage import (
    RANDOM,
    UNRECORDED,
    Lineage,
    PastRun,
    describe_iterations,
    runs_of_recipe,
    runs_of_weights,
    summary_of_weights,
)

WEIGHTS = Path(__file__).parents[2] / "weights"
SHIPPED = [
    row
    for row in json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))["weights"]
    if not row["codec_id"].endswith("-codec")
]
RECIPE = {"settings": {"batch_size": 12}, "processes": 2}


def test_a_first_run_began_with_random_weights() -> None:
    runs = runs_of_recipe(RECIPE | RANDOM.to_dict(), iterations=100, seconds=90.0)
    assert runs == (PastRun(None, iterations=100, pairs=2400, minutes=1.5),)


def test_a_run_from_weights_has_theirs_before_it() -> None:
    first = PastRun(None, 100, 2400, 1.5)
    lineage = Lineage("ab" * 32, (first,))
    assert Lineage.from_dict(lineage.to_dict()) == lineage
    runs = runs_of_recipe(RECIPE | lineage.to_dict(), iterations=10, seconds=60.0)
    assert runs == (first, PastRun("ab" * 32, 10, 240, 1.0))


def test_weights_of_an_earlier_version_record_their_last_run() -> None:
    training = {"summary": "", "iterations": 100, "seconds": 90, **RECIPE}
    assert runs_of_weights(training) == (PastRun("", 100, 2400, 1.5),)
    assert runs_of_weights({"summary": "random numbers"}) == runs_of_weights(None) == ()


def test_the_bundled_weights_have_at_least_a_run() -> None:
    file = bundled_weights("jpeg")
    assert file is not None
    assert sum(run.iterations for run in runs_of_weights(file.metadata().training)) > 0


@pytest.mark.parametrize(
    ("started_from", "said"),
    [
        ((None,), "100 iterations"),
        ((None, "ab" * 32), "200 iterations in 2 runs"),
        (("",), "at least 100 iterations"),
        (("ab" * 32, "cd" * 32), "at least 200 iterations in 2 runs"),
    ],
)
def test_iterations_are_all_there_were_only_if_the_first_run_began_at_random(
    started_from: tuple[str | None, ...], said: str
) -> None:
    runs = [PastRun(start, 100, 2400, 1.5) for start in started_from]
    assert describe_iterations(runs) == said
    for sentence in (summary_line(2_000_000, runs), card_summary(2_000_000, runs)):
        assert (UNRECORDED in sentence) == said.startswith("at least")


def test_a_summary_of_an_earlier_version_is_told_with_what_it_leaves_out() -> None:
    earlier = {"summary": "100 iterations", "iterations": 100, "seconds": 90, **RECIPE}
    assert summary_of_weights(earlier) == "100 iterations (earlier runs are not recorded)"
    assert summary_of_weights({**earlier, **RANDOM.to_dict()}) == "100 iterations"
    told = f"at least 100 iterations ({UNRECORDED})"
    assert summary_of_weights({**earlier, "summary": told}) == told
    assert summary_of_weights({"summary": "random numbers"}) == "random numbers"
    assert summary_of_weights(None) == "no summary"


@pytest.mark.parametrize("row", SHIPPED, ids=lambda row: row["codec_id"])
def test_manifest_and_cards_say_of_shipped_weights_what_their_runs_do(row: dict[str, Any]) -> None:
    runs = runs_of_weights(WeightsFile(WEIGHTS / row["file"], row["sha256"]).metadata().training)

    assert row["summary"] == summary_line(row["parameters"], runs)
    card = (WEIGHTS / row["file"]).with_suffix(".md").read_text(encoding="utf-8")
    assert card.splitlines()[2] == card_summary(row["parameters"], runs)
