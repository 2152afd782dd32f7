"""A file through the whole flow: decoded by its codec, enhanced, and written.

bytes ──host.codec_for(header, suffix)──► RegisteredCodec       or host.codec(id), and its options
bytes ──codec.decode(bytes)─────────────► BaseReconstruction    checked: a plugin's mistakes end here
      ──enhancer.enhance(base, …)───────► enhanced pixels (3, H, W) float32 in [0, 1]
      ──write_image(target, …)──────────► image file, upright, with the source's metadata
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dirac_enhance.codec import HEADER_BYTES, BaseReconstruction
from dirac_enhance.errors import (
    CodecOptionError,
    DiracError,
    InvalidBitstreamError,
    InvalidImageError,
    PluginError,
    UnknownCodecError,
)
from dirac_enhance.image import AS_NEW_FILE, OutputSettings, check_output, write_image
from dirac_enhance.sampling import DEFAULTS, SamplingSettings

if TYPE_CHECKING:
    from dirac_enhance.codec import Codec
    from dirac_enhance.enhancer import Enhancer, Progress
    from dirac_enhance.host import CodecHost, RegisteredCodec

AUTO = "auto"
"""Stands for the codec that recognises the file."""


@dataclass(frozen=True, slots=True)
class CodecChoice:
    """Which codec decodes a file: its id or `AUTO`, and its options, name to text as on the command line."""

    codec_id: str = AUTO
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


DETECTED = CodecChoice()
"""The codec that recognises the file, its options at their defaults."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded file: its base reconstruction, and the codec it came from, options set."""

    codec: RegisteredCodec
    base: BaseReconstruction


@dataclass(frozen=True, slots=True)
class EnhancedFile:
    """What `enhance_file` did: the file it wrote, what from and with what, and the seconds it took."""

    target: Path
    decoded: Decoded
    enhancer: Enhancer
    evaluations: int
    seconds: float


def _ignore_progress(_done: int, _total: int) -> None:
    pass


def enhance_file(
    source: Path,
    target: Path,
    *,
    host: CodecHost,
    load_enhancer_of: Callable[[RegisteredCodec], Enhancer],
    choice: CodecChoice = DETECTED,
    sampling: SamplingSettings = DEFAULTS,
    output: OutputSettings = AS_NEW_FILE,
    progress: Progress = _ignore_progress,
) -> EnhancedFile:
    """Decode a file, enhance the picture and write it; the flow at the top of this module.

    Args:
        source: a coded picture.
        target: where the result goes; its suffix names the format.
        host: the codecs to choose from.
        load_enhancer_of: called with the codec of the file; may keep enhancers between calls.
        choice: of the codec.
        sampling: how to sample.
        output: how to write the result.
        progress: called after each network evaluation.

    Raises:
        DiracError: of the kind that fits; then nothing was written.
    """
    started = time.perf_counter()
    check_output(target, output=output)
    decoded = decode_file(source, host, choice=choice)
    enhancer = load_enhancer_of(decoded.codec)
    (pixels,) = enhancer.enhance_batch([decoded.base], sampling, progress=progress)
    write_image(target, pixels, metadata=decoded.base.metadata, alpha=decoded.base.alpha, output=output)
    evaluations = sampling.samples * enhancer.evaluations(**sampling.trajectory_keywords())
    return EnhancedFile(target, decoded, enhancer, evaluations, time.perf_counter() - started)


def decode_file(path: Path, host: CodecHost, *, choice: CodecChoice = DETECTED) -> Decoded:
    """Decode a file with the chosen codec.

    Raises:
        InvalidImageError: if the file is missing, empty, unreadable or no regular file.
        UnknownCodecError: if the chosen codec is not known, or none recognises the file.
        CodecOptionError: if an option is not the codec's.
        InvalidBitstreamError: if the codec cannot decode the file.
        PluginError: if the codec breaks its contract.
    """
    content = _read(path)
    codec = host.codec(choice.codec_id) if choice.codec_id != AUTO else _detect(content, host, path=path)
    codec = replace(codec, codec=_configure(codec.codec, choice.options))
    return Decoded(codec, _decode(content, codec, path=path))


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InvalidImageError(f"'{path}' is a folder; name the files in it, as in {path / '*.jpg'}")
        if path.exists() and not path.is_file():
            raise InvalidImageError(f"'{path}' is a device or pipe; expected a file")
        content = path.read_bytes()
    except FileNotFoundError as cause:
        raise InvalidImageError(f"there is no file '{path}'") from cause
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise InvalidImageError(f"cannot read '{path}': {reason}") from cause
    if not content:
        raise InvalidImageError(f"'{path}' is empty; expected a coded picture")
    return content


def _detect(content: bytes, host: CodecHost, *, path: Path) -> RegisteredCodec:
    try:
        return host.codec_for(content[:HEADER_BYTES], path.suffix)
    except UnknownCodecError as error:
        raise UnknownCodecError(f"'{path}': {error}") from error


def _configure(codec: Codec, options: Mapping[str, str]) -> Codec:
    """Set options given as text.

    Raises:
        CodecOptionError: if the codec does not declare one of them, or cannot read its value.
    """
    if not options:
        return codec
    declared = {option.name: option for option in codec.options}
    for name in options:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise CodecOptionError(f"unknown option '{name}' of codec '{codec.id}'; its options: {known}")
    return codec.with_options(**{declared[name].keyword: declared[name].parse(text) for name, text in options.items()})


def _decode(content: bytes, codec: RegisteredCodec, *, path: Path) -> BaseReconstruction:
    plugin = f"'{path}': codec '{codec.codec.id}' from {codec.distribution} {codec.version}"
    try:
        base = codec.codec.decode(content)
    except InvalidBitstreamError as error:
        raise InvalidBitstreamError(f"'{path}': {error}") from error
    except InvalidImageError as error:  # a `BaseReconstruction` of the wrong shape or type
        raise PluginError(f"{plugin} broke its contract: {error}") from error
    except DiracError:
        raise
    except MemoryError as cause:
        raise InvalidImageError(f"'{path}': not enough memory to decode it") from cause
    except Exception as cause:
        raise PluginError(f"{plugin} failed: {type(cause).__name__}: {cause}; tell the plugin's authors") from cause
    fault = _find_fault(base)
    if fault:
        raise PluginError(f"{plugin} broke its contract: {fault}; tell the plugin's authors")
    return base


def _find_fault(base: object) -> str | None:
    """Say what is wrong with a decoder's result that `BaseReconstruction` itself does not check."""
    if not isinstance(base, BaseReconstruction):
        return f"it decoded to {type(base).__name__}, expected BaseReconstruction"
    for name, plane in (("pixels", base.pixels), ("alpha", base.alpha)):
        if plane is None:
            continue
        lowest, highest = (float(bound) for bound in plane.aminmax())
        if not (lowest >= 0 and highest <= 1):  # false for NaN, too
            return f"it decoded to {name} from {lowest:g} to {highest:g}, expected 0 to 1"
    return None
