"""assert_codec_contract: passes codecs that keep the contract, and names the clause that a broken one breaks."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from dirac_enhance import (
    BaseReconstruction,
    Codec,
    CodecOption,
    ImageMetadata,
    InvalidImageError,
    RateRange,
)
from dirac_enhance.testing import assert_codec_contract
from dirac_enhance_jpeg import JpegCodec
from plain_codec import HEADER, PlainCodec

SIDE = 12
PICTURE = torch.linspace(0, 1, 3 * SIDE * SIDE).view(3, SIDE, SIDE)
SAMPLE = PlainCodec().encode(PICTURE, rate_factor=16)


def jpeg(mode: str, **options: Any) -> bytes:
    coded = BytesIO()
    picture = Image.linear_gradient("L").resize((24, 24)).convert(mode)
    picture.save(coded, "JPEG", quality=30, **options)
    return coded.getvalue()


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(jpeg("RGB"), id="baseline"),
        pytest.param(jpeg("RGB", progressive=True, subsampling="4:4:4"), id="progressive"),
        pytest.param(jpeg("L", exif=b"Exif\0\0not really"), id="grayscale"),
        pytest.param(jpeg("CMYK"), id="cmyk"),
    ],
)
def test_the_jpeg_codec_keeps_the_contract(sample: bytes) -> None:
    assert_codec_contract(JpegCodec(), sample)


def test_a_codec_of_a_few_lines_keeps_the_contract() -> None:
    assert_codec_contract(PlainCodec(), SAMPLE)


def test_a_codec_that_only_decodes_keeps_the_contract() -> None:
    assert_codec_contract(_decoder(PlainCodec()), SAMPLE)


def test_a_codec_may_refuse_small_pictures_and_report_no_rate_factor() -> None:
    class Large(PlainCodec):
        def encode(self, pixels: torch.Tensor, *, rate_factor: float) -> bytes:
            if min(pixels.shape[1:]) < SIDE:
                raise InvalidImageError(f"at least {SIDE} pixels a side are needed")
            return super().encode(pixels, rate_factor=rate_factor)

        def decode(self, data: bytes) -> BaseReconstruction:
            return replace(super().decode(data), rate_factor=None)

    assert_codec_contract(Large(), SAMPLE)


def _decoder(codec: Codec) -> Codec:
    members = {name: getattr(codec, name) for name in ("id", "file_suffixes", "options", "detect", "decode")}
    decoder: Codec = SimpleNamespace(**members, with_options=lambda **values: _decoder(codec.with_options(**values)))
    return decoder


Method = Callable[..., object]
_PLAIN = PlainCodec()


def decodes_to(**changes: object) -> Mapping[str, Method]:
    """A `decode` whose result differs in these fields, where it decodes."""

    def decode(self: PlainCodec, data: bytes) -> BaseReconstruction:
        base = PlainCodec.decode(self, data)
        values: dict[str, Any] = {
            name: change(base) if callable(change) else change for name, change in changes.items()
        }
        return replace(base, **values)

    return {"decode": decode}


def decodes_where_it_should_refuse(when: Callable[[bytes], bool], instead: Method) -> Mapping[str, Method]:
    """A `decode` that does something else with the files of which `when` is true."""

    def decode(self: PlainCodec, data: bytes) -> object:
        return instead(data) if when(data) else PlainCodec.decode(self, data)

    return {"decode": decode}


def encodes(instead: Callable[..., object]) -> Mapping[str, Method]:
    """An `encode` that is `instead(pixels, rate_factor)`."""
    return {"encode": lambda self, pixels, *, rate_factor: instead(pixels, rate_factor)}


def raises(error: BaseException) -> Method:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def _at_least_two(pixels: torch.Tensor, rate: float) -> bytes:
    return _PLAIN.encode(pixels, rate_factor=max(2, rate))


def _without_one_row(pixels: torch.Tensor, rate: float) -> bytes:
    if pixels.shape[1] == 1:
        raise ValueError("1 row")
    return _PLAIN.encode(pixels, rate_factor=rate)


_COUNTER = itertools.count()
_GRAY = BaseReconstruction(torch.full((3, 4, 4), 0.5), coded_bytes=1)


def _encodes_any(when: Callable[[torch.Tensor], bool]) -> Mapping[str, Method]:
    """An `encode` that puts a picture in the place of pixels of which `when` is true."""
    return encodes(lambda pixels, rate: _PLAIN.encode(PICTURE if when(pixels) else pixels, rate_factor=rate))


BROKEN: dict[str, tuple[Mapping[str, object], str]] = {
    # registration
    "bad id": ({"id": "Plain Codec"}, "registration: expected it to succeed, got PluginError: codec id 'Plain Codec'"),
    "bad suffix": ({"file_suffixes": ("pln",)}, "registration: .* lower-case ones with their dot"),
    "wrong signature": ({"decode": lambda self: None}, r"registration: .*decode\(\) cannot be called; expected decode"),
    "encode without rate factor": (
        {"encode": lambda self, pixels: b""},
        r"registration: .*expected encode\(self, pixels, \*, rate_factor\)",
    ),
    # options
    "default not among choices": (
        {"options": (CodecOption("dither", str, "red", "", ("none", "blue")),)},
        "the value that option 'dither' declares: expected it to succeed, got CodecOptionError: .*not 'red'",
    ),
    "takes any option": (
        {"with_options": lambda self, **values: self if "no_such_option" in values else _PLAIN.with_options(**values)},
        r"with_options\(no_such_option=1\): expected CodecOptionError, got no error, but Broken",
    ),
    "takes any value": (
        {"with_options": lambda self, **values: self},
        r"with_options\(dither=None\): expected CodecOptionError",
    ),
    "refuses its own choice": (
        {"with_options": lambda self, **values: raises(ValueError("blue?"))() if "blue" in values.values() else self},
        r"with_options\(dither='blue'\): expected it to succeed, got ValueError: blue\?",
    ),
    "returns no codec": ({"with_options": lambda self, **values: None}, r"with_options\(\): .* id 'plain', got None"),
    "returns no codec for a choice": (
        {"with_options": lambda self, **values: None if "blue" in values.values() else _PLAIN.with_options(**values)},
        r"with_options\(dither='blue'\): expected a codec, got None",
    ),
    # detection
    "false negative": (
        {"detect": lambda self, header: len(header) > HEADER and header[3] == 99},
        "detect on the first .* bytes of the sample: expected True, got False",
    ),
    "detection that raises": (
        {"detect": lambda self, header: header[3] > 0},
        "detect on the header of the sample cut to 0 bytes: expected it to succeed, got IndexError",
    ),
    "no answer": (
        {"detect": lambda self, header: 1 if header.startswith(b"PLN") else None},
        "detect on the header of the sample: expected True or False, got 1",
    ),
    "false positive": (
        {"detect": lambda self, header: header[:1] in (b"P", b"%")},
        r"detect on the header of a foreign file \(PPM\): expected False, got True",
    ),
    # decoding
    "raises": ({"decode": raises(KeyError("tables"))}, "decode of the sample: .* to succeed, got KeyError: 'tables'"),
    "exits": ({"decode": lambda self, data: sys.exit(3)}, "decode of the sample: .* to succeed, got SystemExit: 3"),
    "tensor": ({"decode": lambda self, data: PICTURE}, "it decoded to Tensor, expected BaseReconstruction"),
    "height first": (
        decodes_to(pixels=lambda base: base.pixels.permute(1, 2, 0)),
        r"decode of the sample: .* to succeed, got InvalidImageError: pixels of shape \(12, 12, 3\)",
    ),
    "bytes": (decodes_to(pixels=lambda base: base.pixels.byte()), "pixels of type torch.uint8"),
    "double": (decodes_to(pixels=lambda base: base.pixels.double()), "pixels of type torch.float64"),
    "NaN": (decodes_to(pixels=lambda base: base.pixels * float("nan")), "pixels from nan to nan, expected 0 to 1"),
    "0 to 255": (decodes_to(pixels=lambda base: base.pixels * 255), r"it decoded to pixels from .*, expected 0 to 1"),
    "alpha": (decodes_to(alpha=lambda base: base.pixels[0] - 1), "it decoded to alpha from -.*, expected 0 to 1"),
    "alpha in bytes": (decodes_to(alpha=lambda base: base.pixels[0].byte()), "alpha of type torch.uint8"),
    "coded bytes": (decodes_to(coded_bytes=7), "expected coded_bytes .* the length of the file, got 7"),
    "rate factor": (
        decodes_to(rate_factor=1.0),
        "the rate factor that decode of the sample reports: .*RateFactorError: rate factor 1 given",
    ),
    "rate factor NaN": (decodes_to(rate_factor=float("nan")), "rate factor nan, expected a finite number or None"),
    "orientation": (decodes_to(metadata=ImageMetadata(orientation=9)), "orientation 9, expected 1 to 8"),
    "metadata": (decodes_to(metadata={}), "metadata of type dict, expected ImageMetadata"),
    "other pixels each time": (
        decodes_to(pixels=lambda base: (base.pixels + next(_COUNTER) / 1e6).clamp(0, 1)),
        "decode of the sample, again: expected the same pixels, got others",
    ),
    "other metadata each time": (
        decodes_to(metadata=lambda base: ImageMetadata(dpi=(next(_COUNTER), 72))),
        "decode of the sample, again: expected the same metadata",
    ),
    "other alpha each time": (
        decodes_to(alpha=lambda base: torch.full(base.pixels.shape[1:], next(_COUNTER) / 1e6)),
        "decode of the sample, again: expected the same alpha",
    ),
    "other rate factor each time": (
        decodes_to(rate_factor=lambda base: 2.0 + next(_COUNTER) % 2),
        "decode of the sample, again: expected the same rate factor",
    ),
    "another decoder behind its options": (
        {
            "with_options": lambda self, **values: PlainCodec().with_options(**values),
            **decodes_to(pixels=lambda base: 1 - base.pixels),
        },
        r"decode of the sample by with_options\(\): expected the same pixels, got others",
    ),
    "projection of another shape": (
        decodes_to(consistency=SimpleNamespace(project=lambda pixels, window: pixels[:1])),
        r"consistency.project: expected pixels of shape \(3, 12, 12\) in \[0, 1\], got others, of shape \(1, 12, 12\)",
    ),
    "projection out of range": (
        decodes_to(consistency=SimpleNamespace(project=lambda pixels, window: pixels - 1)),
        r"consistency.project: expected pixels of shape .* in \[0, 1\]",
    ),
    # files to refuse
    "truncated file accepted": (
        decodes_where_it_should_refuse(
            lambda data: data.startswith(b"PLN") and len(data) == len(SAMPLE) - 1,
            lambda data: replace(_GRAY, coded_bytes=len(data)),
        ),
        "decode of the sample cut to 440 of its 441 bytes: expected InvalidBitstreamError, got no error, but BaseRecon",
    ),
    "truncated file raises another error": (
        decodes_where_it_should_refuse(lambda data: 0 < len(data) < HEADER, raises(IndexError("header"))),
        "decode of the sample cut to 1 of .*: expected InvalidBitstreamError, got IndexError: header",
    ),
    "empty file accepted": (
        decodes_where_it_should_refuse(lambda data: not data, lambda data: _GRAY),
        "decode of the sample cut to 0 of its .*: expected InvalidBitstreamError, got no error",
    ),
    "foreign file raises another error": (
        decodes_where_it_should_refuse(lambda data: data.startswith(b"\x89PNG"), raises(OSError("a PNG"))),
        r"decode of a foreign file \(PNG\): expected InvalidBitstreamError, got OSError: a PNG",
    ),
    "damaged file raises another error": (
        decodes_where_it_should_refuse(
            lambda data: len(data) == len(SAMPLE) and data != SAMPLE, raises(ZeroDivisionError("levels"))
        ),
        "decode of the sample with bit . of byte .* flipped: expected a picture or InvalidBitstreamError, got Zero",
    ),
    "damaged file gives a damaged picture": (
        decodes_where_it_should_refuse(
            lambda data: len(data) == len(SAMPLE) and data != SAMPLE,
            lambda data: BaseReconstruction(PICTURE * 9, coded_bytes=len(data)),
        ),
        "flipped: it decoded to pixels from 0 to 9, expected 0 to 1",
    ),
    # encoding
    "encode raises": (
        encodes(raises(OSError("disk"))),
        "encode of 56×40 pixels at rate factor 2: expected it to succeed, got OSError: disk",
    ),
    "encodes to a file object": (
        encodes(lambda pixels, rate: BytesIO()),
        "encode of 56×40 pixels at rate factor 2: expected bytes, got BytesIO",
    ),
    "encodes to another format": (
        encodes(lambda pixels, rate: b"ZIP" + _PLAIN.encode(pixels, rate_factor=rate)),
        "detect on the header of 56×40 pixels encoded at rate factor 2: expected True, got False",
    ),
    "does not decode its own": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels, rate_factor=rate) + b"more"),
        "decode of 56×40 pixels encoded at rate factor 2: expected it to succeed, got InvalidBitstreamError",
    ),
    "pads": (
        encodes(lambda pixels, rate: _PLAIN.encode(torch.nn.functional.pad(pixels, (0, 8)), rate_factor=rate)),
        r"decode of 56×40 pixels encoded at rate factor 2: expected shape \(3, 40, 56\), got \(3, 40, 64\)",
    ),
    "changes what it is given": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels.mul_(0.99), rate_factor=rate)),
        "encode at rate factor 2: expected to leave the given pixels unchanged, got changed ones",
    ),
    "other bytes each time": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels.roll(next(_COUNTER), 2), rate_factor=rate)),
        "encode of the same pixels at rate factor 2, again: expected the same bytes, got others",
    ),
    "blue first": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels.flip(0), rate_factor=rate)),
        r"at the best rate factor: expected the picture given, got one that is off by 0\.\d\d \(RMS\)",
    ),
    "upside down": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels.flip(1), rate_factor=rate)),
        "at the best rate factor: expected the picture given",
    ),
    "quality turned round": (
        {
            "rate_range": RateRange(8, 64, integer=True, log_spaced=True, higher_is_better=False),
            **decodes_to(rate_factor=None),
        },
        "the worst and the best rate factor: expected the best to give the larger file and the better picture, got",
    ),
    "reported rate factor turned round": (
        decodes_to(rate_factor=lambda base: 66 - base.rate_factor),
        "rate factors that decode reports, from the worst to the best: expected them in that order, got",
    ),
    "one pixel breaks it": (
        encodes(_without_one_row),
        "encode of 1×1 pixels at rate factor 32: expected it to succeed, got ValueError: 1 row",
    ),
    # pixels and rate factors to refuse
    "rate factor rounded into the range": (
        encodes(_at_least_two),
        "encode at rate factor 1: expected RateFactorError, got no error, but bytes",
    ),
    "rate factor above the range raises another error": (
        encodes(
            lambda pixels, rate: raises(ValueError("high"))() if rate > 64 else _PLAIN.encode(pixels, rate_factor=rate)
        ),
        "encode at rate factor 65: expected RateFactorError, got ValueError: high",
    ),
    "fraction truncated": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels, rate_factor=int(rate) if rate == 2.5 else rate)),
        "encode at rate factor 2.5: expected RateFactorError, got no error",
    ),
    "rate factor that is no number": (
        encodes(lambda pixels, rate: _PLAIN.encode(pixels, rate_factor=9 if rate != rate else rate)),
        "encode at rate factor nan: expected RateFactorError, got no error",
    ),
    "one channel accepted": (
        _encodes_any(lambda pixels: pixels.shape[0] == 1),
        "encode of one channel: expected InvalidImageError, got no error",
    ),
    "height first accepted": (
        _encodes_any(lambda pixels: pixels.shape[2] == 3),
        r"encode of pixels in the order \(height, width, 3\): expected InvalidImageError, got no error",
    ),
    "no rows accepted": (
        _encodes_any(lambda pixels: 0 in pixels.shape),
        "encode of a picture without rows: expected InvalidImageError, got no error",
    ),
    "NaN accepted": (
        _encodes_any(lambda pixels: bool(pixels.isnan().any())),
        "encode of pixels that are NaN: expected InvalidImageError, got no error",
    ),
}


@pytest.mark.parametrize("clause", BROKEN)
def test_a_codec_that_breaks_a_clause_is_refused_by_naming_it(clause: str) -> None:
    members, message = BROKEN[clause]
    broken: Codec = type("Broken", (PlainCodec,), dict(members))()

    with pytest.raises(AssertionError) as caught:
        assert_codec_contract(broken, SAMPLE)

    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_is_no_codec() -> None:
    with pytest.raises(AssertionError, match="the class PlainCodec was registered; register an instance"):
        assert_codec_contract(PlainCodec, SAMPLE)  # type: ignore[arg-type] # the mistake under test


def test_a_failure_carries_the_exception_behind_it() -> None:
    broken: Codec = type("Broken", (PlainCodec,), {"decode": raises(KeyError("tables"))})()

    with pytest.raises(AssertionError) as caught:
        assert_codec_contract(broken, SAMPLE)

    assert isinstance(caught.value.__cause__, KeyError)
