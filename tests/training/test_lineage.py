"""Lineage: what weights of this and of earlier versions say of the runs behind them."""

from __future__ import annotations

from dirac_enhance import bundled_weights
from dirac_enhance.training.lineage import RANDOM, Lineage, PastRun, runs_of_recipe, runs_of_weights

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
