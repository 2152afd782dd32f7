"""GuardedCodec: a plugin's codec whose failures name the plugin, and whose results keep the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from dirac_enhance.codec import Codec, EncodingCodec
from dirac_enhance.contract import find_fault
from dirac_enhance.errors import DiracError, InvalidBitstreamError, InvalidImageError, PluginError
from dirac_enhance.out_of_memory import is_out_of_memory, not_enough_memory
from dirac_enhance.pixel_limit import is_pillow_bomb

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

    from dirac_enhance.codec import BaseReconstruction, CodecOption, OptionValue, RateRange
    from dirac_enhance.host import RegisteredCodec

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class GuardedCodec:
    """A codec that raises a `DiracError`, and nothing else, whatever its plugin does; it travels between processes.

    Args:
        codec: the plugin's.
        distribution: that the plugin came with.
        version: of that distribution.
    """

    codec: Codec
    distribution: str
    version: str

    @property
    def plugin(self) -> str:
        """Codec and distribution, to begin a message with."""
        return f"codec '{self.codec.id}' from {self.distribution} {self.version}"

    @property
    def id(self) -> str:
        """The codec's."""
        return self.codec.id

    @property
    def file_suffixes(self) -> tuple[str, ...]:
        """The codec's."""
        return self.codec.file_suffixes

    @property
    def options(self) -> tuple[CodecOption, ...]:
        """The codec's."""
        return self.codec.options

    def with_options(self, **values: OptionValue) -> Self:
        """Return the codec with these options set, guarded, too.

        Raises:
            CodecOptionError: if an option is not declared or its value not allowed.
            PluginError: if the codec fails.
        """
        return replace(self, codec=self._call("to set its options", lambda: self.codec.with_options(**values)))

    def detect(self, header: bytes) -> bool:
        """Say whether the codec takes a file for its own.

        Raises:
            PluginError: if the codec fails.
        """
        return bool(self._call("to look at a file", lambda: self.codec.detect(header)))

    def decode(self, data: bytes) -> BaseReconstruction:
        """Decode a whole file, and check what came of it.

        Raises:
            InvalidBitstreamError: if `data` cannot be decoded.
            InvalidImageError: if there is not enough memory to.
            PluginError: if the codec fails or breaks its contract.
        """
        try:
            base = self._call("", lambda: self.codec.decode(data))
        except InvalidImageError as error:  # a `BaseReconstruction` of the wrong shape or type
            if error.__cause__ is not None and is_out_of_memory(error.__cause__):
                raise
            raise PluginError(f"{self.plugin} broke its contract: {error}") from error
        fault = find_fault(base)
        if fault:
            raise PluginError(f"{self.plugin} broke its contract: {fault}; tell the plugin's authors")
        return base

    def _call(self, purpose: str, method: Callable[[], Answer]) -> Answer:
        """Call a method of the plugin; `purpose` is what it fails to do where it does."""
        try:
            return method()
        except DiracError:
            raise
        except (Exception, SystemExit) as cause:
            if is_out_of_memory(cause):
                raise not_enough_memory(purpose or "to decode it") from cause
            if is_pillow_bomb(cause):
                raise InvalidBitstreamError(f"the file claims too many pixels: {cause}") from cause
            failed = f"failed {purpose}".rstrip()
            raise PluginError(
                f"{self.plugin} {failed}: {type(cause).__name__}: {cause}; tell the plugin's authors"
            ) from cause


@dataclass(frozen=True, slots=True)
class GuardedEncodingCodec(GuardedCodec):
    """The same around a codec that can also encode."""

    codec: EncodingCodec

    @property
    def rate_range(self) -> RateRange:
        """The codec's."""
        return self.codec.rate_range

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        """Encode pixels to a whole file.

        Raises:
            RateFactorError: if `rate_factor` is outside `rate_range`.
            InvalidImageError: if the pixels cannot be coded, or there is not enough memory to.
            PluginError: if the codec fails or breaks its contract.
        """
        coded: object = self._call("to encode", lambda: self.codec.encode(pixels, rate_factor=rate_factor))
        if not isinstance(coded, bytes) or not coded:
            raise PluginError(
                f"{self.plugin} broke its contract: it encoded to {coded!r:.40}, expected the bytes of a file;"
                " tell the plugin's authors"
            )
        return coded


def guard_codec(registered: RegisteredCodec) -> GuardedCodec:
    """Guard a registered codec; one that encodes becomes a guarded one that encodes."""
    codec = registered.codec
    if isinstance(codec, EncodingCodec):
        return GuardedEncodingCodec(codec, registered.distribution, registered.version)
    return GuardedCodec(codec, registered.distribution, registered.version)


def reconstruct(codec: EncodingCodec, pixels: Tensor, *, rate_factor: float) -> BaseReconstruction:
    """Encode and decode.

    Args:
        codec: guarded, or of one's own.
        pixels: (3, H, W) float32 in [0, 1].
        rate_factor: to encode at.

    Raises:
        PluginError: if the codec fails, breaks its contract, cannot decode what it encoded, or gives back another size.
        RateFactorError: if `rate_factor` is outside its range.
        InvalidImageError: if the pixels cannot be coded.
    """
    plugin = codec.plugin if isinstance(codec, GuardedCodec) else f"codec '{codec.id}'"
    coded = codec.encode(pixels, rate_factor=rate_factor)
    try:
        base = codec.decode(coded)
    except InvalidBitstreamError as error:
        raise PluginError(
            f"{plugin} broke its contract: it cannot decode what it encoded at rate factor {rate_factor:g}: {error}"
        ) from error
    if base.pixels.shape != pixels.shape:
        (height, width), (expected_height, expected_width) = base.pixels.shape[1:], pixels.shape[1:]
        raise PluginError(
            f"{plugin} broke its contract: it coded {expected_width}×{expected_height} pixels and decoded"
            f" {width}×{height}; tell the plugin's authors"
        )
    return base
