"""Original pictures, and a codec to code them with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import torch

from dirac_enhance import EncodingCodec, InvalidImageError, PluginError, load_host
from dirac_enhance.bench.coded_pictures import STREAM_INDEX, EncodedNow, read_streams
from dirac_enhance.bench.preparation import Preparation, find_pictures, read_original
from variants import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from dirac_enhance import Codec
    from dirac_enhance.bench.coded_pictures import CodedPictures


_Command = TypeVar("_Command", bound="Callable[..., Any] | click.Command")

streams_option = click.option(
    "--streams",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=f"Folder of streams made beforehand, with {STREAM_INDEX}; nothing is encoded.",
)


def qualities_option(usual: tuple[float, ...], *, purpose: str = "Rate factors.") -> Callable[[_Command], _Command]:
    """Make the option for what `choose_codec` takes as its rate factors, beside `streams_option`."""
    return click.option(
        "--qualities",
        callback=numbers,
        show_default=f"{','.join(f'{quality:g}' for quality in usual)}, or those of the streams",
        help=purpose,
    )


def choose_codec(
    codec_id: str, streams: Path | None, rate_factors: tuple[float, ...], *, usual: tuple[float, ...] = ()
) -> tuple[Codec, CodedPictures]:
    """Find the codec that decodes, and what it decodes: streams of a folder, or originals that it encodes itself.

    Args:
        codec_id: of an installed codec, which need not encode where there are streams.
        streams: their folder, or None.
        rate_factors: to encode at, or of the streams to take; `usual`, or all streams, if empty.
        usual: rate factors to encode at where none are given.

    Raises:
        DiracError: if there is no such codec, it would have to encode and cannot, or there are no such streams.
    """
    if streams:
        return load_host().codec(codec_id).codec, read_streams(streams, rate_factors=rate_factors)
    codec = encoding_codec(codec_id)
    return codec, EncodedNow(codec, rate_factors or usual)


def encoding_codec(codec_id: str) -> EncodingCodec:
    """Find an installed codec that can encode.

    Raises:
        DiracError: if there is none of that id, or it only decodes.
    """
    codec = load_host().codec(codec_id).codec
    if not isinstance(codec, EncodingCodec):
        raise PluginError(f"codec '{codec_id}' only decodes; a benchmark needs one that encodes")
    return codec


def read_folder(folder: Path, *, only: Collection[str] | None = None, limit: int | None = None) -> dict[str, Tensor]:
    """Read the first `limit` pictures of a folder, sorted by name; each as by `read_picture`.

    Args:
        folder: with the pictures.
        only: file names of those that count; None for all.
        limit: how many to read; None for all that count.

    Raises:
        InvalidImageError: if there is none, or one of `only` is missing.
    """
    files = [file for file in find_pictures(folder) if file.parent == folder]
    if not files:
        raise InvalidImageError(f"no pictures in {folder}; expected files such as {folder / 'kodim01.png'}")
    if only is not None:
        if missing := sorted(set(only) - {file.name for file in files}):
            raise InvalidImageError(f"{folder} lacks {', '.join(missing)}, of which there are streams")
        files = [file for file in files if file.name in only]
    return {file.name: read_picture(file) for file in files[:limit]}


def read_picture(file: Path) -> Tensor:
    """Read one picture as (3, H, W) float32 RGB in [0, 1]."""
    return read_original(file, Preparation.AS_IT_IS)


def to_pixels(samples: NDArray[np.uint8]) -> Tensor:
    """Turn (H, W, 3) 8-bit samples into (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(samples).permute(2, 0, 1).contiguous().float() / 255


def cut_middle(original: Tensor, *, side: int | None) -> Tensor:
    """Cut the middle out of (3, H, W), at most `side` pixels each way; None for the whole."""
    if side is None:
        return original
    top, left = (max(0, length - side) // 2 for length in original.shape[1:])
    return original[:, top : top + side, left : left + side].contiguous()
