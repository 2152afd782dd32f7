"""Pixels to a VVC stream by one of the encoders, the result decoded to see that it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dirac_enhance import InvalidBitstreamError, InvalidImageError
from dirac_enhance_vtm.colour import SampleFormat, to_samples
from dirac_enhance_vtm.compressai_bench import encode_by_compressai
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.program import ProgramError
from dirac_enhance_vtm.pyav import decode_by_pyav
from dirac_enhance_vtm.reference_software import ReferenceSoftware

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance_vtm.vvenc import Vvenc


def encode_pixels(
    pixels: Tensor,
    encoder: ReferenceSoftware | Vvenc,
    *,
    samples: SampleFormat,
    by_compressai: bool,
    qp: int,
    timeout: float,
) -> bytes:
    """Encode (3, H, W) float pixels in [0, 1]; values outside are clamped. VTM alone is called through CompressAI.

    Raises:
        InvalidImageError: if the pixels have another shape, or a value that is not finite.
        CodecOptionError: if a program or its configuration is not there.
        ProgramError: if the encoder fails, or what it wrote is not the picture, as when the disk is full.
    """
    _check(pixels)
    if by_compressai and isinstance(encoder, ReferenceSoftware):
        coded = encode_by_compressai(pixels, encoder, qp=qp, timeout=timeout)
    else:
        coded = encoder.encode(to_samples(pixels, samples), bit_depth=samples.input_depth, qp=qp, timeout=timeout)
    _check_coded(coded, width=pixels.shape[2], height=pixels.shape[1])
    return coded


def _check(pixels: Tensor) -> None:
    shape = tuple(pixels.shape)
    if len(shape) != 3 or shape[0] != 3 or 0 in shape or not pixels.is_floating_point():
        raise InvalidImageError(f"{pixels.dtype} pixels of shape {shape}; VVC takes float pixels (3, height, width)")
    if not bool(torch.isfinite(pixels).all()):
        raise InvalidImageError("pixels that are not finite cannot be coded; expected values in [0, 1]")


def _check_coded(coded: bytes, *, width: int, height: int) -> None:
    try:
        picture = find_first_picture(coded)
        decode_by_pyav(picture)
    except InvalidBitstreamError as cause:
        raise ProgramError(f"the encoder wrote a stream that does not decode: {cause}; is the disk full?") from cause
    if (picture.width, picture.height) != (width, height):
        raise ProgramError(f"the encoder made {picture.width}×{picture.height} pixels of {width}×{height}")
