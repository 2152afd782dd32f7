"""Fixed-point layers: exact where they say so, and close to the layers in float that they stand for."""

from __future__ import annotations

import math
import random
import zlib

import pytest
import torch
from torch import Tensor, nn

from dirac_enhance import DeviceError, WeightsError
from dirac_enhance_swint_charm.exact import probe
from dirac_enhance_swint_charm.exact.fixed_point import LARGEST, LARGEST_SUM, ONE, divide, square_root
from dirac_enhance_swint_charm.exact.layers import (
    ExactConv2d,
    ExactGelu,
    ExactLayerNorm,
    ExactLinear,
    ExactSoftmax,
    ExactTanh,
)
from dirac_enhance_swint_charm.exact.networks import ExactWindowAttention, exact_copy
from dirac_enhance_swint_charm.exact.tables import (
    exponential_table,
    gelu_tail_table,
    log_scale_thresholds,
    tanh_table,
)
from dirac_enhance_swint_charm.networks.swin import WindowAttention

UNIT = 1 / ONE


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def numbers(*shape: int, spread: float = 3.0) -> Tensor:
    """Numbers that fixed point holds exactly, as float64."""
    return (torch.randn(*shape, dtype=torch.float64) * spread * ONE).round() / ONE


GOLDEN = [2960144642, 3100220770, 1360266241, 2683497510]
"""CRC-32 of the tables; a file decodes with the tables it was coded with, so they never change."""


def is_whole(values: Tensor) -> bool:
    return bool((values == values.round()).all())


def test_quotients_and_roots_are_python_s() -> None:
    dice = random.Random(0)  # noqa: S311 - the same each time
    pairs = [(dice.randrange(-(2**51), 2**51), dice.randrange(1, 2 ** dice.randrange(1, 51))) for _ in range(2000)]
    pairs += [(2**51 - 1, 1), (-(2**51), 1), (0, 5), (-1, 2), (1, 2), (3, 2), (2**51 - 1, 2**51 - 1)]
    above, below = (torch.tensor(each, dtype=torch.float64) for each in zip(*pairs, strict=True))
    squares = [dice.randrange(2 ** dice.randrange(1, 53)) for _ in range(2000)]
    squares += [root * root - less for root in (1, 2, 3, 2**26) for less in (0, 1)]

    assert divide(above, below).tolist() == [(2 * a + b) // (2 * b) for a, b in pairs]
    assert square_root(torch.tensor(squares, dtype=torch.float64)).tolist() == [math.isqrt(each) for each in squares]


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (ExactGelu(), nn.functional.gelu),
        (ExactTanh(), torch.tanh),
        (ExactSoftmax(), lambda values: values.softmax(dim=-1)),
    ],
    ids=["gelu", "tanh", "softmax"],
)
def test_a_function_is_off_by_less_than_two_units(layer: nn.Module, function: nn.Module) -> None:
    values = torch.cat([numbers(200, 8), numbers(50, 8, spread=1000), torch.zeros(1, 8, dtype=torch.float64)])
    exact = layer(values * ONE)

    assert is_whole(exact)
    assert (exact * UNIT - function(values)).abs().max() < 2 * UNIT


def test_softmax_leaves_out_what_is_masked() -> None:
    logits = torch.tensor([[0.0, -math.inf, 0.0, -math.inf]], dtype=torch.float64)

    assert ExactSoftmax()(logits).tolist() == [[ONE / 2, 0, ONE / 2, 0]]


def test_the_tables_are_those_that_files_were_coded_with() -> None:
    tables = (exponential_table(), tanh_table(), gelu_tail_table(), log_scale_thresholds("0.11", "256.0", 64))

    assert [zlib.crc32(table.to(torch.int64).numpy().astype("<i8").tobytes()) for table in tables] == GOLDEN


