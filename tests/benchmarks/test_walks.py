"""Walks of the analyses: the library's own, seen from outside."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from analysis_setup import average_rows
from analysis_stubs import FormulaPredictor, formula_enhancer, shrink
from dirac_enhance import BaseReconstruction
from dirac_enhance.diffusion.trajectory import Evaluation, plan_trajectory
from originals import cut_middle
from walks import Memory, Observer, walk

PLAN = (Evaluation(1, 190), Evaluation(2, 40), Evaluation(3, 4))


def decoded(rate_factor: float | None = None) -> BaseReconstruction:
    pixels = torch.rand(3, 20, 29, generator=torch.Generator().manual_seed(6))
    return BaseReconstruction(pixels, 1000, rate_factor=rate_factor)


@pytest.mark.parametrize("rate_factor", [None, 10.0])
def test_a_walk_is_the_enhancer_s_own_trajectory(rate_factor: float | None) -> None:
    enhancer, base = formula_enhancer(lambda r_t, _t: 2 * r_t), decoded(rate_factor)
    expected = [point.pixels for point in enhancer.trajectory(base, seed=3, spacing="paper")]
    found = [pixels for _, _, pixels in walk(enhancer, base, plan_trajectory(enhancer.schedule), seed=3)]
    assert len(found) == 20
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_an_observer_shows_what_the_network_was_given_and_changes_nothing() -> None:
    enhancer, base = formula_enhancer(), decoded()
    observer = Observer(enhancer.predictor)
    plain = [pixels for _, _, pixels in walk(enhancer, base, PLAN, seed=1)]
    for (evaluation, residual, pixels), expected in zip(
        walk(enhancer, base, PLAN, seed=1, predictor=observer), plain, strict=True
    ):
        assert torch.equal(residual, shrink(observer.noised_residual, evaluation.timestep))
        assert torch.equal(pixels, expected)


def test_a_memory_evaluates_once_what_walks_have_in_common() -> None:
    enhancer, base = formula_enhancer(), decoded()
    predictor = FormulaPredictor(shrink)
    memory = Memory(predictor, torch.device("cpu"))
    for solver in ("ddim", "dpm-solver++"):
        remembered = [r_0.clone() for _, r_0, _ in walk(enhancer, base, PLAN, seed=1, solver=solver, predictor=memory)]
        alone = [r_0.clone() for _, r_0, _ in walk(enhancer, base, PLAN, seed=1, solver=solver)]
        assert all(torch.equal(one, other) for one, other in zip(remembered, alone, strict=True))
    assert predictor.asked == 4  # they part at the third


def test_what_is_remembered_costs_what_it_cost() -> None:
    enhancer, base = formula_enhancer(), decoded()
    memory = Memory(enhancer.predictor, torch.device("cpu"))
    costs = []
    for _ in range(2):
        memory.seconds = 0.0
        list(walk(enhancer, base, PLAN, seed=1, predictor=memory))
        costs.append(memory.seconds)
    assert costs[0] == costs[1] > 0


def test_a_memory_forgets_what_was_long_not_asked_for() -> None:
    predictor = FormulaPredictor(shrink)
    memory = Memory(predictor, torch.device("cpu"))
    planes = [torch.full((1, 3, 8, 8), value / 100) for value in range(20)]
    for plane in planes:
        memory.predict(planes[0], planes[0], 4, None)  # asked for again and again
        memory.predict(plane, planes[0], 4, None)
    assert predictor.asked == 20
    memory.predict(planes[1], planes[0], 4, None)
    assert predictor.asked == 21


def test_rows_are_means_over_pictures_and_rise_in_quality() -> None:
    key = ("steps 1", (("start", 990),))
    rows = average_rows(
        [
            ((20.0, *key), "a", {"psnr": 1.0, "angle": None}),
            ((5.0, *key), "a", {"psnr": 1.0, "angle": 2.0}),
            ((5.0, *key), "b", {"psnr": 4.0, "angle": 4.0}),
        ]
    )
    assert [(row["quality"], row["kind"], row["start"], row["psnr"], row["angle"]) for row in rows] == [
        (5, "steps 1", 990, 2.5, 3),
        (20, "steps 1", 990, 1, None),
    ]
    assert set(rows[0]["pictures"]) == {"a", "b"}


def test_the_middle_is_a_square_in_the_centre_and_no_larger_than_the_picture() -> None:
    picture = torch.arange(6 * 10.0).view(1, 6, 10).expand(3, 6, 10)
    assert torch.equal(cut_middle(picture, side=4), picture[:, 1:5, 3:7])
    assert cut_middle(picture, side=8).shape == (3, 6, 8)
    assert cut_middle(picture, side=None) is picture


def test_enhancers_of_walks_may_have_any_stride() -> None:
    enhancer = replace(formula_enhancer(), stride=16)
    ((_, residual, pixels),) = walk(enhancer, decoded(), PLAN[:1], seed=0)
    assert residual.shape == (1, 3, 32, 32)
    assert pixels.shape == (3, 20, 29)
