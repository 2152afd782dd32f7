"""Window attention sees what it should, and patches go there and back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dirac_enhance_swint_charm.networks.swin import SwinBlock, WindowAttention, depth_to_space, space_to_depth


def attention(*, shifted: bool) -> WindowAttention:
    torch.manual_seed(0)
    layer = WindowAttention(8, head_width=4, window=4, shifted=shifted)
    torch.nn.init.normal_(layer.position_bias)
    return layer.double()


def reach(layer: WindowAttention, height: int, width: int, *, token: tuple[int, int]) -> set[tuple[int, int]]:
    """The tokens that a token's result depends on."""
    tokens = torch.randn(1, height, width, 8, dtype=torch.float64, requires_grad=True)
    result: Tensor = layer(tokens)
    (gradient,) = torch.autograd.grad(result[0, token[0], token[1]].square().sum(), tokens)
    return {(int(y), int(x)) for y, x in gradient[0].abs().sum(dim=-1).nonzero()}


def rectangle(rows: range, columns: range) -> set[tuple[int, int]]:
    return {(y, x) for y in rows for x in columns}


@pytest.mark.parametrize(
    ("shifted", "size", "token", "seen"),
    [
        (False, (8, 8), (0, 0), rectangle(range(4), range(4))),
        (False, (8, 8), (3, 4), rectangle(range(4), range(4, 8))),
        (True, (8, 8), (3, 4), rectangle(range(2, 6), range(2, 6))),
        (True, (8, 8), (0, 0), rectangle(range(2), range(2))),  # not its neighbours on the torus
        (True, (8, 8), (7, 0), rectangle(range(6, 8), range(2))),
        (False, (6, 5), (5, 4), rectangle(range(4, 6), range(4, 5))),  # the rest of the window is padding
        (True, (6, 9), (5, 8), rectangle(range(2, 6), range(6, 9))),
        (True, (3, 9), (2, 0), rectangle(range(3), range(2))),  # one window covers the rows: they are not shifted
    ],
)
def test_a_token_attends_to_its_window_and_to_no_padding(
    *, shifted: bool, size: tuple[int, int], token: tuple[int, int], seen: set[tuple[int, int]]
) -> None:
    assert reach(attention(shifted=shifted), *size, token=token) == seen


def test_attention_equals_torchs_own_with_the_bias_of_relative_positions() -> None:
    layer = attention(shifted=False)
    tokens = torch.randn(2, 4, 4, 8, dtype=torch.float64)
    query, key, value = layer.qkv(tokens).view(2, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
    places = [(y, x) for y in range(4) for x in range(4)]
    rows = [[(a[0] - b[0] + 3) * 7 + a[1] - b[1] + 3 for b in places] for a in places]
    bias = layer.position_bias[torch.tensor(rows)].permute(2, 0, 1)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)

    torch.testing.assert_close(layer(tokens), layer.out(expected.transpose(1, 2).reshape(2, 4, 4, 8)))


def test_a_block_begins_as_the_identity() -> None:
    tokens = torch.randn(1, 5, 7, 8)

    assert torch.equal(SwinBlock(8, head_width=4, window=4, shifted=True, mlp_ratio=2)(tokens), tokens)


def test_patches_are_gathered_and_spread() -> None:
    tokens = torch.arange(16.0).view(1, 4, 4, 1)

    assert space_to_depth(tokens)[0, 0, 1].tolist() == [2, 3, 6, 7]
    assert torch.equal(depth_to_space(space_to_depth(tokens)), tokens)
