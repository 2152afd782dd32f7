"""Image files: results written with their source's metadata, original pictures read."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError

from dirac_enhance.atomic import check_target, write_atomically
from dirac_enhance.errors import InvalidImageError
from dirac_enhance.image_formats import ImageFormat, find_format, fit_metadata

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.codec import ImageMetadata

_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright (EXIF 2.32, table 5)."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """How results are written.

    Args:
        overwrite: replace a file that is already there.
    """

    overwrite: bool = False


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
    """Write pixels to an 8-bit image file, in the format its suffix names; it appears whole or not at all.

    The EXIF orientation is applied to the pixels and reset to 1; colour profile, EXIF without its thumbnail, XMP
    and resolution are kept as far as the format has a place for them; a grayscale source gives a grayscale file.

    Args:
        path: PNG, JPEG (quality 95, 4:4:4), WebP (lossless) or TIFF, by suffix.
        pixels: (3, H, W) float32 in [0, 1], in coded orientation; values outside are clamped.
        metadata: of the source.
        alpha: (H, W) float32 in [0, 1], or None.
        output: how to write it.

    Raises:
        InvalidImageError: if the pixels are not finite, the format cannot hold them, or the file cannot be written.
        OutputExistsError: if the file exists and is not to be replaced.
    """
    check_output(path, output=output)
    content = encode_image(pixels, image_format=find_format(path.suffix), metadata=metadata, alpha=alpha)
    try:
        write_atomically(path, content, overwrite=output.overwrite)
    except OSError as cause:
        raise InvalidImageError(f"cannot write '{path}': {cause.strerror or cause}") from cause


def check_output(path: Path, *, output: OutputSettings = AS_NEW_FILE) -> None:
    """Check, before any work is done, that an image can be written to `path`.

    Raises:
        InvalidImageError: if the suffix names no format, or the folder is missing or not writable.
        OutputExistsError: if the file exists and is not to be replaced.
    """
    find_format(path.suffix)
    check_target(path, overwrite=output.overwrite)


def encode_image(
    pixels: Tensor, *, image_format: ImageFormat, metadata: ImageMetadata, alpha: Tensor | None = None
) -> bytes:
    """Encode pixels to the bytes of an image file; arguments and guarantees as in `write_image`.

    Raises:
        InvalidImageError: if the pixels are not finite or the format cannot hold them.
    """
    picture = _to_pillow(pixels, alpha, grayscale=metadata.grayscale)
    if metadata.orientation in _UPRIGHT_BY:
        picture = picture.transpose(_UPRIGHT_BY[metadata.orientation])
    if picture.mode not in image_format.modes:
        picture = picture.convert(picture.mode.replace("L", "RGB"))  # WebP has no grayscale
    buffer = io.BytesIO()
    fitting = fit_metadata(metadata, grayscale=picture.mode in ("L", "LA"))
    try:
        picture.save(buffer, image_format.name, **image_format.options(fitting))
    except (OSError, SyntaxError, ValueError, struct.error) as cause:
        size = f"{picture.width}×{picture.height} {picture.mode}"
        raise InvalidImageError(
            f"cannot write a {size} picture as {image_format.name}: {cause}; PNG holds any"
        ) from cause
    return buffer.getvalue()


def _to_pillow(pixels: Tensor, alpha: Tensor | None, *, grayscale: bool) -> Image.Image:
    """Round (3, H, W) pixels in [0, 1] and their alpha to an 8-bit Pillow image of mode L, LA, RGB or RGBA."""
    planes = pixels.mean(dim=0, keepdim=True) if grayscale else pixels
    samples = _to_bytes(planes).permute(1, 2, 0)
    picture = Image.fromarray((samples[..., 0] if grayscale else samples).contiguous().numpy())
    if alpha is not None:
        picture.putalpha(Image.fromarray(_to_bytes(alpha).contiguous().numpy()))
    return picture


def _to_bytes(values: Tensor) -> Tensor:
    import torch

    if not bool(torch.isfinite(values).all()):
        raise InvalidImageError("the pixels to write are not all finite")
    return values.cpu().clamp(0, 1).mul_(255).round_().to(torch.uint8)


def read_rgb(path: Path) -> Tensor:
    """Read an original picture, as training and benchmarks need it.

    Returns:
        (3, H, W) float32 in [0, 1], the EXIF orientation applied, alpha dropped, grayscale repeated.

    Raises:
        InvalidImageError: if the file is missing, damaged, no image, or has more than 8 bits per sample.
    """
    import numpy
    import torch

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                raise InvalidImageError(f"'{path}' has more than 8 bits per sample; convert it to 8 bits first")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except UnidentifiedImageError as cause:
        raise InvalidImageError(f"'{path}' is not an image that Pillow can read") from cause
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        raise InvalidImageError(f"cannot read the image '{path}': {reason}") from cause
    samples = torch.from_numpy(numpy.array(upright))
    return samples.permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format).div_(255)
