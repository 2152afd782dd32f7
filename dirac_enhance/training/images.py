"""ImagePool: the training photographs in memory, drawn by source share and crops by texture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dirac_enhance.errors import DiracError, TrainingError
from dirac_enhance.image import PHOTOGRAPH_SUFFIXES

Pixels = npt.NDArray[np.uint8]
CANDIDATES = 4
"""Crops among which one is drawn in proportion to its texture."""
TEXTURE_BOUNDS = (1.0, 16.0)
"""Mean absolute Laplacian, in 8-bit levels, below and above which texture counts no further."""


@dataclass(frozen=True, slots=True, eq=False)
class ImagePool:
    """Photographs as uint8 (H, W, 3) arrays, grouped by source, each source drawn with its share."""

    names: tuple[str, ...]
    sources: tuple[tuple[Pixels, ...], ...]
    shares: tuple[float, ...]

    def describe(self) -> dict[str, dict[str, float]]:
        """Number of images and share of each source, for the model card."""
        rows = zip(self.names, self.sources, self.shares, strict=True)
        return {name: {"images": len(source), "share": round(share, 4)} for name, source, share in rows}

    def draw_crop(self, generator: np.random.Generator, *, size: int, smallest_scale: float) -> Pixels:
        """Draw a square crop by the paper's three steps (DIRAC appendix B): random scale, random place, random flip.

        Sources are drawn by share, images within one evenly, and of a few candidate crops one in proportion to its
        texture, so that skies do not drown faces, text and foliage.

        Args:
            generator: source of all randomness.
            size: side of the crop, in pixels after scaling.
            smallest_scale: scale factors are uniform in [smallest_scale, 1].

        Returns:
            (size, size, 3) uint8.
        """
        source = self.sources[generator.choice(len(self.sources), p=self.shares)]
        regions = [_draw_region(generator, source, size, smallest_scale) for _ in range(CANDIDATES)]
        textures = np.array([texture(region) for region in regions])
        crop = _resize(regions[generator.choice(CANDIDATES, p=textures / textures.sum())], size)
        return crop[:, ::-1] if generator.random() < 0.5 else crop


def load_pool(folder: Path, *, smallest_side: int, shares: Mapping[str, float] | None = None) -> ImagePool:
    """Read every image below `folder` into memory.

    An image's source is its file name up to `__`, or else its folder. Sources without a given share divide what the
    given ones leave, by their number of images.

    Raises:
        TrainingError: if there is no usable image, or `shares` names an unknown source or exceeds 1.
    """
    grouped: dict[str, list[Pixels]] = {}
    for path in image_files(folder):
        pixels = read_pixels(path)
        if min(pixels.shape[:2]) >= smallest_side:
            grouped.setdefault(source_name(path), []).append(pixels)
    if not grouped:
        raise TrainingError(f"no image of at least {smallest_side} pixels a side in {folder}; pass --data FOLDER")
    names = sorted(grouped)
    return ImagePool(
        names=tuple(names),
        sources=tuple(tuple(grouped[name]) for name in names),
        shares=complete_shares({name: len(grouped[name]) for name in names}, shares or {}),
    )


def image_files(folder: Path) -> list[Path]:
    """List the images below `folder`, by their suffixes, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOGRAPH_SUFFIXES)


def read_pixels(path: Path) -> Pixels:
    """Read an image, upright, as (H, W, 3) uint8.

    Raises:
        TrainingError: if it is missing or damaged.
    """
    from dirac_enhance.image import read_rgb

    try:
        return (read_rgb(path) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    except DiracError as cause:
        raise TrainingError(f"training image {path}: {cause}; remove it or pass another --data folder") from cause


def smaller_side(path: Path) -> int:
    """Return the smaller side of an image in pixels, from its header.

    Raises:
        TrainingError: if it is no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return min(picture.size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as cause:
        raise TrainingError(f"'{path}' is not an image that Pillow can read; remove it") from cause


def source_name(path: Path) -> str:
    """Return the source of an image: its file name up to `__`, or else its folder."""
    prefix, separator, _ = path.name.partition("__")
    return prefix if separator else path.parent.name


def complete_shares(counts: Mapping[str, int], given: Mapping[str, float]) -> tuple[float, ...]:
    """Divide what the given shares leave among the other sources, by their counts; returned in the order of `counts`.

    Raises:
        TrainingError: if `given` names an unknown source, or exceeds 1.
    """
    unknown = sorted(set(given) - set(counts))
    if unknown:
        raise TrainingError(f"no source named {', '.join(unknown)}; the sources are {', '.join(counts)}")
    left, rest = 1 - sum(given.values()), sum(count for name, count in counts.items() if name not in given)
    if min(given.values(), default=0.0) < 0 or left < -1e-9 or (rest == 0 and left > 1e-9):
        raise TrainingError(f"source shares add up to {1 - left:g}; expected at most 1, and 1 where they name them all")
    shares = [given.get(name, max(left, 0.0) * count / max(rest, 1)) for name, count in counts.items()]
    return tuple(share / sum(shares) for share in shares)


def draw_corner(generator: np.random.Generator, image: Pixels, *, size: int) -> tuple[int, int]:
    """Draw the upper left corner (y, x) of a square crop: of a few candidates one in proportion to its texture."""
    height, width = image.shape[:2]
    corners = [
        (int(generator.integers(height - size + 1)), int(generator.integers(width - size + 1)))
        for _ in range(CANDIDATES)
    ]
    textures = np.array([texture(image[y : y + size, x : x + size]) for y, x in corners])
    return corners[generator.choice(CANDIDATES, p=textures / textures.sum())]


def _draw_region(generator: np.random.Generator, source: Sequence[Pixels], size: int, smallest_scale: float) -> Pixels:
    image = source[generator.integers(len(source))]
    height, width = image.shape[:2]
    scale = max(generator.uniform(smallest_scale, 1), size / min(height, width))
    side = min(round(size / scale), height, width)
    top, left = generator.integers(height - side + 1), generator.integers(width - side + 1)
    return image[top : top + side, left : left + side]


def texture(region: Pixels) -> float:
    """Mean absolute Laplacian of the green channel at half resolution, limited to `TEXTURE_BOUNDS`."""
    green = region[::2, ::2, 1].astype(np.int16)
    centre = green[1:-1, 1:-1]
    laplacian = 4 * centre - green[:-2, 1:-1] - green[2:, 1:-1] - green[1:-1, :-2] - green[1:-1, 2:]
    return float(np.clip(np.abs(laplacian).mean() / 2, *TEXTURE_BOUNDS))


def _resize(region: Pixels, size: int) -> Pixels:
    if region.shape[0] == size:
        return region
    from PIL import Image

    return np.asarray(Image.fromarray(region).resize((size, size), Image.Resampling.BICUBIC))
