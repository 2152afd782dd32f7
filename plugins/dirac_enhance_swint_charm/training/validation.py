"""Validation during training: bits and PSNR of whole pictures at a few rates, beside JPEG at the same size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from dirac_enhance import TrainingError
from dirac_enhance.training.images import Pixels, image_files, read_pixels
from dirac_enhance_swint_charm.networks.network import SwintCharm
from dirac_enhance_swint_charm.networks.padding import pad_to_stride

RATES = (0.001, 0.0025, 0.006, 0.014, 0.03)


@dataclass(frozen=True, slots=True, eq=False)
class JpegCurve:
    """What libjpeg makes of one picture at every quality from 1 to 95, with optimised tables."""

    pixels: Pixels
    files: tuple[bytes, ...]

    @classmethod
    def measure(cls, pixels: Pixels) -> JpegCurve:
        """Code a picture, (H, W, 3), at every quality."""
        return cls(pixels, tuple(_jpeg(pixels, quality) for quality in range(1, 96)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes at each quality."""
        return tuple(map(len, self.files))

    def psnr_within(self, size: float) -> float:
        """Return the PSNR of the best quality of at most `size` bytes; of quality 1 where all are larger."""
        return self.psnr_at(max((index + 1 for index, bytes_ in enumerate(self.sizes) if bytes_ <= size), default=1))

    def psnr_at(self, quality: int) -> float:
        """Return the RGB PSNR in dB at a quality."""
        from PIL import Image

        with Image.open(BytesIO(self.files[quality - 1])) as image:
            decoded = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
        return _psnr(decoded.view(self.pixels.shape), torch.from_numpy(self.pixels))


@dataclass(frozen=True, slots=True, eq=False)
class CodecValidation:
    """Held-out pictures; call it with a network for one row of figures.

    Args:
        curves: of the pictures.
        report: called with a line for each rate.
    """

    curves: Sequence[JpegCurve]
    report: Callable[[str], None]

    @torch.no_grad()
    def __call__(self, network: SwintCharm) -> dict[str, float]:
        """Mean bits per pixel (estimated by the prior), PSNR, and JPEG's PSNR at no more bytes, at each rate."""
        row: dict[str, float] = {}
        for rate in RATES:
            figures = torch.tensor([_measure(network, curve, rate) for curve in self.curves])
            bits, psnr, jpeg = figures.mean(dim=0).tolist()
            row |= {f"bpp@{rate:g}": bits, f"psnr@{rate:g}": psnr, f"jpeg@{rate:g}": jpeg}
            self.report(f"  λ {rate:<6g} {bits:.3f} bpp  {psnr:.2f} dB  JPEG {jpeg:.2f} dB  {psnr - jpeg:+.2f} dB")
        return row


def load_validation(folder: Path, *, limit: int, report: Callable[[str], None]) -> CodecValidation:
    """Read at most `limit` pictures, spread evenly over the folder's names.

    Raises:
        TrainingError: if there is none.
    """
    files = image_files(folder)
    if not files:
        raise TrainingError(f"no images in {folder}; pass --validation FOLDER, or leave it out")
    chosen = files[:: math.ceil(len(files) / limit)]
    return CodecValidation([JpegCurve.measure(read_pixels(file)) for file in chosen], report)


def _measure(network: SwintCharm, curve: JpegCurve, rate: float) -> tuple[float, float, float]:
    device = network.scaling.a.device
    original = torch.from_numpy(curve.pixels).permute(2, 0, 1)
    height, width = original.shape[1:]
    padded = pad_to_stride(original[None].to(device).float() / 255)
    coded = network(padded, torch.tensor([rate], device=device))
    decoded = coded.pixels[0, :, :height, :width].clamp(0, 1).mul(255).round().byte().cpu()
    bits = (coded.latent_bits + coded.hyper_bits).item()
    return bits / (height * width), _psnr(decoded, original), curve.psnr_within(bits / 8)


def _psnr(decoded: Tensor, original: Tensor) -> float:
    error = (decoded.double() - original.double()).square().mean().item()
    return 10 * math.log10(255**2 / max(error, 1e-9))


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    from PIL import Image

    coded = BytesIO()
    Image.fromarray(pixels).save(coded, "JPEG", quality=quality, optimize=True)
    return coded.getvalue()
