"""Colours under fully transparent pixels come from their surroundings while a network looks, and are put back."""

from __future__ import annotations

import torch

from dirac_enhance.transparency import fill_transparent, restore_transparent


def _random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5))


def test_visible_pixels_stay_and_hidden_ones_are_between_them() -> None:
    pixels = 0.25 + 0.5 * _random(3, 13, 10)
    alpha = _random(13, 10).round() * 0.5
    hidden = torch.where(alpha > 0, pixels, torch.tensor(0.0))

    filled = fill_transparent(hidden, alpha)

    assert torch.equal(filled[:, alpha > 0], pixels[:, alpha > 0])
    assert 0.25 <= float(filled.min()) <= float(filled.max()) <= 0.75


def test_what_is_hidden_does_not_matter() -> None:
    alpha = torch.zeros(9, 17)
    alpha[2:5, 3:11] = 1
    visible = alpha * _random(3, 9, 17)

    black, noise = (fill_transparent(visible + (1 - alpha) * other, alpha) for other in (0, _random(3, 9, 17)))

    assert torch.equal(black, noise)


def test_surroundings_of_one_colour_give_that_colour() -> None:
    alpha = torch.ones(33, 20)
    alpha[4:30, 2:17] = 0
    pixels = torch.tensor([0.2, 0.5, 0.9]).view(3, 1, 1).expand(3, 33, 20)

    assert torch.allclose(fill_transparent(pixels * alpha, alpha), pixels, atol=1e-6)


def test_a_picture_all_opaque_or_all_hidden_is_left_alone() -> None:
    pixels = _random(3, 4, 5)

    for alpha in (None, torch.ones(4, 5), torch.full((4, 5), 0.01), torch.zeros(4, 5)):
        assert fill_transparent(pixels, alpha) is pixels


def test_hidden_colours_are_put_back() -> None:
    enhanced, original = _random(3, 4, 5), torch.zeros(3, 4, 5)
    alpha = torch.zeros(4, 5)
    alpha[1, 2] = 0.1

    restored = restore_transparent(enhanced, original, alpha)

    assert torch.equal(restored[:, 1, 2], enhanced[:, 1, 2])
    assert int((restored > 0).any(dim=0).sum()) == 1
    assert restore_transparent(enhanced, original, None) is enhanced
