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

from dirac_enhance.atomic import create_folder
from dirac_enhance.codec import HEADER_BYTES, BaseReconstruction
from dirac_enhance.errors import (
    CodecOptionError,
    InvalidBitstreamError,
    InvalidImageError,
    PluginError,
    UnknownCodecError,
)
from dirac_enhance.guard import guard_codec
from dirac_enhance.image import AS_NEW_FILE, OutputSettings, check_output, write_image
from dirac_enhance.out_of_memory import enough_memory
from dirac_enhance.pixel_limit import DEFAULT_MAX_PIXELS, MAX_PIXELS, check_pixel_count
from dirac_enhance.sampling import DEFAULTS, SamplingSettings
from dirac_enhance.streams import name_source, open_source
from dirac_enhance.subject import about

if TYPE_CHECKING:
    from dirac_enhance.codec import Codec
    from dirac_enhance.enhancer import Enhancer, Progress
    from dirac_enhance.host import CodecHost, RegisteredCodec

AUTO = "auto"
"""Stands for the codec that recognises the file."""


@dataclass(frozen=True, slots=True)
class CodecChoice:
    """What is made of a file's bytes.

    Args:
        codec_id: of the codec that decodes them, or `AUTO`.
        options: of that codec, name to text as on the command line.
        enhancer_id: the file holds decoded pixels: no codec runs, and this is the id of the one whose artefacts they
            carry; None if they are to be decoded.
        max_pixels: of the largest picture that is decoded.
    """

    codec_id: str = AUTO
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    enhancer_id: str | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS


DETECTED = CodecChoice()
"""The codec that recognises the file, its options at their defaults."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded file: its base reconstruction, and the codec that it came from or whose artefacts it carries."""

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
        source: a coded picture; `STANDARD_STREAM` for standard input.
        target: where the result goes; its suffix names the format, and `STANDARD_STREAM` is PNG to standard output.
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


def decode_to_file(
    source: Path,
    target: Path,
    *,
    host: CodecHost,
    choice: CodecChoice = DETECTED,
    output: OutputSettings = AS_NEW_FILE,
    creates_folder: bool = False,
) -> Decoded:
    """Decode a file and write the base reconstruction as it is, by the rules of `enhance_file`.

    Where `creates_folder`, the target's folder is created if it is missing, once the file is decoded.

    Raises:
        DiracError: of the kind that fits; then nothing was written.
    """
    if target.parent.is_dir() or not creates_folder:
        check_output(target, output=output)
    decoded = decode_file(source, host, choice=choice)
    base = decoded.base
    if creates_folder:
        create_folder(target.parent)
    write_image(target, base.pixels, metadata=base.metadata, alpha=base.alpha, output=output)
    return decoded


def decode_file(path: Path, host: CodecHost, *, choice: CodecChoice = DETECTED) -> Decoded:
    """Decode a file, or standard input for `STANDARD_STREAM`, with the chosen codec; or read its decoded pixels.

    Raises:
        InvalidImageError: if the file is missing, empty, unreadable or no regular file.
        UnknownCodecError: if the chosen codec is not known, or none recognises the file.
        CodecOptionError: if an option is not the codec's, or one is given for decoded pixels.
        InvalidBitstreamError: if the file cannot be decoded, or has more pixels than are allowed.
        PluginError: if the codec breaks its contract.
    """
    if choice.enhancer_id is not None:
        return _read_pixels(path, host, choice)
    with open_source(path) as source:
        codec = _choose_codec(source.header, path, host, choice)
        content = source.read()
    return Decoded(codec, _decode(content, codec, path=path, max_pixels=choice.max_pixels))


def decode_content(content: bytes, path: Path, host: CodecHost, *, choice: CodecChoice = DETECTED) -> Decoded:
    """Decode the content of a file with the chosen codec; errors as of `decode_file`.

    Args:
        content: of the whole file.
        path: whose it is, for its suffix and for messages.
        host: the codecs to choose from.
        choice: of one of them; its `enhancer_id` is None.
    """
    codec = _choose_codec(content[:HEADER_BYTES], path, host, choice)
    return Decoded(codec, _decode(content, codec, path=path, max_pixels=choice.max_pixels))


def _choose_codec(header: bytes, path: Path, host: CodecHost, choice: CodecChoice) -> RegisteredCodec:
    """Return the codec of a file that begins with `header`, its options set."""
    codec = host.codec(choice.codec_id) if choice.codec_id != AUTO else _detect(header, host, path=path)
    return replace(codec, codec=_limit_pixels(configure_codec(codec.codec, choice.options), choice))


def _read_pixels(path: Path, host: CodecHost, choice: CodecChoice) -> Decoded:
    from dirac_enhance.decoded_pixels import check_is_decoded, read_decoded_pixels

    if choice.codec_id != AUTO or choice.options:
        raise CodecOptionError(
            f"--enhancer {choice.enhancer_id} takes decoded pixels, for which no codec runs; leave out --codec and"
            " --codec-option"
        )
    codec = host.codec(choice.enhancer_id or "")
    try:
        with about(name_source(path)), enough_memory("to decode it", of=name_source(path)):
            with open_source(path) as source:
                check_is_decoded(source.header)
                content = source.read()
            return Decoded(codec, read_decoded_pixels(content, max_pixels=choice.max_pixels))
    except InvalidBitstreamError as error:
        raise InvalidBitstreamError(f"{name_source(path)}: {error}") from error


def _detect(header: bytes, host: CodecHost, *, path: Path) -> RegisteredCodec:
    try:
        return host.codec_for(header, path.suffix)
    except UnknownCodecError as error:
        from dirac_enhance.decoded_pixels import begins_as_decoded

        raster = begins_as_decoded(header)
        hint = "; for decoded pixels pass the codec of their artefacts, --enhancer ID" if raster else ""
        raise UnknownCodecError(f"{name_source(path)}: {error}{hint}") from error


def configure_codec(codec: Codec, options: Mapping[str, str]) -> Codec:
    """Set options of a codec, name to text as on the command line.

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


def _limit_pixels(codec: Codec, choice: CodecChoice) -> Codec:
    """Tell a codec that can refuse large pictures how large they may be, unless one of its options said so."""
    if MAX_PIXELS not in codec.options or MAX_PIXELS.name in choice.options:
        return codec
    return codec.with_options(**{MAX_PIXELS.keyword: choice.max_pixels})


def _decode(content: bytes, codec: RegisteredCodec, *, path: Path, max_pixels: int) -> BaseReconstruction:
    name = name_source(path)
    try:
        with about(name):
            base = guard_codec(codec).decode(content)
        check_pixel_count(base.height, base.width, maximum=max_pixels)  # of a codec that does not check it itself
    except (InvalidBitstreamError, InvalidImageError, PluginError) as error:
        raise type(error)(f"{name}: {error}") from error.__cause__ or error
    return base
