"""A codec before it decodes anything: its members, its options, and which files it takes for its own."""

from __future__ import annotations

from typing import Any

from dirac_enhance.codec import HEADER_BYTES, Codec, CodecOption
from dirac_enhance.contract import check_codec
from dirac_enhance.errors import CodecOptionError
from dirac_enhance.testing.foreign import files_foreign_to
from dirac_enhance.testing.outcomes import fail, refuse, succeed

_LONGEST_START = 64


def check_form(codec: Codec) -> None:
    """Check what `register_codecs` checks."""
    succeed("registration", check_codec, codec)


def check_options(codec: Codec) -> None:
    """Check that declared options can be set to what they declare, and nothing else can."""
    again: object = succeed("with_options()", codec.with_options)
    if not isinstance(again, Codec) or again.id != codec.id:
        fail("with_options()", f"a codec with id '{codec.id}'", repr(again))
    for option in codec.options:
        _check_option(codec, option)
    refuse("with_options(no_such_option=1)", CodecOptionError, codec.with_options, no_such_option=1)


def _check_option(codec: Codec, option: CodecOption) -> None:
    for value in (option.default, *option.choices):
        setting = f"with_options({option.keyword}={value!r})"
        succeed(f"the value that option '{option.name}' declares", option.check, value)
        changed: object = succeed(setting, codec.with_options, **{option.keyword: value})
        if not isinstance(changed, Codec):
            fail(setting, "a codec", repr(changed))
    nothing: dict[str, Any] = {option.keyword: None}
    refuse(f"with_options({option.keyword}=None)", CodecOptionError, codec.with_options, **nothing)


def check_detection(codec: Codec, sample: bytes) -> None:
    """Check that own files are detected, foreign ones are not, and no header is answered by an exception."""
    header = sample[:HEADER_BYTES]
    if not detect(codec, header, of="the sample"):
        fail(f"detect on the first {len(header)} bytes of the sample", "True", "False")
    for length in range(min(len(header), _LONGEST_START)):
        detect(codec, header[:length], of=f"the sample cut to {length} bytes")
    for file in files_foreign_to(sample):
        if detect(codec, file.header, of=f"a foreign file ({file.name})"):
            fail(f"detect on the header of a foreign file ({file.name})", "False", "True")


def detect(codec: Codec, header: bytes, *, of: str) -> bool:
    """Return what `detect` says, which is a bool."""
    answer: object = succeed(f"detect on the header of {of}", codec.detect, header)
    if not isinstance(answer, bool):
        fail(f"detect on the header of {of}", "True or False", repr(answer))
    return answer
