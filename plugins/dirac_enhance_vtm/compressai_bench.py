"""Coding as CompressAI's benchmark does, roundings and all, for figures that compare with published ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import torch

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_vtm.program import run_program, temporary_folder
from dirac_enhance_vtm.reference_software import ReferenceSoftware, read_output

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance_vtm.planes import Planes

_PROCESS = Path(__file__).with_name("compressai_process.py")


def encode_by_compressai(pixels: Tensor, software: ReferenceSoftware, *, qp: int, timeout: float) -> bytes:
    """Encode with `compressai.utils.bench.codecs.VTM`, in a process of its own.

    That class ends its process when the encoder fails, and leaves temporary files behind; a process in a temporary
    folder of its own takes both with it. It truncates Y, Cb and Cr to 8 bits, and decodes what it encoded.

    Args:
        pixels: (3, H, W) float32 in [0, 1], rounded to 8 bits first, as the class reads image files.
        software: with both programs and a configuration.
        qp: 0 … 63.
        timeout: seconds for encoding and decoding together.

    Raises:
        CodecOptionError: if a program or the configuration is not there.
        ProgramError: if one fails.
    """
    from PIL import Image

    encoder, _ = software.program("EncoderApp"), software.program("DecoderApp")
    config = software.config_file()
    samples = pixels.detach().clamp(0, 1).mul_(255).round_().to(torch.uint8).permute(1, 2, 0).cpu().contiguous().numpy()
    with temporary_folder() as folder:
        source, coded = folder / "source.png", folder / "coded.bin"
        Image.fromarray(samples).save(source)
        command: list[str | Path] = [sys.executable, _PROCESS, source, encoder.parent, config, str(qp), coded]
        run_program(command, folder=folder, timeout=timeout)
        return read_output(coded, of=encoder)


def to_compressai_pixels(planes: Planes) -> Tensor:
    """Return (3, H, W) float32 in [0, 1] as CompressAI's benchmark decodes: from 8 bits, truncated to 8 bits.

    The operations are those of `compressai.transforms.functional.ycbcr2rgb`, in their order, so that the same values
    fall to either side of a whole number.

    Raises:
        InvalidBitstreamError: if the planes are not in 4:4:4.
    """
    rounded = planes.to_eight_bits()
    if rounded.chroma is None or rounded.chroma[0].shape != rounded.luma.shape:
        raise InvalidBitstreamError("a VVC picture that is not in 4:4:4; codec option mode=compressai takes no other")
    k_red, k_green, k_blue = 0.2126, 0.7152, 0.0722
    y, cb, cr = (torch.from_numpy(each.astype(numpy.float32)) / 255 for each in (rounded.luma, *rounded.chroma))
    r = y + (2 - 2 * k_red) * (cr - 0.5)
    b = y + (2 - 2 * k_blue) * (cb - 0.5)
    g = (y - k_red * r - k_blue * b) / k_green
    truncated = (torch.stack((r, g, b)).clamp(0, 1) * 255).to(torch.uint8)
    return truncated.to(torch.float32).div_(255)
