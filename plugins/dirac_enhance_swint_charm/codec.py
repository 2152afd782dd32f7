"""SwintCharmCodec: the neural base codec SwinT-ChARM, with bitstreams that decode alike everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dirac_enhance import (
    MAX_PIXELS,
    BaseReconstruction,
    CodecOption,
    CodecOptionError,
    OptionValue,
    RateRange,
    check_options,
)
from dirac_enhance_swint_charm.bitstream import LARGEST_TILE, TILE_UNIT, Header, is_bitstream, read_bitstream
from dirac_enhance_swint_charm.rates import RATE_RANGE

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

_MAX_PIXELS = int(MAX_PIXELS.default)

_OPTIONS = (
    CodecOption(
        name="weights", kind=str, default="", help="file of the codec's own weights; empty: the one that is installed"
    ),
    CodecOption(
        name="device",
        kind=str,
        default="auto",
        help="where its networks run; auto is a CUDA GPU where there is one",
        choices=("auto", "cpu", "cuda"),
    ),
    CodecOption(
        name="tile",
        kind=int,
        default=LARGEST_TILE,
        help=f"side in pixels of the parts that are coded apart, a multiple of {TILE_UNIT} up to {LARGEST_TILE}",
    ),
    MAX_PIXELS,
)


@dataclass(frozen=True, slots=True)
class SwintCharmCodec:
    """SwinT-ChARM with latent scaling (DIRAC section B.2; Zhu et al., ICLR 2022); the rate factor is λ.

    Args:
        weights: file of the codec's own weights; empty for the one that is installed.
        device: "auto", "cpu" or "cuda".
        tile: side in pixels of the coding tiles when encoding.
        max_pixels: of the largest picture that is decoded.

    Raises:
        CodecOptionError: if an argument is not among these.
    """

    weights: str = ""
    device: str = "auto"
    tile: int = LARGEST_TILE
    max_pixels: int = _MAX_PIXELS

    def __post_init__(self) -> None:
        for option in _OPTIONS:
            option.check(getattr(self, option.keyword))
        if self.tile % TILE_UNIT or not TILE_UNIT <= self.tile <= LARGEST_TILE:
            raise CodecOptionError(
                f"codec option 'tile' is {self.tile}; expected a multiple of {TILE_UNIT} up to {LARGEST_TILE}"
            )

    @property
    def id(self) -> str:
        """The codec's name on the command line."""
        return "swint-charm"

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """The suffix of its files."""
        return (".dsc",)

    @property
    def options(self) -> tuple[CodecOption, ...]:
        """Which weights, where they run, the coding tiles of `encode`, and the largest picture that `decode` takes."""
        return _OPTIONS

    @property
    def rate_range(self) -> RateRange:
        """λ, the weight of the squared error against the bits per pixel."""
        return RATE_RANGE

    def with_options(self, **values: OptionValue) -> Self:
        """Return a codec with these options set.

        Raises:
            CodecOptionError: if an option is not declared or its value not allowed.
        """
        checked: dict[str, Any] = check_options(self.options, values)
        return replace(self, **checked)

    def status(self) -> tuple[str, ...]:
        """Say which weights the networks have, and how to get them where they are missing."""
        from dirac_enhance import WeightsError
        from dirac_enhance_swint_charm.weights_file import find_codec_weights

        try:
            return (f"weights: {find_codec_weights(self.weights).path.name}",)
        except WeightsError as error:
            return (f"weights: none; {error}",)

    def detect(self, header: bytes) -> bool:
        """Say whether a file starts as SwinT-ChARM's do."""
        return is_bitstream(header)

    def decode(self, data: bytes) -> BaseReconstruction:
        """Decode a whole file; `rate_factor` is λ, from the latents' scale in the header.

        Raises:
            InvalidBitstreamError: if `data` is empty, cut off, damaged, of another format, of more than `max_pixels`,
                coded with other weights, or decodes to other latents than its encoder had.
            WeightsError: if there are no weights.
            DeviceError: if the device asked for is not there.
        """
        from dirac_enhance_swint_charm.loading import open_coder

        bitstream = read_bitstream(data, max_pixels=self.max_pixels)
        coder = open_coder(self.weights, self.device)
        return BaseReconstruction(
            coder.decode(bitstream),
            coded_bytes=len(data),
            rate_factor=coder.rate_factor(bitstream.header.scale_code),
            details=_describe(bitstream.header),
        )

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        """Encode (3, H, W) float32 sRGB pixels in [0, 1].

        Raises:
            RateFactorError: if `rate_factor` is outside `rate_range`.
            InvalidImageError: if the pixels have another shape, a value that is not finite, or a side over 65535.
            WeightsError: if there are no weights.
            DeviceError: if the device asked for is not there.
        """
        from dirac_enhance_swint_charm.loading import open_coder

        rate = self.rate_range.check(rate_factor)
        return open_coder(self.weights, self.device).encode(pixels, rate_factor=rate, tile=self.tile)


def _describe(header: Header) -> MappingProxyType[str, str]:
    return MappingProxyType(
        {
            "coding tiles": f"{header.tile_count} of at most {header.tile} pixels a side",
            "scale of latents": f"{header.scale_code}/4096",
            "codec weights": f"{header.model_id.hex()}…",
            "encoded with": str(header.encoder),
        }
    )
