"""JpegCodec: JPEG as a base codec, decoded and encoded by Pillow's libjpeg."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dirac_enhance import MAX_PIXELS, BaseReconstruction, CodecOption, OptionValue, RateRange, check_options

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

_START = b"\xff\xd8\xff"  # the SOI marker and the first byte of the next one
_MAX_PIXELS = int(MAX_PIXELS.default)

_SUBSAMPLING = CodecOption(
    name="subsampling",
    kind=str,
    default="4:2:0",
    help="resolution of the chroma planes when encoding",
    choices=("4:2:0", "4:2:2", "4:4:4"),
    vary_in_training=True,
)
_GRAY = CodecOption(
    name="gray",
    kind=bool,
    default=False,
    help="encode the luma alone, as a file of one component",
)


@dataclass(frozen=True, slots=True)
class JpegCodec:
    """JPEG; its rate factor is the libjpeg quality.

    Decodes baseline and progressive files, every chroma subsampling, grayscale, CMYK and YCCK, and the first frame
    of an MPO. The EXIF orientation is reported, not applied, so the DCT grid stays at the picture's top left corner.

    Args:
        subsampling: of the chroma planes when encoding: "4:2:0", as libjpeg does when told nothing, "4:2:2" or
            "4:4:4".
        max_pixels: of the largest picture that is decoded.
        gray: whether to encode the luma alone, as a file of one component.

    Raises:
        CodecOptionError: if `subsampling` is anything else, `gray` no truth value, or `max_pixels` no whole number.
    """

    subsampling: str = "4:2:0"
    max_pixels: int = _MAX_PIXELS
    gray: bool = False

    def __post_init__(self) -> None:
        _SUBSAMPLING.check(self.subsampling)
        _GRAY.check(self.gray)
        MAX_PIXELS.check(self.max_pixels)

    @property
    def id(self) -> str:
        """The codec's name on the command line."""
        return "jpeg"

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """Usual suffixes of JPEG files, the multi-picture ones included."""
        return (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")

    @property
    def options(self) -> tuple[CodecOption, ...]:
        """Chroma subsampling and whether there is chroma, used by `encode`; the largest picture that `decode` takes."""
        return (_SUBSAMPLING, _GRAY, MAX_PIXELS)

    @property
    def rate_range(self) -> RateRange:
        """The libjpeg quality; below 5 nothing is left to enhance, above 95 files grow without a visible gain."""
        return RateRange(1, 100, integer=True, log_spaced=True, higher_is_better=True, usual=(5, 95))

    def with_options(self, **values: OptionValue) -> Self:
        """Return a codec with these options set.

        Raises:
            CodecOptionError: if an option is not declared or its value not allowed.
        """
        checked: dict[str, Any] = check_options(self.options, values)
        return replace(self, **checked)

    def detect(self, header: bytes) -> bool:
        """Say whether a file starts as every JPEG does."""
        return header.startswith(_START)

    def decode(self, data: bytes) -> BaseReconstruction:
        """Decode a whole file; `rate_factor` is the quality estimated from the luminance quantisation table.

        CMYK is converted to sRGB, through the embedded profile where there is one; sRGB's is reported in its place.

        Raises:
            InvalidBitstreamError: if `data` is empty, truncated, damaged, not a JPEG, or of more than `max_pixels`.

        Warns:
            DiracWarning: if the colour profile is damaged, or not one for CMYK where it is needed.
        """
        from dirac_enhance_jpeg.reading import read_jpeg

        return read_jpeg(data, max_pixels=self.max_pixels)

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        """Encode (3, H, W) float32 sRGB pixels in [0, 1] as baseline JPEG with libjpeg's standard tables.

        The bytes are those of `PIL.Image.Image.save(…, quality=rate_factor, subsampling=subsampling)`, or, with `gray`,
        of `PIL.Image.Image.convert("L").save(…, quality=rate_factor)`.

        Raises:
            RateFactorError: if `rate_factor` is not a whole number from 1 to 100.
            InvalidImageError: if the pixels have another shape, a value that is not finite, or a side over 65500.
        """
        from dirac_enhance_jpeg.writing import write_jpeg

        quality = int(self.rate_range.check(rate_factor))
        return write_jpeg(pixels, quality=quality, subsampling=None if self.gray else self.subsampling)
