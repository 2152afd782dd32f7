"""TrainingState: the weights, their average, and what goes into a checkpoint and comes back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance.training.optimizer import OptimizerPair
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.state import TrainingState

SETTINGS = TrainingSettings(iterations=1, gradient_clip=1.0)


@pytest.fixture
def state() -> TrainingState[nn.Linear]:
    """One weight of 2 and a bias of 0, by plain gradient descent."""
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, 2.0)
    nn.init.zeros_(network.bias)
    return TrainingState.begin(network, OptimizerPair(torch.optim.SGD(network.parameters(), lr=1.0)))


def test_the_average_begins_as_a_copy_that_is_not_trained(state: TrainingState[nn.Linear]) -> None:
    assert state.averaged.weight.item() == 2
    assert state.averaged.weight.data_ptr() != state.network.weight.data_ptr()
    assert not any(parameter.requires_grad for parameter in state.averaged.parameters())
    assert not state.averaged.training
    assert state.network.training


def test_the_average_follows_the_weights_by_its_warmed_up_decay(state: TrainingState[nn.Linear]) -> None:
    state.descend(state.network.weight.sum(), SETTINGS)

    assert state.network.weight.item() == pytest.approx(1)
    assert state.averaged.weight.item() == pytest.approx(1.1)  # decay (1 + 0)/(10 + 0)


def test_the_gradient_of_an_earlier_batch_is_forgotten(state: TrainingState[nn.Linear]) -> None:
    for _ in range(2):
        state.descend(0.5 * state.network.weight.sum(), SETTINGS)

    assert state.network.weight.item() == pytest.approx(1)


def test_the_norm_is_limited_of_those_gradients_that_are_named(state: TrainingState[nn.Linear]) -> None:
    state.descend(4 * state.network.weight.sum() + 8 * state.network.bias.sum(), SETTINGS, clipped=[state.network.bias])

    assert state.network.weight.item() == pytest.approx(2 - 4)
    assert state.network.bias.item() == pytest.approx(-1)


def test_a_validation_measures_the_average_and_is_kept(state: TrainingState[nn.Linear]) -> None:
    state.descend(state.network.weight.sum(), SETTINGS)
    state.iteration = 7
    row = state.validate(lambda network: {"weight": round(network.weight.item(), 3)})

    assert row == {"iteration": 7, "weight": 1.1}
    assert state.history == [row]


def test_a_checkpoint_brings_everything_back(state: TrainingState[nn.Linear]) -> None:
    state.restore(checkpoint_of(OptimizerPair(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.25))))

    assert (state.network.weight.item(), state.averaged.weight.item()) == (5, 6)
    assert (state.iteration, state.seconds, state.history) == (9, 60.0, [{"iteration": 8}])
    assert state.optimizer.param_groups[0]["lr"] == 0.25


def test_a_checkpoint_of_other_optimisers_is_told_with_what_to_do(state: TrainingState[nn.Linear]) -> None:
    with pytest.raises(TrainingError, match=r"is of other optimisers .* as --from-weights$"):
        state.restore(checkpoint_of(OptimizerPair(torch.optim.Adam(nn.Linear(1, 1).parameters()))))


def checkpoint_of(optimizer: OptimizerPair) -> Checkpoint:
    weights, averaged = ({"weight": torch.full((1, 1), value), "bias": torch.zeros(1)} for value in (5.0, 6.0))
    return Checkpoint(
        codec_id="plain",
        network={},
        weights=weights,
        averaged=averaged,
        optimizer=optimizer.state_dict(),
        iteration=9,
        seconds=60.0,
        recipe={},
        history=[{"iteration": 8}],
    )
