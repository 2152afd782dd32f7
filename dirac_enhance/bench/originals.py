"""Originals: the set of pictures that a benchmark measures, read one at a time, and what is unusual about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance import BenchmarkError, DiracError
from dirac_enhance.bench.pixel_hash import pixels_sha256
from dirac_enhance.bench.preparation import (
    Preparation,
    channels_of,
    find_pictures,
    is_gray,
    read_original,
    to_luma,
)
from dirac_enhance.bench.presets import PRESETS, Preset

if TYPE_CHECKING:
    from torch import Tensor

_PATCH_SIDE = 256


@dataclass(frozen=True, slots=True)
class Original:
    """One original: its name in results, its file, and height and width in pixels once prepared."""

    name: str
    file: Path
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class OriginalSet:
    """The pictures of one benchmark.

    Args:
        name: the preset's id where it is one, else the folder's name.
        originals: in the order of results.
        preparation: from file to original.
        pixel_hash: see `pixel_hash.pixels_sha256`.
        remarks: what is unusual about the set, one line each.
        gray: whether each is made its luma, by `to_luma`.
    """

    name: str
    originals: tuple[Original, ...]
    preparation: Preparation
    pixel_hash: str
    remarks: tuple[str, ...] = ()
    gray: bool = False

    def __iter__(self) -> Iterator[Tensor]:
        """Read them again, one at a time: (3, H, W) float32 in [0, 1] each."""
        for original in self.originals:
            pixels = read_original(original.file, self.preparation)
            yield to_luma(pixels) if self.gray else pixels

    @property
    def sides(self) -> tuple[tuple[str, int, int], ...]:
        """Name, height and width of each."""
        return tuple((original.name, original.height, original.width) for original in self.originals)


def read_set(
    folder: Path,
    *,
    preset: Preset | None = None,
    file_list: Path | None = None,
    limit: int | None = None,
    only: Collection[str] | None = None,
    gray: bool = False,
) -> OriginalSet:
    """Look through the originals of a folder and of those in it.

    A file that cannot be read is left out, with a remark. Without a preset, a set whose pixels are those of a preset,
    or whose folder is named like one and has as many pictures, is taken for it.

    Args:
        folder: of pictures.
        preset: what they are; they are counted and their pixels compared, where these are known.
        file_list: of the preset's files, as in `Preset.find`.
        limit: use the first pictures only.
        only: names of those that count, paths from the folder; None for all.
        gray: take the luma of each; a set is still known by its colours.

    Raises:
        BenchmarkError: if the pictures are not those of the preset, one of `only` is missing, or none can be read.
        InvalidImageError: if the folder is missing or has no pictures.
    """
    found = find_pictures(folder) if preset is None else preset.find(folder, file_list=file_list)
    files = (found if only is None else _named(found, only, folder=folder))[:limit]
    preparation = Preparation.AS_IT_IS if preset is None else preset.preparation
    originals: list[Original] = []
    coloured: list[str] = []
    remarks: list[str] = []

    def read() -> Iterator[Tensor]:
        for file in files:
            try:
                pixels = read_original(file, preparation)
            except DiracError as error:
                remarks.append(f"left out: {error}")
                continue
            originals.append(Original(file.relative_to(folder).as_posix(), file, *pixels.shape[1:]))
            if gray and not is_gray(pixels):
                coloured.append(originals[-1].name)
            yield pixels

    pixel_hash = pixels_sha256(read())
    if not originals:
        raise BenchmarkError(f"no picture in '{folder}' can be read; the first: {remarks[0]}")
    whole = len(files) == len(found) and limit is None
    if preset is not None and whole:
        preset.check_pixels(pixel_hash)
    if preset is not None:
        name = preset.id
    else:
        name = _name_of(folder, originals, pixel_hash) if whole else folder.resolve().name
    if not whole:
        name = f"{name}, {len(originals)} with streams" if limit is None else f"{name}, first {len(originals)}"
    remarks += [*(_about_luma(coloured, originals) if gray else _about_channels(originals)), *_about_sizes(originals)]
    originals_set = OriginalSet(name, tuple(originals), preparation, pixel_hash, tuple(remarks), gray)
    return replace(originals_set, pixel_hash=pixels_sha256(originals_set)) if coloured else originals_set


def _named(files: list[Path], names: Collection[str], *, folder: Path) -> list[Path]:
    """Return those files of a folder that have a stream."""
    found = [file for file in files if file.relative_to(folder).as_posix() in names]
    if missing := sorted(set(names) - {file.relative_to(folder).as_posix() for file in found}):
        raise BenchmarkError(f"'{folder}' lacks {', '.join(missing)}, of which there are streams")
    return found


def _name_of(folder: Path, originals: list[Original], pixel_hash: str) -> str:
    name = folder.resolve().name
    for preset in PRESETS.values():
        if preset.preparation is not Preparation.AS_IT_IS:
            continue
        known = preset.pixels_sha256
        if known == pixel_hash or (known is None and name.lower() == preset.id and len(originals) == preset.pictures):
            return preset.id
    return f"{name} (not the preset)" if name.lower() in PRESETS else name


def _about_channels(originals: list[Original]) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for original in originals:
        kinds.setdefault(channels_of(original.file), []).append(original.name)
    for kind, consequence in (
        ("grayscale", "measured as RGB of three equal channels"),
        ("alpha", "alpha is dropped, and the colours under it are measured"),
    ):
        if names := kinds.get(kind):
            what = "grayscale" if kind == "grayscale" else "with alpha"
            yield f"{len(names)} of {len(originals)} originals {what}, the first '{names[0]}': {consequence}"


def _about_luma(coloured: list[str], originals: list[Original]) -> Iterator[str]:
    if coloured:
        yield (
            f"{len(coloured)} of {len(originals)} originals in colour, the first '{coloured[0]}':"
            " their luma is measured (BT.601 in 16 … 235, as MATLAB's rgb2ycbcr makes it)"
        )


def _about_sizes(originals: list[Original]) -> Iterator[str]:
    by_area = sorted(originals, key=lambda original: original.height * original.width)
    least, most = by_area[0], by_area[-1]
    shapes = {tuple(sorted((original.height, original.width))) for original in originals}
    if len(shapes) > 1:
        yield (
            f"originals of {len(shapes)} sizes, from {least.width}×{least.height} to {most.width}×{most.height}:"
            " each picture counts once in a mean"
        )


def about_patches(originals: OriginalSet) -> str | None:
    """Say how many originals are too small to have a patch, for distances between sets; None if none is."""
    small = [name for name, height, width in originals.sides if min(height, width) < _PATCH_SIDE]
    if not small or len(small) == len(originals.sides):
        return None
    return (
        f"{len(small)} of {len(originals.sides)} originals are below 256 pixels, the first '{small[0]}':"
        " distances between sets of patches leave them out"
    )
