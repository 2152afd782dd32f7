"""The pool of training photographs: sources, shares, crops and texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dirac_enhance import ImageMetadata
from dirac_enhance.errors import TrainingError
from dirac_enhance.image import OutputSettings, write_image
from dirac_enhance.training.images import TEXTURE_BOUNDS, ImagePool, load_pool, read_pixels, texture


def test_a_source_is_the_name_before_two_underscores_or_the_folder(photographs: Path) -> None:
    pool = load_pool(photographs, smallest_side=32)
    assert pool.describe() == {"far": {"images": 2, "share": 0.3333}, "near": {"images": 4, "share": 0.6667}}


def test_a_given_share_is_kept_and_the_rest_divided(photographs: Path) -> None:
    assert load_pool(photographs, smallest_side=32, shares={"far": 0.9}).shares == pytest.approx((0.9, 0.1))


def test_crops_come_from_sources_by_share() -> None:
    flat = tuple(np.full((40, 40, 3), level, np.uint8) for level in (10, 200))
    pool = ImagePool(("dark", "bright"), ((flat[0],), (flat[1],)), (0.8, 0.2))
    generator = np.random.default_rng(0)
    dark = [pool.draw_crop(generator, size=32, smallest_scale=1).mean() < 100 for _ in range(400)]
    assert np.mean(dark) == pytest.approx(0.8, abs=0.06)


def test_textured_places_are_drawn_more_often_than_flat_ones() -> None:
    image = np.full((64, 512, 3), 128, np.uint8)
    image[:, 256:] = np.random.default_rng(0).integers(0, 255, size=(64, 256, 3))
    pool, generator = ImagePool(("half",), ((image,),), (1.0,)), np.random.default_rng(1)
    textured = [pool.draw_crop(generator, size=32, smallest_scale=1).std() > 10 for _ in range(200)]
    assert np.mean(textured) > 0.75


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_crops_have_the_size_asked_for_even_from_barely_larger_images(photographs: Path, scale: float) -> None:
    pool = load_pool(photographs, smallest_side=90)
    crop = pool.draw_crop(np.random.default_rng(2), size=90, smallest_scale=scale)
    assert crop.shape == (90, 90, 3)


def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path) -> None:
    levels = torch.full((3, 8, 8), 0.0)
    levels[:, :, 4:] = 200.6 / 255  # cut down to its upper byte it is 200
    write_image(tmp_path / "deep.png", levels, metadata=ImageMetadata(), output=OutputSettings(depth=16))
    assert sorted(set(read_pixels(tmp_path / "deep.png").ravel().tolist())) == [0, 201]


def test_texture_is_bounded_at_both_ends() -> None:
    flat = np.zeros((32, 32, 3), np.uint8)
    checks = np.indices((32, 32)).sum(axis=0)[:, :, None].repeat(3, axis=2).astype(np.uint8) // 2 % 2 * 255
    assert texture(flat) == TEXTURE_BOUNDS[0]
    assert texture(checks) == TEXTURE_BOUNDS[1]


@pytest.mark.parametrize(
    ("shares", "said"),
    [({"fra": 0.5}, "no source named fra"), ({"far": 1.2}, "at most 1"), ({"far": -0.1}, "at most 1")],
)
def test_shares_that_cannot_be_are_refused(photographs: Path, shares: dict[str, float], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        load_pool(photographs, smallest_side=32, shares=shares)


def test_a_folder_without_large_enough_images_is_refused(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least 500 pixels"):
        load_pool(photographs, smallest_side=500)
    with pytest.raises(TrainingError, match="pass --data"):
        load_pool(tmp_path, smallest_side=1)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(TrainingError, match=r"torn\.png"):
        load_pool(tmp_path, smallest_side=1)