def test_linear_is_the_exact_product_at_its_bounds() -> None:
    linear = ExactLinear(torch.full((2, 64), 30.0), torch.tensor([5.0, -5.0]))
    values = torch.full((1, 64), 2 * LARGEST, dtype=torch.float64)
    unit = 2**linear.weight_bits
    products = 64 * int(LARGEST) * 30 * unit

    assert products < LARGEST_SUM
    assert products * 2 > LARGEST_SUM / 2, "no bits are given away"
    assert linear(values).tolist() == [[products // unit + 5 * ONE, products // unit - 5 * ONE]]


@pytest.mark.parametrize("size", [1e-3, 0.1, 10.0])
def test_linear_and_convolution_are_close_to_float(size: float) -> None:
    linear, convolution = nn.Linear(48, 24).double(), nn.Conv2d(12, 10, 3, padding=1).double()
    tokens, planes = numbers(5, 48, spread=size), numbers(1, 12, 6, 7, spread=size)
    exact = ExactLinear(linear.weight, linear.bias)(tokens * ONE)
    convolved = ExactConv2d(convolution)(planes * ONE)

    assert is_whole(exact)
    assert is_whole(convolved)
    assert (exact * UNIT - linear(tokens)).abs().max() < UNIT * (1 + 10 * size)
    assert (convolved * UNIT - convolution(planes)).abs().max() < UNIT * (1 + 10 * size)


@pytest.mark.parametrize(("spread", "offset"), [(1.0, 0.0), (1e-3, 0.0), (0.05, 30.0), (200.0, -100.0), (0.0, 7.0)])
def test_normalisation_is_close_to_float(spread: float, offset: float) -> None:
    norm = nn.LayerNorm(96).double()
    nn.init.normal_(norm.weight, 1, 0.3)
    nn.init.normal_(norm.bias)
    tokens = numbers(40, 96, spread=spread) + offset
    exact = ExactLayerNorm(norm)(tokens * ONE)

    assert is_whole(exact)
    assert (exact * UNIT - norm(tokens)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [(8, 8), (6, 10), (4, 4), (3, 9)])
def test_attention_is_close_to_float(size: tuple[int, int]) -> None:
    attention = WindowAttention(32, head_width=8, window=4, shifted=True).double()
    nn.init.normal_(attention.position_bias)
    tokens = numbers(1, *size, 32, spread=1)
    exact = ExactWindowAttention(attention)(tokens * ONE)

    assert is_whole(exact)
    assert (exact * UNIT - attention(tokens)).abs().max() < 1e-3


def test_the_order_of_channels_changes_no_bit() -> None:
    order = torch.randperm(300)
    weight, values = torch.randn(20, 300), numbers(50, 300)
    linear = ExactLinear(weight, None)
    shuffled = ExactLinear(weight[:, order], None)

    assert torch.equal(linear(values * ONE), shuffled(values[:, order] * ONE))
    in_float = values.float() @ weight.T, values[:, order].float() @ weight[:, order].T
    assert not torch.equal(*in_float), "so in float32 it does"


@pytest.mark.parametrize("weight", [1e9, math.inf, math.nan])
def test_weights_too_large_are_refused(weight: float) -> None:
    with pytest.raises(WeightsError, match="too much to compute with exactly"):
        ExactLinear(torch.full((3, 3), weight), torch.zeros(3))


def test_layers_without_a_counterpart_are_refused() -> None:
    with pytest.raises(WeightsError, match="BatchNorm2d has no exact counterpart"):
        exact_copy(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm2d(3)))
    with pytest.raises(WeightsError, match=r"Conv2d.* has no exact counterpart; expected stride 1"):
        exact_copy(nn.Conv2d(3, 3, 3, stride=2, padding=1))


def test_a_copy_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.GELU())
    exact = exact_copy(network)

    assert type(network[0]) is nn.Linear
    assert type(exact[0]) is ExactLinear


def test_a_device_that_does_not_compute_exactly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    probe.check_arithmetic.cache_clear()
    monkeypatch.setattr(probe, "multiply", lambda left, right: (left.float() @ right.float()).double())

    with pytest.raises(DeviceError, match="float64 arithmetic of cpu is not exact"):
        probe.check_arithmetic(torch.device("cpu"))
    probe.check_arithmetic.cache_clear()
