"""Y, Cb and Cr to RGB and back: matrix, range and depth of the samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from dirac_enhance_vtm.planes import Plane, Planes

MATRICES = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
"""K_R and K_B of each matrix (ITU-T H.273, table 4; BT.2020 with non-constant luminance)."""


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How samples stand for colours; a VVC stream need not say, and VTM's do not.

    With full range an encoder given b-bit samples in a stream of B bits, as VTM's is, shifts them left by B − b:
    white is at (2^b − 1)·2^(B−b), 1020 for 8 in 10 bits, and neutral chroma halfway, as CompressAI has it, at 510.

    Args:
        matrix: one of `MATRICES`.
        range: "full", or "limited": luma from 16 to 235 and chroma from 16 to 240, in steps of 8 bits.
        input_depth: bits per sample that the encoder was given.
    """

    matrix: str
    range: str
    input_depth: int

    def scale(self, bit_depth: int) -> tuple[float, float, float, float]:
        """Return black, the span of luma, neutral chroma and the span of chroma, in steps of `bit_depth`."""
        if self.range == "limited":
            step = 2.0 ** (bit_depth - 8)
            return 16 * step, 219 * step, 128 * step, 224 * step
        depth = min(self.input_depth, bit_depth)
        peak = float(((1 << depth) - 1) << (bit_depth - depth))
        return 0.0, peak, peak / 2, peak


def to_pixels(planes: Planes, samples: SampleFormat) -> Tensor:
    """Return (3, H, W) float32 RGB in [0, 1]; gray for 4:0:0.

    Subsampled chroma is interpolated linearly, its samples taken to lie beside the left luma sample of two and between
    two lines, where VVC has them unless it says otherwise.
    """
    black, luma_span, neutral, chroma_span = samples.scale(planes.bit_depth)
    luma = (_to_tensor(planes.luma) - black) / luma_span
    if planes.chroma is None:
        return luma.clamp(0, 1).expand(3, -1, -1).contiguous()
    blue, red = ((_upsample(_to_tensor(each), luma) - neutral) / chroma_span for each in planes.chroma)
    k_red, k_blue = MATRICES[samples.matrix]
    r = luma + 2 * (1 - k_red) * red
    b = luma + 2 * (1 - k_blue) * blue
    g = (luma - k_red * r - k_blue * b) / (1 - k_red - k_blue)
    return torch.stack((r, g, b)).clamp_(0, 1)


def to_samples(pixels: Tensor, samples: SampleFormat) -> Plane:
    """Return rounded samples in 4:4:4, (3, H, W) uint16: Y, Cb and Cr of `samples.input_depth` bits.

    Args:
        pixels: (3, H, W) RGB; values outside [0, 1] are clamped.
        samples: what the samples shall be.
    """
    black, luma_span, neutral, chroma_span = samples.scale(samples.input_depth)
    r, g, b = pixels.detach().to("cpu", torch.float32).clamp(0, 1)
    k_red, k_blue = MATRICES[samples.matrix]
    luma = k_red * r + (1 - k_red - k_blue) * g + k_blue * b
    blue, red = (b - luma) / (2 * (1 - k_blue)), (r - luma) / (2 * (1 - k_red))
    scaled = torch.stack((luma * luma_span + black, blue * chroma_span + neutral, red * chroma_span + neutral))
    highest = (1 << samples.input_depth) - 1
    return scaled.round_().clamp_(0, highest).numpy().astype(numpy.uint16)


def _to_tensor(plane: Plane) -> Tensor:
    return torch.from_numpy(plane.astype(numpy.float32))


def _upsample(plane: Tensor, luma: Tensor) -> Tensor:
    """Interpolate a chroma plane to the size of `luma`, in each direction in which it is smaller."""
    height, width = luma.shape
    if plane.shape[1] < width:  # each sample beside every second one of luma
        after = torch.cat((plane[:, 1:], plane[:, -1:]), dim=1)
        plane = torch.stack((plane, (plane + after) / 2), dim=2).flatten(1)[:, :width]
    if plane.shape[0] < height:  # each sample between two of luma
        before, after = torch.cat((plane[:1], plane[:-1])), torch.cat((plane[1:], plane[-1:]))
        plane = torch.stack((0.75 * plane + 0.25 * before, 0.75 * plane + 0.25 * after), dim=1).flatten(0, 1)[:height]
    return plane
