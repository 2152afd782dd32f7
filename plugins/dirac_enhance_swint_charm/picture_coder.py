"""PictureCoder: pixels to a bitstream and back, in parts, with one set of weights on one device."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from dirac_enhance import InvalidBitstreamError, InvalidImageError
from dirac_enhance_swint_charm.bitstream import LARGEST_SIDE, Bitstream, CodedTile, Fingerprint, Header, TilePlace
from dirac_enhance_swint_charm.exact.fixed_point import ONE
from dirac_enhance_swint_charm.latent_coder import LatentCoder, check_latents
from dirac_enhance_swint_charm.networks.config import STRIDE
from dirac_enhance_swint_charm.networks.latent_scaling import LARGEST_CODE, SCALE_UNIT
from dirac_enhance_swint_charm.networks.transforms import AnalysisTransform, SynthesisTransform
from dirac_enhance_swint_charm.rates import RATE_RANGE
from dirac_enhance_swint_charm.reach import (
    LATENT_STRIDE,
    Parts,
    analysis_reach,
    synthesis_reach,
    transform_in_parts,
    window_side,
)

_PART = 64
"""Side, in latents, of the parts that the transforms see at once, beside their halo: 1024 pixels."""
_FAR = 100.0
"""No λ has a logarithm so large."""
_WHOLE = 96 * 96
"""Latents of the largest picture that is transformed in one part: 2.4 megapixels."""


class PictureCoder:
    """Encodes and decodes pictures.

    The transforms run in parts with a halo as wide as they look, so that a picture comes out as if it had been
    transformed as a whole; coding tiles only divide the latents among streams.

    Args:
        analysis: pixels to latents, float32.
        synthesis: latents to pixels.
        latent_coder: latents to streams.
        scaling: a and b of the latents' scale exp(a·log λ + b).
        model_id: of the weights.
        device: where all this is.
        part: side in latents of the parts, a multiple of the attention window.
        whole: latents of the largest picture that is transformed in one part.
    """

    def __init__(
        self,
        *,
        analysis: AnalysisTransform,
        synthesis: SynthesisTransform,
        latent_coder: LatentCoder,
        scaling: tuple[float, float],
        model_id: bytes,
        device: torch.device,
        part: int = _PART,
        whole: int = _WHOLE,
    ) -> None:
        self._analysis, self._synthesis, self._latent_coder = analysis, synthesis, latent_coder
        self._scaling, self._device, self._part, self._whole = scaling, device, part, whole
        self.model_id = model_id

    def encode(self, pixels: Tensor, *, rate_factor: float, tile: int) -> bytes:
        """Encode (3, H, W) float pixels in [0, 1]; values outside are clamped.

        Raises:
            InvalidImageError: if the pixels have another shape, a value that is not finite, or a side over 65535.
        """
        check_pixels(pixels)
        height, width = pixels.shape[1:]
        fingerprint = Fingerprint(self._device.type, torch_version())
        header = Header(self.model_id, width, height, self.scale_code(rate_factor), tile, fingerprint)
        scale = header.scale_code / SCALE_UNIT
        with computing(self._device):
            latents = self._analyse(pixels)
            return Bitstream(header, tuple(self._encode_tiles(latents, header, scale))).pack()

    def decode(self, bitstream: Bitstream) -> Tensor:
        """Decode to (3, H, W) float32 pixels in [0, 1], on the CPU.

        Raises:
            InvalidBitstreamError: if it was coded with other weights, is damaged, or decodes to other latents than
                its encoder had.
        """
        header = bitstream.header
        if header.model_id != self.model_id:
            raise InvalidBitstreamError(
                f"coded with the codec weights {header.model_id.hex()}…, but these are {self.model_id.hex()}… (sha256);"
                " pass --codec-option weights=FILE with the encoder's"
            )
        with computing(self._device):
            latents = self._decode_tiles(bitstream)
            return self._synthesise(latents, size=(header.height, header.width))

    def scale_code(self, rate_factor: float) -> int:
        """Return the 16-bit number sent for the latents' scale at λ."""
        a, b = self._scaling
        return min(max(round(math.exp(a * math.log(rate_factor) + b) * SCALE_UNIT), 1), LARGEST_CODE)

    def rate_factor(self, scale_code: int) -> float | None:
        """Return λ for a scale, limited to the codec's range; None if these weights know a single scale."""
        a, b = self._scaling
        if a <= 0:
            return None
        rate = math.exp(min(max((math.log(scale_code / SCALE_UNIT) - b) / a, -_FAR), _FAR))
        return min(max(rate, RATE_RANGE.minimum), RATE_RANGE.maximum)

    def _encode_tiles(self, latents: Tensor, header: Header, scale: float) -> Iterator[CodedTile]:
        for index, place in enumerate(header.tiles()):
            rows, columns = _latent_window(place)
            stream, decoded = self._latent_coder.encode(latents[:, rows, columns].to(self._device) * scale)
            yield CodedTile(decoded.checksum(_seed(header, index, stream)), stream)

    def _decode_tiles(self, bitstream: Bitstream) -> Tensor:
        """Return the latents, not scaled: (C, H/16, W/16) float32 on the CPU."""
        header = bitstream.header
        decoded = [
            (place, self._decode_tile(bitstream, index, place).to(torch.float32).cpu())
            for index, place in enumerate(header.tiles())
        ]
        whole = torch.empty(len(decoded[0][1]), *_latent_size((header.height, header.width)))
        for place, latents in decoded:
            rows, columns = _latent_window(place)
            whole[:, rows, columns] = latents
        return whole

    def _decode_tile(self, bitstream: Bitstream, index: int, place: TilePlace) -> Tensor:
        header, tile = bitstream.header, bitstream.tiles[index]
        size = (place.height // LATENT_STRIDE, place.width // LATENT_STRIDE)
        decoded = self._latent_coder.decode(tile.stream, size)
        check_latents(
            decoded,
            seed=_seed(header, index, tile.stream),
            expected=tile.checksum,
            what=f"coding tile {index + 1} of {header.tile_count}",
            sides=f"encoded by {header.encoder}, decoded by {Fingerprint(self._device.type, torch_version())}",
        )
        return decoded.latents / (ONE * header.scale_code / SCALE_UNIT)

    def _analyse(self, pixels: Tensor) -> Tensor:
        """Return the latents, not scaled: (C, H/16, W/16) float32 on the CPU."""
        height, width = _latent_size(pixels.shape[1:])
        latents = torch.empty(self._analysis.project.out_features, height, width)

        def take(rows: slice, columns: slice) -> Tensor:
            window = pixels[None, :, rows, columns].to(self._device, torch.float32).clamp(0, 1)
            right, below = columns.stop - columns.start - window.shape[3], rows.stop - rows.start - window.shape[2]
            return (F.pad(window, (0, right, 0, below), mode="replicate") - 0.5).permute(0, 2, 3, 1)

        def put(rows: slice, columns: slice, tokens: Tensor) -> None:
            latents[:, rows, columns] = tokens.permute(2, 0, 1).cpu()

        parts = self._parts((height, width), reach=analysis_reach(self._analysis))
        transform_in_parts(self._analysis, take, put, parts=parts, strides=(LATENT_STRIDE, 1))
        return latents

    def _synthesise(self, latents: Tensor, *, size: tuple[int, int]) -> Tensor:
        """Map latents, not scaled, to (3, H, W) float32 pixels in [0, 1] on the CPU."""
        pixels = torch.empty(3, *size)

        def take(rows: slice, columns: slice) -> Tensor:
            return latents[None, :, rows, columns].to(self._device).permute(0, 2, 3, 1)

        def put(rows: slice, columns: slice, tokens: Tensor) -> None:
            window = pixels[:, rows, columns]
            part = (tokens.permute(2, 0, 1) + 0.5).clamp_(0, 1)
            window.copy_(part[:, : window.shape[1], : window.shape[2]])

        height, width = latents.shape[1:]
        parts = self._parts((height, width), reach=synthesis_reach(self._synthesis))
        transform_in_parts(self._synthesis, take, put, parts=parts, strides=(1, LATENT_STRIDE))
        return pixels

    def _parts(self, size: tuple[int, int], *, reach: int) -> Parts:
        if size[0] * size[1] <= self._whole:
            return Parts(size, part=max(size), halo=0)
        window = window_side(self._analysis)
        return Parts(size, part=self._part, halo=-(-reach // window) * window)


@contextmanager
def computing(device: torch.device) -> Iterator[None]:
    """Compute without gradients, and in the types that tensors have, whatever is set around: no autocast, no TF32."""
    with (
        torch.inference_mode(),
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        _full_precision(),
    ):
        yield


@contextmanager
def _full_precision() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def check_pixels(pixels: Tensor) -> None:
    """Check what is to be encoded.

    Raises:
        InvalidImageError: if it is no picture, or one with a value that is not finite, or a side over 65535.
    """
    shape = tuple(pixels.shape)
    if len(shape) != 3 or shape[0] != 3 or 0 in shape or not pixels.is_floating_point():
        raise InvalidImageError(
            f"{pixels.dtype} pixels of shape {shape}; SwinT-ChARM takes float pixels (3, height, width)"
        )
    if max(shape) > LARGEST_SIDE:
        raise InvalidImageError(
            f"a picture of {shape[2]}×{shape[1]} pixels; SwinT-ChARM takes at most {LARGEST_SIDE} a side"
        )
    if not bool(torch.isfinite(pixels).all()):
        raise InvalidImageError("pixels that are not finite cannot be coded; expected values in [0, 1]")


def torch_version() -> tuple[int, int]:
    """Return the major and minor version of PyTorch."""
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)


def _seed(header: Header, index: int, stream: bytes) -> bytes:
    """Return what a tile's checksum covers beside its latents: the header, its place, its stream's length."""
    return header.pack() + struct.pack(">II", index, len(stream))


def _latent_window(place: TilePlace) -> tuple[slice, slice]:
    top, left = place.top // LATENT_STRIDE, place.left // LATENT_STRIDE
    return (
        slice(top, top + place.height // LATENT_STRIDE),
        slice(left, left + place.width // LATENT_STRIDE),
    )


def _latent_size(size: Sequence[int]) -> tuple[int, int]:
    """Return height and width in latents of a picture, padded to multiples of `STRIDE` pixels."""
    height, width = (-(-side // STRIDE) * STRIDE // LATENT_STRIDE for side in size)
    return height, width
