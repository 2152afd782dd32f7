"""Image files: results written with their source's metadata, original pictures read."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from dirac_enhance.atomic import check_target, write_atomically
from dirac_enhance.errors import InvalidBitstreamError, InvalidImageError
from dirac_enhance.image_formats import ImageFormat, find_format, fit_metadata
from dirac_enhance.sixteen_bit import ENCODERS
from dirac_enhance.streams import STANDARD_STREAM, check_standard_output, write_standard_output
from dirac_enhance.subject import about

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.codec import BaseReconstruction, ImageMetadata

PHOTOGRAPH_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm")
"""Of the files that originals and training photographs come in."""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's mode by number of channels."""
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""What makes a picture of each EXIF orientation upright (EXIF 2.32, table 5): transpose, reverse rows, columns."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How results are written.

    Args:
        overwrite: replace a file that is already there.
        depth: bits per sample; 16 in PNG and TIFF only.
        strip_metadata: leave out EXIF, XMP and resolution; the colour profile stays, without which colours change.

    Raises:
        InvalidImageError: if the depth is neither 8 nor 16.
    """

    overwrite: bool = False
    depth: Literal[8, 16] = 8
    strip_metadata: bool = False

    def __post_init__(self) -> None:
        if self.depth not in (8, 16):
            raise InvalidImageError(f"a depth of {self.depth} bits per sample; expected 8 or 16")


AS_NEW_FILE = OutputSettings()
"""Nothing that is already there is replaced."""


def write_image(
    path: Path,
    pixels: Tensor,
    *,
    metadata: ImageMetadata,
    alpha: Tensor | None = None,
    output: OutputSettings = AS_NEW_FILE,
) -> None:
    """Write pixels to an image file, in the format its suffix names; it appears whole or not at all.

    The EXIF orientation is applied to the pixels and reset to 1; colour profile, EXIF without its thumbnail, XMP
    and resolution are kept as far as the format has a place for them; a grayscale source gives a grayscale file.

    Args:
        path: PNG, JPEG (quality 95, 4:4:4), WebP (lossless) or TIFF, by suffix; `STANDARD_STREAM` for PNG to standard
            output.
        pixels: (3, H, W) float32 in [0, 1], in coded orientation; values outside are clamped.
        metadata: of the source.
        alpha: (H, W) float32 in [0, 1], or None.
        output: how to write it.

    Raises:
        InvalidImageError: if the pixels are not finite, the format cannot hold them, or the file cannot be written.
        OutputExistsError: if the file exists and is not to be replaced.
    """
    check_output(path, output=output)
    with about(f"'{path}'"):
        content = encode_image(pixels, image_format=_format_of(path), metadata=metadata, alpha=alpha, output=output)
    try:
        if path == STANDARD_STREAM:
            write_standard_output(content)
        else:
            write_atomically(path, content, overwrite=output.overwrite)
    except OSError as cause:
        name = "to standard output" if path == STANDARD_STREAM else f"'{path}'"
        raise InvalidImageError(f"cannot write {name}: {cause.strerror or cause}") from cause


def _format_of(path: Path) -> ImageFormat:
    return find_format(".png" if path == STANDARD_STREAM else path.suffix)


def check_output(path: Path, *, output: OutputSettings = AS_NEW_FILE) -> None:
    """Check, before any work is done, that an image can be written to `path`.

    Raises:
        InvalidImageError: if the suffix names no format or one that cannot hold the depth, the folder is missing or not
            writable, or standard output is a terminal.
        OutputExistsError: if the file exists and is not to be replaced.
    """
    image_format = _format_of(path)
    if output.depth == 16 and not image_format.deep_modes:
        raise InvalidImageError(
            f"'{path}' cannot hold 16 bits per sample; end its name in .png or .tiff, or leave out --depth 16"
        )
    if path == STANDARD_STREAM:
        check_standard_output()
        return
    check_target(path, overwrite=output.overwrite)


def encode_image(
    pixels: Tensor,
    *,
    image_format: ImageFormat,
    metadata: ImageMetadata,
    alpha: Tensor | None = None,
    output: OutputSettings = AS_NEW_FILE,
) -> bytes:
    """Encode pixels to the bytes of an image file; arguments and guarantees as in `write_image`.

    Raises:
        InvalidImageError: if the pixels are not finite or the format cannot hold them.
    """
    if output.strip_metadata:
        metadata = replace(metadata, exif=None, xmp=None, dpi=None)
    planes = pixels.mean(dim=0, keepdim=True) if metadata.grayscale else pixels
    samples = _make_upright(_round(planes, alpha, depth=output.depth), metadata.orientation)
    if _MODES[samples.shape[2]] not in (image_format.modes if output.depth == 8 else image_format.deep_modes):
        samples = samples[..., [0, 0, 0, *range(1, samples.shape[2])]]  # the format has no such grayscale
    height, width, channels = samples.shape
    fitting = fit_metadata(metadata, grayscale=channels < 3)
    try:
        if output.depth == 16:
            return ENCODERS[image_format.name](samples, fitting)
        picture = Image.fromarray(samples[..., 0] if channels == 1 else samples)
        buffer = io.BytesIO()
        picture.save(buffer, image_format.name, **image_format.options(fitting))
    except (OSError, SyntaxError, ValueError, struct.error) as cause:
        raise InvalidImageError(
            f"cannot write a {width}×{height} {_MODES[channels]} picture as {image_format.name}: {cause}; PNG holds any"
        ) from cause
    return buffer.getvalue()


def _round(planes: Tensor, alpha: Tensor | None, *, depth: int) -> npt.NDArray[Any]:
    """Round planes (C, H, W) in [0, 1] and their alpha to samples (H, W, C) of `depth` bits; C as in `_MODES`."""
    import torch

    if alpha is not None:
        planes = torch.cat((planes, alpha[None]))
    if not bool(torch.isfinite(planes).all()):
        raise InvalidImageError("the pixels to write are not all finite")
    levels = planes.detach().cpu().clamp(0, 1).mul_(2**depth - 1).round_()
    return levels.permute(1, 2, 0).numpy().astype(np.uint8 if depth == 8 else np.uint16)


def _make_upright(samples: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    transposed, reverse_rows, reverse_columns = _TURNS.get(orientation, _TURNS[1])
    turned = samples.swapaxes(0, 1) if transposed else samples
    return np.ascontiguousarray(turned[:: -1 if reverse_rows else 1, :: -1 if reverse_columns else 1])


def read_rgb(path: Path) -> Tensor:
    """Read an original picture, as training and benchmarks need it.

    Returns:
        (3, H, W) float32 in [0, 1], in the depth of the file, the EXIF orientation applied, alpha dropped, grayscale
        repeated.

    Raises:
        InvalidImageError: if the file is missing, damaged, no image, or has samples that are not read.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise InvalidImageError(f"cannot read the image '{path}': {cause.strerror or cause}") from cause
    return decode_rgb(content, name=f"'{path}'")


def decode_rgb(content: bytes, *, name: str) -> Tensor:
    """Decode the content of an image file that is called `name` in messages; see `read_rgb`."""
    import torch

    base = read_if_decoded(content)
    if base is not None:
        samples = _make_upright(base.pixels.permute(1, 2, 0).numpy(), base.metadata.orientation)
        return torch.from_numpy(samples).permute(2, 0, 1).contiguous()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.mode.startswith(("I", "F")):
                raise InvalidImageError(f"{name} has samples of kind '{picture.mode}'; save it as PNG of 8 or 16 bits")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except UnidentifiedImageError as cause:
        raise InvalidImageError(f"{name} is not an image that Pillow can read") from cause
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        raise InvalidImageError(f"cannot read the image {name}: {reason}") from cause
    planes = torch.from_numpy(np.array(upright)).permute(2, 0, 1)
    return planes.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def read_if_decoded(content: bytes) -> BaseReconstruction | None:
    """Read a lossless file in full depth; None if it is none, damaged, or of a kind that only Pillow knows."""
    from dirac_enhance.decoded_pixels import begins_as_decoded, read_decoded_pixels

    if not begins_as_decoded(content):
        return None
    try:
        return read_decoded_pixels(content)
    except InvalidBitstreamError:
        return None
