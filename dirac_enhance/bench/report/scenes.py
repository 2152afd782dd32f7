"""Scenes: crops of pictures coded, decoded and restored while the report is written.

original ──encode_at──► bytes ──decode──► base ──enhance──► each step
                          └──restore──► each peer               all cut to the crop ──► Scene
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dirac_enhance import (
    BaseReconstruction,
    BenchmarkError,
    DiracError,
    DiracWarning,
    EncodingCodec,
    ImageMetadata,
    PluginError,
    RestorerError,
    Window,
)
from dirac_enhance.bench.preparation import Preparation, find_pictures, read_original
from dirac_enhance.bench.restorers.catalogue import find_restorer
from dirac_enhance.bench.restorers.restorer import Restorer
from dirac_enhance.sampling import DEFAULTS, SamplingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance import Enhancer
    from dirac_enhance.rate_search import Encoding

AUTOMATIC_SCENES = 3
_CROP_WIDTH, _CROP_HEIGHT = 384, 288
_THUMBNAIL = 240
_CROP = re.compile(r"(?P<name>.+?)(?::(?P<window>-?\d+,-?\d+,-?\d+,-?\d+))?", re.DOTALL)


Kind = Literal["original", "base", "steps", "peer"]


@dataclass(frozen=True, slots=True)
class CropChoice:
    """A picture by its name, and what to cut out of it; None to choose where the versions differ most."""

    name: str
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class _Picture:
    """One version of a whole picture, (3, H, W) float32 in [0, 1]."""

    kind: Kind
    label: str
    note: str
    pixels: Tensor


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a crop.

    Args:
        kind: what made it.
        label: what it is called.
        note: what it costs and how far the whole picture is from the original.
        webp: the crop as a lossless WebP file.
    """

    kind: Kind
    label: str
    note: str
    webp: bytes


@dataclass(frozen=True, slots=True)
class Scene:
    """One crop at one rate in several versions, all of one size.

    Args:
        name: of the picture's file.
        width, height: of the whole picture.
        window: the crop.
        codec, rate: what coded it.
        versions: original, base, steps, peers.
        thumbnail: the whole original as a small JPEG file.
    """

    name: str
    width: int
    height: int
    window: Window
    codec: str
    rate: float
    versions: tuple[Version, ...]
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """Which scenes to make, and of what.

    Args:
        folder: with the originals.
        crops: what to show; none for one crop each of a few pictures spread over the folder.
        rates: rate factors, a scene for each.
        steps: of the enhancer, a version for each.
        sampling: everything else about how it samples.
        preparation: from files to originals.
    """

    folder: Path
    crops: tuple[CropChoice, ...]
    rates: tuple[float, ...]
    steps: tuple[int, ...] = (1, 100)
    sampling: SamplingSettings = DEFAULTS
    preparation: Preparation = Preparation.AS_IT_IS


def parse_crop(text: str) -> CropChoice:
    """Read NAME or NAME:X,Y,WIDTH,HEIGHT.

    Raises:
        BenchmarkError: if there is no name, or a side is below 1.
    """
    match = _CROP.fullmatch(text)
    if match is not None and match["window"] is None:
        return CropChoice(text)
    try:
        assert match is not None
        left, top, width, height = map(int, match["window"].split(","))
        return CropChoice(match["name"], Window(top, left, height, width))
    except (AssertionError, ValueError) as cause:
        raise BenchmarkError(f"'{text}' is no crop; expected NAME or NAME:X,Y,WIDTH,HEIGHT in pixels") from cause


def find_peers(names: Sequence[str], *, codec_id: str) -> tuple[Restorer, ...]:
    """Return those restorers of these names that are here.

    Warns:
        DiracWarning: for each that is absent.

    Raises:
        BenchmarkError: if one is unknown, or takes no files of this codec.
    """
    found = []
    for name in names:
        restorer = find_restorer(name)
        if not isinstance(restorer, Restorer) or codec_id != "jpeg":
            raise BenchmarkError(
                f"the peer '{name}' takes no files of codec '{codec_id}'; leave it out of the pictures"
            )
        absence = restorer.available()
        if absence is None:
            found.append(restorer)
        else:
            warnings.warn(f"the peer '{name}' is left out: {absence}", DiracWarning, stacklevel=2)
    return tuple(found)


def make_scenes(
    settings: SceneSettings,
    *,
    codec: EncodingCodec,
    enhancer: Enhancer,
    peers: Sequence[Restorer] = (),
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Scene, ...]:
    """Make every scene; a picture is coded and enhanced once for each rate, however many of its crops are shown.

    Args:
        settings: which.
        codec: to code with.
        enhancer: of that codec.
        peers: restorers that take its files.
        progress: called with how many of how many pictures are done, one at one rate counting as one.

    Warns:
        DiracWarning: for a peer that fails; the scene goes without it.

    Raises:
        BenchmarkError: if a picture is not there, or a crop reaches beyond it.
        DiracError: of another kind, if a picture cannot be read, coded or enhanced.
    """
    chosen = _choose_pictures(settings)
    scenes: list[Scene] = []
    total, done = len(chosen) * len(settings.rates), 0
    for path, windows in chosen.items():
        original = read_original(path, settings.preparation)
        _check_windows(path, windows, original)
        shown = windows
        for rate in settings.rates:
            encoding, base = _code(codec, original, rate=rate, name=path.name)
            pictures = [
                _Picture("original", "original", "", original),
                _Picture("base", f"{codec.id} {rate:g}", f"{encoding.bits_per_pixel:.3f} bpp", base.pixels),
                *_enhance(enhancer, base, settings),
                *_restore(peers, encoding, path=path),
            ]
            shown = shown or _choose_windows([picture.pixels for picture in pictures])
            scenes += [_cut(pictures, window, name=path.name, codec=codec.id, rate=rate) for window in shown]
            done += 1
            progress(done, total)
    return tuple(scenes)


