"""The checks behind the contract: what a codec must be when registered, and what it must have decoded."""

from __future__ import annotations

import inspect
import math
import re

from dirac_enhance.codec import BaseReconstruction, CodecOption, ImageMetadata, RateRange
from dirac_enhance.errors import PluginError

_ATTRIBUTES = ("id", "file_suffixes", "options")
_METHODS = ("with_options", "detect", "decode")
_ENCODER = ("rate_range", "encode")
_OPTIONAL_METHODS = ("encode", "status")
_SIGNATURES = {
    "with_options": "with_options(self, **values)",
    "detect": "detect(self, header)",
    "decode": "decode(self, data)",
    "encode": "encode(self, pixels, *, rate_factor)",
    "status": "status(self)",
}
_SAMPLE_CALLS: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {
    "with_options": ((), {"any_option": 1}),
    "detect": ((b"",), {}),
    "decode": ((b"",), {}),
    "encode": ((None,), {"rate_factor": 1.0}),
    "status": ((), {}),
}
_ID = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_SUFFIX = re.compile(r"\.[^./\\\s]+")
_RESERVED_IDS = ("auto",)


def check_codec(codec: object) -> None:
    """Check the parts of a codec that can be checked without coding anything.

    Raises:
        PluginError: naming the part that is missing or of the wrong form.
    """
    if isinstance(codec, type):
        raise PluginError(f"the class {codec.__name__} was registered; register an instance: {codec.__name__}()")
    _check_members(codec)
    _check_id(getattr(codec, "id"))  # noqa: B009 - an object of unknown type
    _check_suffixes(getattr(codec, "file_suffixes"))  # noqa: B009
    _check_options(getattr(codec, "options"))  # noqa: B009


def _check_members(codec: object) -> None:
    kind = type(codec).__name__
    missing = [name for name in (*_ATTRIBUTES, *_METHODS) if not hasattr(codec, name)]
    encoder = [name for name in _ENCODER if hasattr(codec, name)]
    if len(encoder) == 1:
        missing += [name for name in _ENCODER if name not in encoder]
    if missing:
        raise PluginError(f"the codec {kind} lacks {', '.join(missing)}; see dirac_enhance.Codec for the contract")
    if encoder and not isinstance(getattr(codec, "rate_range"), RateRange):  # noqa: B009
        raise PluginError(f"{kind}.rate_range must be a RateRange")
    for name in (*_METHODS, *(name for name in _OPTIONAL_METHODS if hasattr(codec, name))):
        _check_signature(getattr(codec, name), name, kind=kind)


def _check_signature(method: object, name: str, *, kind: str) -> None:
    if not callable(method):
        raise PluginError(f"{kind}.{name} must be a method")
    try:
        signature = inspect.signature(method)
    except ValueError:  # of a compiled extension that does not tell
        return
    arguments, keywords = _SAMPLE_CALLS[name]
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as cause:
        raise PluginError(f"{kind}.{name}{signature} cannot be called; expected {_SIGNATURES[name]}") from cause


def _check_id(codec_id: object) -> None:
    if not isinstance(codec_id, str) or not _ID.fullmatch(codec_id) or codec_id in _RESERVED_IDS:
        raise PluginError(
            f"codec id {codec_id!r}; expected lower-case letters and digits, joined by '-', '_' or '.', and not 'auto'"
        )


def _check_suffixes(suffixes: object) -> None:
    valid = isinstance(suffixes, tuple) and all(
        isinstance(suffix, str) and suffix == suffix.lower() and _SUFFIX.fullmatch(suffix) for suffix in suffixes
    )
    if not valid or not suffixes:
        raise PluginError(f"file suffixes {suffixes!r}; expected a tuple of lower-case ones with their dot: ('.abc',)")


def _check_options(options: object) -> None:
    if not isinstance(options, tuple) or not all(isinstance(option, CodecOption) for option in options):
        raise PluginError(f"codec options {options!r}; expected a tuple of CodecOption")
    names = [option.keyword for option in options]
    if len(set(names)) < len(names):
        raise PluginError(f"codec options {', '.join(names)}; expected each name once")


def find_fault(base: object) -> str | None:
    """Say in one line what is wrong with a decoder's result beyond what `BaseReconstruction` itself checks.

    Returns:
        "it decoded to …, expected …", or None if nothing is wrong.
    """
    if not isinstance(base, BaseReconstruction):
        return f"it decoded to {type(base).__name__}, expected BaseReconstruction"
    for name, plane in (("pixels", base.pixels), ("alpha", base.alpha)):
        if plane is None:
            continue
        if not plane.is_floating_point():
            return f"it decoded to {name} of type {plane.dtype}, expected float32"
        samples = plane.detach().cpu().numpy()  # whose search, unlike torch's, takes no threads from the network
        lowest, highest = float(samples.min()), float(samples.max())
        if not (lowest >= 0 and highest <= 1):  # false for NaN, too
            return f"it decoded to {name} from {lowest:g} to {highest:g}, expected 0 to 1"
    return _find_fault_beside_pixels(base)


def _find_fault_beside_pixels(base: BaseReconstruction) -> str | None:
    rate: object = base.rate_factor
    if rate is not None and not (isinstance(rate, (int, float)) and math.isfinite(rate)):
        return f"it decoded to rate factor {rate!r}, expected a finite number or None"
    metadata: object = base.metadata
    if not isinstance(metadata, ImageMetadata):
        return f"it decoded to metadata of type {type(metadata).__name__}, expected ImageMetadata"
    if metadata.orientation not in range(1, 9):
        return f"it decoded to EXIF orientation {metadata.orientation!r}, expected 1 to 8"
    return None
