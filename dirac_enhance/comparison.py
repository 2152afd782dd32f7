"""Comparison: how far one picture file is from another, in every metric that can be computed here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.errors import DiracError, DiracWarning, InvalidImageError, WeightsError
from dirac_enhance.picture import Picture, read_picture

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.host import CodecHost
    from dirac_enhance.metrics import LPIPS

TORCHVISION_ALEXNET = "alexnet-owt-7be5be79.pth"
"""Name under which torch hub keeps torchvision's AlexNet."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Distances between two pictures, both rounded to 8 bits; None where one was not measured.

    Args:
        psnr: in decibels over all RGB samples, infinite for equal pictures.
        ssim: structural similarity, 1 for equal pictures.
        lpips: learned perceptual distance with AlexNet, 0 for equal pictures.
        missing: metric → why it was not measured, and what to do.
    """

    psnr: float | None
    ssim: float | None
    lpips: float | None
    missing: Mapping[str, str]


def compare_files(first: Path, second: Path, host: CodecHost, *, lpips_backbone: Path | None = None) -> Comparison:
    """Compare two picture files as they are seen: upright, without alpha; their samples as stored.

    Args:
        first, second: files of a known codec or images, of one size.
        host: the codecs.
        lpips_backbone: torchvision's AlexNet, for LPIPS; None for the one in torch hub's cache, if it is there.

    Warns:
        DiracWarning: if their colour profiles differ.

    Raises:
        InvalidImageError: if a file is no picture, or their sizes differ.
        InvalidBitstreamError: if a codec cannot decode a file.
        WeightsError: if a backbone was given and cannot be used.
    """
    from dirac_enhance.metrics import psnr, round_to_8_bits, ssim

    one, other = read_picture(first, host), read_picture(second, host)
    _check_sizes(one, other, names=(first, second))
    _warn_of_profiles(one, other)
    network = None if lpips_backbone is None else _load_lpips(lpips_backbone)

    def lpips(pictures: Tensor, originals: Tensor) -> Tensor:
        distance: Tensor = (network or _load_lpips(_cached_alexnet()))(2 * pictures - 1, 2 * originals - 1)
        return distance

    pair = round_to_8_bits(one.pixels[None]), round_to_8_bits(other.pixels[None])
    missing: dict[str, str] = {}
    metrics = {"psnr": psnr, "ssim": ssim, "lpips": lpips}
    values = {name: _measure(name, metric, pair, missing=missing) for name, metric in metrics.items()}
    return Comparison(**values, missing=missing)


def _check_sizes(one: Picture, other: Picture, *, names: tuple[Path, Path]) -> None:
    (height, width), (other_height, other_width) = one.pixels.shape[1:], other.pixels.shape[1:]
    if (height, width) != (other_height, other_width):
        raise InvalidImageError(
            f"'{names[0]}' has {width}×{height} and '{names[1]}' {other_width}×{other_height} pixels;"
            " only pictures of one size can be compared"
        )


def _warn_of_profiles(one: Picture, other: Picture) -> None:
    names = [_profile(each.icc_profile) for each in (one, other)]
    if names[0] != names[1]:
        warnings.warn(
            f"the colour profiles differ ({' and '.join(names)}); samples are compared as stored",
            DiracWarning,
            stacklevel=3,
        )


def _profile(profile: bytes | None) -> str:
    from dirac_enhance.colour_profile import profile_name

    return "none" if profile is None else profile_name(profile) or "an unreadable one"


def _measure(
    name: str, metric: Callable[[Tensor, Tensor], Tensor], pair: tuple[Tensor, Tensor], *, missing: dict[str, str]
) -> float | None:
    """Return a metric's value, or None and say in `missing` why there is none."""
    import torch

    try:
        with torch.inference_mode():
            return float(metric(*pair))
    except ImportError as error:
        missing[name] = f"it needs {error.name}; run `pip install 'dirac-enhance[metrics]'`"
    except DiracError as error:
        missing[name] = str(error)
    return None


def _load_lpips(backbone: Path) -> LPIPS:
    from dirac_enhance.metrics import load_lpips

    try:
        return load_lpips("alexnet", backbone_file=backbone)
    except ImportError as cause:
        raise WeightsError(f"LPIPS needs {cause.name}; run `pip install 'dirac-enhance[metrics]'`") from cause


def _cached_alexnet() -> Path:
    """Return the AlexNet in torch hub's cache.

    Raises:
        WeightsError: if it is not there.
    """
    import torch

    file = Path(torch.hub.get_dir()) / "checkpoints" / TORCHVISION_ALEXNET
    if not file.is_file():
        raise WeightsError(
            f"there is no '{file}', where torch hub keeps AlexNet;"
            " pass torchvision's AlexNet weights with --lpips-backbone FILE"
        )
    return file
