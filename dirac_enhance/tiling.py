"""TiledPredictor: runs a network over a picture of any size, tile by tile, on a device that never holds the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dirac_enhance.device import reproducible_convolutions
from dirac_enhance.diffusion.predictor import RateFactor
from dirac_enhance.errors import DeviceError
from dirac_enhance.tiles import Tile, plan_tiles, taper_tile

TILE = 1536
"""Height and width of a tile's core where none is asked for."""

WHOLE_PICTURE_PIXELS = 1_500_000
"""Up to this size a picture is not cut where no tile is asked for: halos cost more than the memory is worth."""

BLENDED_TILE = 768
"""The same for a network that is not local: it works at full resolution, and pictures up to 768² are not cut."""

BLENDED_HALO = 64
"""How far tiles overlap into each neighbour, at least, where the network is not local."""


class TileableConfig(Protocol):
    """What tiling has to know about a network."""

    @property
    def stride(self) -> int:
        """Height and width of the network's input are multiples of this."""
        ...

    @property
    def receptive_radius(self) -> int | None:
        """Upper bound on how far an output pixel looks, in pixels; None where it sees the whole plane."""
        ...


class TileableNetwork(Protocol):
    """A network that predicts r̂_0 of a plane; `UNet` is one."""

    @property
    def config(self) -> TileableConfig:
        """Its geometry."""
        ...

    def __call__(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: Tensor, rate_factor: Tensor, /
    ) -> Tensor:
        """Map (N, 3, h, w), (N, 3, h, w), (N,) int64 and (N,) float32 to (N, 3, h, w) float32."""
        ...


@dataclass(frozen=True, slots=True)
class _Condition:
    """What the network is told beside the planes; the rate factor, of all or of each, is NaN where it is not known."""

    timestep: int
    rate_factor: float | Tensor


class TiledPredictor:
    """A `Predictor` that runs a network tile by tile; r_t, x̃ and r̂_0 stay where they are, as a rule in host memory.

    A strictly local network reads a halo as wide as its receptive radius around each tile: the result is the untiled
    one but for the rounding of sums, which may depend on a tensor's size. A network that sees the whole plane
    (GroupNorm, attention) sees each tile alone, and overlapping tiles are blended: an approximation.

    Where an accelerator runs out of memory, the tile is halved for good and the prediction begins anew.

    Args:
        network: in evaluation mode, on `device`.
        device: of the network.
        precision: of the network's arithmetic; bfloat16 runs it under autocast. Input and output are float32.
        tile: largest side of a tile's core in pixels; None to choose by network and picture size.

    Raises:
        DeviceError: if `tile` is less than 1.
    """

    def __init__(
        self,
        network: TileableNetwork,
        *,
        device: torch.device | None = None,
        precision: torch.dtype = torch.float32,
        tile: int | None = None,
    ) -> None:
        if tile is not None and tile < 1:
            raise DeviceError(f"tile {tile} given; expected at least 1 pixel")
        self.network = network
        self.device = torch.device("cpu") if device is None else device
        self.precision = precision
        self.tile = tile

    def predict(
        self, noised_residual: Tensor, base_reconstruction: Tensor, timestep: int, rate_factor: RateFactor
    ) -> Tensor:
        """Predict r_0 of whole pictures; see `Predictor`.

        Args:
            noised_residual: (N, 3, H, W) float32; H and W multiples of the network's stride.
            base_reconstruction: (N, 3, H, W) float32 in [−1, 1].
            timestep: t.
            rate_factor: of the base codec: a number, None, or (N,) float32.

        Raises:
            DeviceError: if the device has too little memory for the smallest tile.
        """
        planes = (noised_residual, base_reconstruction)
        condition = _Condition(timestep, math.nan if rate_factor is None else rate_factor)
        while True:
            tiles = self._plan(*noised_residual.shape[-2:])
            try:
                return self._predict_tiles(tiles, planes, condition)
            except torch.cuda.OutOfMemoryError as error:
                self._halve(tiles, error)
            torch.cuda.empty_cache()  # out here the failed frames, which held its tensors, are gone

    def _plan(self, height: int, width: int) -> tuple[Tile, ...]:
        config = self.network.config
        local = config.receptive_radius is not None
        tile = self.tile or (TILE if local else BLENDED_TILE)
        if self.tile is None and height * width <= (WHOLE_PICTURE_PIXELS if local else BLENDED_TILE**2):
            tile = max(height, width)
        halo = BLENDED_HALO if config.receptive_radius is None else config.receptive_radius
        return plan_tiles(height, width, tile=tile, halo=halo, stride=config.stride)

    def _halve(self, tiles: tuple[Tile, ...], error: torch.cuda.OutOfMemoryError) -> None:
        largest = max(max(tile.core.height, tile.core.width) for tile in tiles)
        if largest <= self.network.config.stride:
            raise DeviceError(
                f"{self.device} has too little free memory even for tiles of {largest} pixels; use --device cpu"
            ) from error
        self.tile = largest // 2

    def _predict_tiles(self, tiles: tuple[Tile, ...], planes: tuple[Tensor, Tensor], condition: _Condition) -> Tensor:
        if self.network.config.receptive_radius is None and len(tiles) > 1:
            return self._blend_tiles(tiles, planes, condition)
        predicted = torch.empty_like(planes[0])
        for tile in tiles:
            rows, columns = tile.core.slices
            inner_rows, inner_columns = tile.core_in_halo
            predicted[..., rows, columns] = self._predict_halo(tile, planes, condition)[..., inner_rows, inner_columns]
        return predicted

    def _blend_tiles(self, tiles: tuple[Tile, ...], planes: tuple[Tensor, Tensor], condition: _Condition) -> Tensor:
        predicted = torch.zeros_like(planes[0])
        weights = predicted.new_zeros(predicted.shape[-2:])
        for tile in tiles:
            rows, columns = tile.halo.slices
            taper = taper_tile(tile, *weights.shape).to(predicted.device)
            predicted[..., rows, columns].addcmul_(taper, self._predict_halo(tile, planes, condition))
            weights[rows, columns] += taper
        return predicted.div_(weights)

    def _predict_halo(self, tile: Tile, planes: tuple[Tensor, Tensor], condition: _Condition) -> Tensor:
        """Run the network on one tile; the result lies where the planes do."""
        rows, columns = tile.halo.slices
        batch = len(planes[0])
        t = torch.full((batch,), condition.timestep, dtype=torch.int64, device=self.device)
        rate = torch.as_tensor(condition.rate_factor, dtype=torch.float32, device=self.device).expand(batch)
        with torch.inference_mode(), self._arithmetic():
            r_t, base = (plane[..., rows, columns].to(self.device) for plane in planes)
            return self.network(r_t, base, t, rate).to(planes[0].device)

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """Run the network in the precision asked for, with convolutions that give the same bits every time."""
        reduced = self.precision != torch.float32
        with (
            torch.autocast(self.device.type, dtype=self.precision if reduced else torch.bfloat16, enabled=reduced),
            reproducible_convolutions(),
        ):
            yield
