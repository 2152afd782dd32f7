"""check_codec: whether an object that a plugin registers has what a codec must have."""

from __future__ import annotations

import re

from dirac_enhance.codec import CodecOption, RateRange
from dirac_enhance.errors import PluginError

_ATTRIBUTES = ("id", "file_suffixes", "options")
_METHODS = ("with_options", "detect", "decode")
_ENCODER = ("rate_range", "encode")
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
    for name in _METHODS if not encoder else (*_METHODS, "encode"):
        if not callable(getattr(codec, name)):
            raise PluginError(f"{kind}.{name} must be a method")
    if encoder and not isinstance(getattr(codec, "rate_range"), RateRange):  # noqa: B009
        raise PluginError(f"{kind}.rate_range must be a RateRange")


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
