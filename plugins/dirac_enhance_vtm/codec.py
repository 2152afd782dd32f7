"""VtmCodec: VVC intra pictures as a base codec, decoded by VTM or FFmpeg and encoded by VTM or VVenC."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dirac_enhance import (
    BaseReconstruction,
    CodecOption,
    CodecOptionError,
    DiracError,
    DiracWarning,
    ImageMetadata,
    OptionValue,
    RateRange,
    check_options,
)
from dirac_enhance_vtm.nal_units import is_vvc
from dirac_enhance_vtm.reference_software import (
    BUILD_DIR_VARIABLE,
    CONFIG_VARIABLE,
    HOW_TO_GET,
    ReferenceSoftware,
    find_reference_software,
)

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

    from dirac_enhance_vtm.colour import SampleFormat
    from dirac_enhance_vtm.first_picture import FirstPicture
    from dirac_enhance_vtm.planes import Planes
    from dirac_enhance_vtm.vvenc import Vvenc

_SIX_HOURS = 6 * 3600.0

_OPTIONS = (
    CodecOption(
        name="input-depth",
        kind=int,
        default=8,
        help="bits of the samples that the encoder is, or was, given; a stream does not say",
        choices=(8, 10),
    ),
    CodecOption(
        name="matrix",
        kind=str,
        default="bt709",
        help="between RGB and Y, Cb, Cr",
        choices=("bt709", "bt601", "bt2020"),
    ),
    CodecOption(
        name="range", kind=str, default="full", help="of the values of Y, Cb and Cr", choices=("full", "limited")
    ),
    CodecOption(
        name="mode",
        kind=str,
        default="rounded",
        help="rounded colour conversion, or CompressAI's truncating one, for figures that compare with published ones",
        choices=("rounded", "compressai"),
    ),
    CodecOption(
        name="decoder",
        kind=str,
        default="auto",
        help="VTM's or PyAV's; auto is VTM's where it is configured",
        choices=("auto", "vtm", "pyav"),
    ),
    CodecOption(
        name="encoder",
        kind=str,
        default="vtm",
        help="VTM's, in 4:4:4, or VVenC's, in 4:2:0 and hundreds of times faster",
        choices=("vtm", "vvenc"),
    ),
    CodecOption(
        name="build-dir",
        kind=str,
        default="",
        help=f"folder with VTM's programs; empty: {BUILD_DIR_VARIABLE} names it",
    ),
    CodecOption(
        name="config",
        kind=str,
        default="",
        help=f"VTM's configuration; empty: {CONFIG_VARIABLE}, or cfg/encoder_intra_vtm.cfg beside the build folder",
    ),
    CodecOption(
        name="ffmpeg",
        kind=str,
        default="",
        help="FFmpeg with VVenC; empty: the one on the PATH, or imageio-ffmpeg's",
    ),
    CodecOption(name="timeout", kind=float, default=_SIX_HOURS, help="seconds that a program may take"),
)


@dataclass(frozen=True, slots=True)
class VtmCodec:
    """VVC (H.266) intra pictures; the rate factor is the quantisation parameter (QP).

    Decodes Annex B byte streams in 4:4:4, 4:2:2, 4:2:0 and 4:0:0; of several pictures the first. Encodes in 4:4:4 with
    the reference encoder VTM, as CompressAI's benchmark does, or in 4:2:0 with VVenC. Each argument is the codec option
    of its name.

    Args:
        input_depth: bits of the samples that the encoder was given, 8 or 10; 8-bit ones in a 10-bit stream have their
            white at 1020, not 1023.
        matrix: "bt709", "bt601" or "bt2020".
        range: "full" or "limited".
        mode: "rounded"; or "compressai", which truncates where CompressAI does, and is BT.709 in full range at 8 bits.
        decoder: "auto", "vtm" or "pyav".
        encoder: "vtm" or "vvenc".
        build_dir: folder of VTM's programs; empty for what the environment names.
        config: VTM's configuration file; empty for what the environment names, or the one in VTM's source tree.
        ffmpeg: FFmpeg with VVenC; empty for the one on the PATH, or else imageio-ffmpeg's.
        timeout: seconds that a program may take.

    Raises:
        CodecOptionError: if an argument is not among these, or they contradict each other.
    """

    input_depth: int = 8
    matrix: str = "bt709"
    range: str = "full"
    mode: str = "rounded"
    decoder: str = "auto"
    encoder: str = "vtm"
    build_dir: str = ""
    config: str = ""
    ffmpeg: str = ""
    timeout: float = _SIX_HOURS

    def __post_init__(self) -> None:
        for option in _OPTIONS:
            option.check(getattr(self, option.keyword))
        if not self.timeout > 0:
            raise CodecOptionError(f"codec option 'timeout' is {self.timeout:g}; expected seconds, more than 0")
        if self.mode == "compressai" and (self.input_depth, self.matrix, self.range) != (8, "bt709", "full"):
            raise CodecOptionError(
                "codec option mode=compressai goes with input-depth=8, matrix=bt709 and range=full, not with"
                f" {self.input_depth}, {self.matrix} and {self.range}"
            )
        if self.mode == "compressai" and self.encoder != "vtm":
            raise CodecOptionError("codec option mode=compressai goes with encoder=vtm, which CompressAI calls")

    @property
    def id(self) -> str:
        """The codec's name on the command line."""
        return "vtm"

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """Usual suffixes of VVC byte streams."""
        return (".vvc", ".266", ".h266", ".bin")

    @property
    def options(self) -> tuple[CodecOption, ...]:
        """What the samples are, which decoder, and where VTM is."""
        return _OPTIONS

    @property
    def rate_range(self) -> RateRange:
        """VTM's QP; six more of it double the quantisation step."""
        return RateRange(0, 63, integer=True, log_spaced=False, higher_is_better=False, usual=(22, 45))

    def with_options(self, **values: OptionValue) -> Self:
        """Return a codec with these options set.

        Raises:
            CodecOptionError: if an option is not declared or its value not allowed.
        """
        checked: dict[str, Any] = check_options(self.options, values)
        return replace(self, **checked)

    def status(self) -> tuple[str, ...]:
        """Say which programs and libraries were found, which version of each answers, and how to get those missing."""
        return (
            f"decoder: {_describe(self._name_decoder)}",
            f"encoder: {_describe(self._name_encoder)}",
        )

    def detect(self, header: bytes) -> bool:
        """Say whether a file starts with a start code and a NAL unit that opens a VVC stream."""
        return is_vvc(header)

    def decode(self, data: bytes) -> BaseReconstruction:
        """Decode the first picture of a byte stream; `rate_factor` is the QP of its slice.

        Warns:
            DiracWarning: if the stream holds more than one picture.

        Raises:
            InvalidBitstreamError: if `data` is empty, cut off, damaged, not VVC, or larger than can be decoded.
            CodecOptionError: if VTM's decoder is configured, or asked for, and not there.
            PluginError: if the decoder cannot be run.
        """
        from dirac_enhance_vtm.first_picture import find_first_picture

        picture = find_first_picture(data)
        if picture.pictures > 1:
            warnings.warn(
                f"the VVC stream holds {picture.pictures} pictures; the first is taken", DiracWarning, stacklevel=2
            )
        planes = self._decode_planes(picture)
        grayscale = planes.chroma is None
        return BaseReconstruction(
            self._to_pixels(planes),
            coded_bytes=len(data),
            rate_factor=self._rate_factor(picture),
            metadata=ImageMetadata(grayscale=grayscale, bit_depth=min(self.input_depth, picture.bit_depth)),
        )

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        """Encode (3, H, W) float32 sRGB pixels in [0, 1]; with VTM, that takes minutes for a photograph.

        Raises:
            RateFactorError: if `rate_factor` is not a whole number from 0 to 63.
            InvalidImageError: if the pixels have another shape, or a value that is not finite.
            CodecOptionError: if the encoder is not configured, or not where it should be.
            PluginError: if it fails, is killed, or takes longer than `timeout`.
        """
        qp = int(self.rate_range.check(rate_factor))
        encoder = self._find_encoder()
        from dirac_enhance_vtm.encoding import encode_pixels

        return encode_pixels(
            pixels,
            encoder,
            samples=self._samples(),
            by_compressai=self.mode == "compressai",
            qp=qp,
            timeout=self.timeout,
        )

    def _rate_factor(self, picture: FirstPicture) -> float | None:
        """Return the picture's QP; VVC has negative ones, too, for more than 8 bits, finer than anyone's rates."""
        highest = self.rate_range.maximum
        return None if picture.qp is None or picture.qp > highest else float(max(picture.qp, 0))

    def _samples(self) -> SampleFormat:
        from dirac_enhance_vtm.colour import SampleFormat

        return SampleFormat(self.matrix, self.range, self.input_depth)

    def _find_encoder(self) -> ReferenceSoftware | Vvenc:
        if self.encoder == "vtm":
            return self._need_software()
        from dirac_enhance_vtm.vvenc import find_vvenc

        return find_vvenc(self.ffmpeg)

    def _software(self) -> ReferenceSoftware | None:
        return find_reference_software(self.build_dir, self.config)

    def _need_software(self) -> ReferenceSoftware:
        software = self._software()
        if software is None:
            raise CodecOptionError(f"VTM, the VVC reference software, is not configured; {HOW_TO_GET}")
        return software

    def _chosen_software(self) -> ReferenceSoftware | None:
        """Return the VTM to decode with, or None for PyAV."""
        if self.decoder == "vtm":
            return self._need_software()
        return self._software() if self.decoder == "auto" else None

    def _decode_planes(self, picture: FirstPicture) -> Planes:
        software = self._chosen_software()
        if software is not None:
            return software.decode(picture, timeout=self.timeout)
        from dirac_enhance_vtm.pyav import decode_by_pyav

        return decode_by_pyav(picture)

    def _to_pixels(self, planes: Planes) -> Tensor:
        if self.mode == "compressai":
            from dirac_enhance_vtm.compressai_bench import to_compressai_pixels

            return to_compressai_pixels(planes)
        from dirac_enhance_vtm.colour import to_pixels

        return to_pixels(planes, self._samples())

    def _name_decoder(self) -> str:
        software = self._chosen_software()
        if software is not None:
            return f"VTM {software.version('DecoderApp')}, {software.program('DecoderApp')}"
        from dirac_enhance_vtm.ffmpeg import name_decoder

        return name_decoder()

    def _name_encoder(self) -> str:
        if self.encoder == "vvenc":
            from dirac_enhance_vtm.vvenc import find_vvenc

            vvenc = find_vvenc(self.ffmpeg)
            return f"VVenC by {vvenc.version()}, {vvenc.ffmpeg}"
        software = self._need_software()
        version = software.version("EncoderApp")
        return f"VTM {version}, {software.program('EncoderApp')}, {software.config_file()}"


def _describe(name: Callable[[], str]) -> str:
    try:
        return name()
    except DiracError as error:
        return f"none: {error}"
