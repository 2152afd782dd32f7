"""Coding as CompressAI's benchmark does, roundings and all, for figures that compare with published ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import torch

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
        command = [sys.executable, _PROCESS, source, encoder.parent, config, str(qp), coded]
        run_program(command, folder=folder, timeout=timeout)
        return read_output(coded, of=encoder)


def to_compressai_pixels(planes: Planes) -> Tensor:
    """Return (3, H, W) float32 in [0, 1] as CompressAI's benchmark decodes: from 8 bits, truncated to 8 bits.

    Args:
        planes: in 4:4:4, or 4:0:0 for gray.
    """
    from compressai.transforms.functional import ycbcr2rgb

    rounded = planes.to_eight_bits()
    if rounded.chroma is None:
        return torch.from_numpy(rounded.luma / numpy.float32(255)).expand(3, -1, -1).contiguous()
    stacked = numpy.stack((rounded.luma, *rounded.chroma)).astype(numpy.float32) / (2**8 - 1)
    converted = ycbcr2rgb(torch.from_numpy(stacked)).numpy()
    samples = (converted.clip(0, 1) * 255.0).astype(numpy.uint8)
    return torch.from_numpy(samples).to(torch.float32).div_(255)