def _choose_pictures(settings: SceneSettings) -> dict[Path, tuple[Window, ...]]:
    """Picture → its crops, none to choose them."""
    paths = find_pictures(settings.folder)
    if not settings.crops:
        count = min(AUTOMATIC_SCENES, len(paths))
        return {paths[(2 * place + 1) * len(paths) // (2 * count)]: () for place in range(count)}
    chosen: dict[Path, tuple[Window, ...]] = {}
    for crop in settings.crops:
        path = next((path for path in paths if crop.name in _names(path, settings.folder)), None)
        if path is None:
            raise BenchmarkError(f"there is no picture '{crop.name}' in '{settings.folder}'; expected one such as"
                                 f" '{paths[0].relative_to(settings.folder)}'")  # fmt: skip
        chosen[path] = (*chosen.get(path, ()), *([crop.window] if crop.window else []))
    return chosen


def _names(path: Path, folder: Path) -> tuple[str, str, str]:
    return path.name, path.stem, str(path.relative_to(folder))


def _check_windows(path: Path, windows: Sequence[Window], original: Tensor) -> None:
    height, width = original.shape[1:]
    for window in windows:
        if window.left < 0 or window.top < 0 or window.right > width or window.bottom > height:
            raise BenchmarkError(
                f"the crop {format_window(window)} reaches beyond '{path.name}' of {width}×{height} pixels;"
                " expected X,Y,WIDTH,HEIGHT inside it"
            )


def format_window(window: Window) -> str:
    """Name a crop as it is typed."""
    return f"{window.left},{window.top},{window.width},{window.height}"


def _choose_windows(pictures: Sequence[Tensor]) -> tuple[Window, ...]:
    from dirac_enhance.contact_sheet.crops import choose_crops

    return choose_crops(pictures, width=_CROP_WIDTH, height=_CROP_HEIGHT, count=1)


def _code(codec: EncodingCodec, original: Tensor, *, rate: float, name: str) -> tuple[Encoding, BaseReconstruction]:
    from dirac_enhance.rate_search import encode_at

    try:
        encoding = encode_at(codec, original, rate_factor=rate)
        return encoding, codec.decode(encoding.content)
    except DiracError:
        raise
    except Exception as cause:
        reason = f"{type(cause).__name__}: {cause}"
        raise PluginError(f"'{name}': codec '{codec.id}' failed at {rate:g}: {reason}; tell its authors") from cause


def _enhance(enhancer: Enhancer, base: BaseReconstruction, settings: SceneSettings) -> Iterator[_Picture]:
    for steps in sorted(set(settings.steps)):
        sampling = replace(settings.sampling, steps=steps)
        evaluations = enhancer.evaluations(**sampling.trajectory_keywords())
        note = f"{evaluations} evaluation{'' if evaluations == 1 else 's'}"
        pixels = enhancer.enhance(base, **sampling.trajectory_keywords(), seed=sampling.seed, eta=sampling.eta)
        yield _Picture("steps", f"steps {steps}", note, pixels)


def _restore(peers: Sequence[Restorer], encoding: Encoding, *, path: Path) -> Iterator[_Picture]:
    for peer in peers:
        try:
            yield _Picture("peer", peer.method, "peer", peer.restore(encoding.content).pixels)
        except RestorerError as error:
            warnings.warn(f"'{path.name}' goes without the peer '{peer.id}': {error}", DiracWarning, stacklevel=2)


def _cut(pictures: Sequence[_Picture], window: Window, *, name: str, codec: str, rate: float) -> Scene:
    rows, columns = window.slices
    original = pictures[0].pixels
    versions = [
        Version(each.kind, each.label, _note(each, original), _encode(each.pixels[:, rows, columns], ".webp"))
        for each in pictures
    ]
    height, width = original.shape[1:]
    return Scene(name, width, height, window, codec, rate, tuple(versions), _encode(_shrink(original), ".jpg"))


def _note(picture: _Picture, original: Tensor) -> str:
    """Put the PSNR of the whole picture, in 8 bits, before its note, unless it is the original."""
    if picture.kind == "original":
        return picture.note
    from dirac_enhance.metrics import psnr, round_to_8_bits

    decibels = float(psnr(round_to_8_bits(picture.pixels[None]), original[None]))
    return f"{decibels:.2f} dB, {picture.note}"


def _shrink(picture: Tensor) -> Tensor:
    import torch.nn.functional as F

    scale = min(1.0, _THUMBNAIL / max(picture.shape[1:]))
    size = [max(1, round(scale * side)) for side in picture.shape[1:]]
    return F.interpolate(picture[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)


def _encode(pixels: Tensor, suffix: str) -> bytes:
    from dirac_enhance.image import encode_image
    from dirac_enhance.image_formats import find_format

    return encode_image(pixels, image_format=find_format(suffix), metadata=ImageMetadata())
