"""LatentCoder: the latents of a coding tile to an rANS stream and back, by the exact hyper-decoder and prior.

```
scaled latents ─┬─ hyper-encoder ─ round ─┬─► stream                              float32, the encoder's alone
                │                         └─ hyper-decoder ─ prior ─ means, tables     whole numbers, both sides
                └─── round around the means ──► stream
```
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor, nn

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_swint_charm.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from dirac_enhance_swint_charm.entropy.symbol_tables import LARGEST_SYMBOL, Integers, SymbolTables
from dirac_enhance_swint_charm.exact.fixed_point import ONE, to_fixed
from dirac_enhance_swint_charm.exact.networks import ExactChannelwisePrior

HYPER_STRIDE = 4
"""Latents a hyper-latent."""


@dataclass(frozen=True, slots=True, eq=False)
class TileLatents:
    """What a coding tile's stream decodes to.

    Args:
        hyper: (Z, h/4, w/4) hyper-latents, and
        latents: (C, h, w) latents, scaled: fixed-point numbers in float64, in units of 2⁻¹⁶.
    """

    hyper: Tensor
    latents: Tensor

    def checksum(self, seed: bytes) -> int:
        """Return the CRC-32 of `seed`, then the hyper-latents and the latents as 32-bit integers, little-endian."""
        crc = zlib.crc32(seed)
        for values in (self.hyper, self.latents):
            integers = values.to(torch.int32).contiguous().cpu().numpy()
            crc = zlib.crc32(integers.astype("<i4", copy=False).tobytes(), crc)
        return crc


class LatentCoder(nn.Module):
    """Codes the latents of one coding tile.

    Args:
        hyper_analysis: the hyper-encoder, in float32.
        hyper_synthesis: the hyper-decoder, exact.
        prior: likewise.
        medians: (Z,) of the hyper-latents, float.
        thresholds: bounds between the Gaussians' tables: logarithms of standard deviations in fixed point.
        tables: what symbols are coded with.
    """

    medians: Tensor
    thresholds: Tensor

    def __init__(
        self,
        *,
        hyper_analysis: nn.Module,
        hyper_synthesis: nn.Module,
        prior: ExactChannelwisePrior,
        medians: Tensor,
        thresholds: Tensor,
        tables: SymbolTables,
    ) -> None:
        super().__init__()
        self.hyper_analysis, self.hyper_synthesis, self.prior = hyper_analysis, hyper_synthesis, prior
        self.register_buffer("medians", to_fixed(medians)[:, None, None])
        self.register_buffer("thresholds", thresholds)
        self._tables = tables

    def encode(self, latents: Tensor) -> tuple[bytes, TileLatents]:
        """Code latents and return the stream, and what it decodes to.

        Args:
            latents: (C, h, w) float32, scaled; h and w are multiples of 4.
        """
        hyper = self.hyper_analysis(latents[None].permute(0, 2, 3, 1))[0].permute(2, 0, 1)
        symbols = _limit(torch.round(hyper.to(torch.float64) - self.medians / ONE))
        encoder = SymbolEncoder(self._tables)
        encoder.put(_flat(symbols), _channel_rows(symbols))
        slices = torch.split(latents[None].to(torch.float64) * ONE, list(self.prior.channels), dim=1)

        def quantise(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
            steps = _limit(torch.round((slices[index] - mean) / ONE))
            encoder.put(_flat(steps), self._rows(log_scale))
            return steps * ONE + mean

        hyper = symbols * ONE + self.medians
        decoded = TileLatents(hyper, self.prior(self._features(hyper), quantise)[0])
        return encoder.finish(), decoded

    def decode(self, stream: bytes, size: tuple[int, int]) -> TileLatents:
        """Decode a stream.

        Args:
            stream: as `encode` returned it, or anything else.
            size: h and w of the latents, multiples of 4.

        Raises:
            InvalidBitstreamError: if no encoder wrote it.
        """
        height, width = size
        shape = (len(self.medians), height // HYPER_STRIDE, width // HYPER_STRIDE)
        largest_block = max(shape[0] * shape[1] * shape[2], max(self.prior.channels) * height * width)
        decoder = SymbolDecoder(self._tables, stream, largest_block=largest_block)

        def read(rows: Integers, like: Tensor) -> Tensor:
            return torch.from_numpy(decoder.get(rows)).to(like.device, torch.float64).view(like.shape)

        def quantise(_index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
            return read(self._rows(log_scale), mean) * ONE + mean

        symbols = read(_channel_rows(self.medians.expand(shape)), self.medians.expand(shape))
        hyper = symbols * ONE + self.medians
        return TileLatents(hyper, self.prior(self._features(hyper), quantise)[0])

    def _features(self, hyper: Tensor) -> Tensor:
        """Return the prior's features, (1, 2·prior, h, w), for fixed-point hyper-latents."""
        features: Tensor = self.hyper_synthesis(hyper[None].permute(0, 2, 3, 1))
        return features.permute(0, 3, 1, 2)

    def _rows(self, log_scale: Tensor) -> Integers:
        """Return the numbers of the tables whose standard deviations are nearest, in the logarithm."""
        nearest = torch.bucketize(log_scale.contiguous(), self.thresholds)
        return _flat(nearest + self._tables.gaussians)


def check_latents(latents: TileLatents, *, seed: bytes, expected: int, what: str, sides: str) -> None:
    """Compare decoded latents with what their encoder had.

    Raises:
        InvalidBitstreamError: naming both sides, if they differ.
    """
    checksum = latents.checksum(seed)
    if checksum != expected:
        raise InvalidBitstreamError(
            f"{what} decodes to latents with CRC-32 {checksum:08x}, its encoder had {expected:08x} ({sides}): the file"
            " is damaged, or one of the two computed wrongly"
        )


def _limit(symbols: Tensor) -> Tensor:
    return symbols.clamp(-LARGEST_SYMBOL, LARGEST_SYMBOL)


def _flat(values: Tensor) -> Integers:
    return values.to(torch.int32).flatten().cpu().numpy()


def _channel_rows(hyper: Tensor) -> Integers:
    """Return the numbers of the tables for hyper-latents, one for each channel."""
    channels, height, width = hyper.shape
    return numpy.repeat(numpy.arange(channels, dtype=numpy.int32), height * width)
