"""Small pictures, in files and in bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image

_ORIENTATION = 0x0112


def small_jpeg(mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG of 24×24 pixels of noise and quality 20, with what else Pillow can write into it."""
    samples = numpy.random.default_rng(5).integers(0, 256, (24, 24, 3), dtype=numpy.uint8)
    coded = BytesIO()
    Image.fromarray(samples).convert(mode).save(coded, "JPEG", quality=20, **options)
    return coded.getvalue()


def save_turned(photo: Path, orientation: int, **options: Any) -> None:
    """Save a photo again, in its place, with this EXIF orientation and what else Pillow can write."""
    tags = Image.Exif()
    tags[_ORIENTATION] = orientation
    with Image.open(photo) as picture:
        picture.save(photo, exif=tags, **options)


def write_pictures(folder: Path) -> Path:
    """Write two small smooth pictures, one wide and one high, and return their folder."""
    generator = torch.Generator().manual_seed(0)
    for name, size in (("a.png", (40, 24)), ("b.png", (24, 48))):
        samples = torch.randint(64, 128, (size[1] // 8, size[0] // 8, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(samples.numpy()).resize(size, Image.Resampling.BICUBIC).save(folder / name)
    return folder


def write_photographs(folder: Path) -> Path:
    """Write two smooth pictures of full contrast, large enough to train on, and return their folder."""
    generator = numpy.random.default_rng(0)
    for index in range(2):
        noise = generator.integers(0, 255, size=(8, 8, 3), dtype=numpy.uint8)
        Image.fromarray(noise).resize((96, 80), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder
