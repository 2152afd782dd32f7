"""The optimiser: orthogonal updates, every parameter in one hand, state that carries on."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.networks.unet import UNet
from dirac_enhance.training.optimizer import (
    NEWTON_SCHULZ,
    NEWTON_SCHULZ_STEPS,
    UPDATE_RMS,
    Muon,
    build_optimizer,
    orthogonalise,
)


def _iterate_as_published(matrix: Tensor) -> Tensor:
    """X ← aX + (bA + cA²)X with A = XXᵀ, step by step on X itself, in float64."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.double() / matrix.double().norm()
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    iterated: Tensor = x.float()
    return iterated


@pytest.mark.parametrize("shape", [(12, 108), (108, 12), (16, 16)])
def test_orthogonalise_is_the_published_iteration(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    wanted = torch.stack([_iterate_as_published(matrix) for matrix in matrices])
    assert torch.allclose(orthogonalise(matrices), wanted, atol=2e-4)


def test_singular_values_end_near_one() -> None:
    matrices = torch.randn(2, 24, 216, generator=torch.Generator().manual_seed(0)) * 1e-6
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_zero_gradient_moves_nothing() -> None:
    assert not orthogonalise(torch.zeros(1, 4, 9)).any()


def test_an_update_has_the_size_of_adamw() -> None:
    kernel = torch.nn.Parameter(torch.zeros(16, 8, 3, 3))
    kernel.grad = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(0))
    Muon([kernel], 0.01).step()
    assert kernel.square().mean().sqrt().item() == pytest.approx(0.01 * UPDATE_RMS, rel=0.2)


def test_every_parameter_is_in_one_hand() -> None:
    network = UNet(NETWORKS["tiny"])
    groups = build_optimizer(network, learning_rate=1e-3).param_groups
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in network.parameters())
    orthogonal = {id(parameter) for parameter in groups[0]["params"]}
    assert id(network.get_parameter("middle.0.conv_1.weight")) in orthogonal
    assert not orthogonal & {id(network.conv_in.weight), id(network.conv_out.weight)}


def test_a_restored_state_carries_on_alike() -> None:
    def work(network: UNet, times: int) -> None:
        for _ in range(times):
            optimizer.zero_grad()
            predicted = network(planes, planes, torch.tensor([100]), torch.tensor([20.0]))
            (predicted - planes).square().mean().backward()
            optimizer.step()

    planes = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    network = UNet(NETWORKS["tiny"])
    optimizer = build_optimizer(network, learning_rate=1e-2)
    work(network, 2)
    twin, state = copy.deepcopy(network), copy.deepcopy(optimizer.state_dict())
    work(network, 2)
    optimizer = build_optimizer(twin, learning_rate=1e-2)
    optimizer.load_state_dict(state)
    work(twin, 2)
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
