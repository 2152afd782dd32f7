"""JpegCodec as an encoder, and its options."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from dirac_enhance import CodecOptionError, EncodingCodec, InvalidImageError, RateFactorError
from dirac_enhance_jpeg import JpegCodec


def some_pixels(height: int = 40, width: int = 56) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(1, 3, 6, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")[0].clamp(0, 1)


def to_image(pixels: Tensor) -> Image.Image:
    return Image.fromarray(pixels.mul(255).round().byte().permute(1, 2, 0).numpy())


@pytest.mark.parametrize("quality", [1, 5, 10, 37, 75, 90, 95, 100])
def test_bytes_are_those_of_a_plain_save(quality: int) -> None:
    plain = BytesIO()
    to_image(some_pixels()).save(plain, "JPEG", quality=quality)

    assert JpegCodec().encode(some_pixels(), rate_factor=quality) == plain.getvalue()


@pytest.mark.parametrize(("subsampling", "factors"), [("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))])
def test_chroma_subsampling_is_an_option(subsampling: str, factors: tuple[int, int]) -> None:
    coded = JpegCodec().with_options(subsampling=subsampling).encode(some_pixels(), rate_factor=50)

    layers = JpegImageFile(BytesIO(coded)).layer
    assert layers[0][1:3] == factors
    assert [layer[1:3] for layer in layers[1:]] == [(1, 1), (1, 1)]


def test_gray_files_have_one_component_the_luma() -> None:
    coded, plain = JpegCodec(gray=True).encode(some_pixels(), rate_factor=50), BytesIO()
    to_image(some_pixels()).convert("L").save(plain, "JPEG", quality=50)

    assert coded == plain.getvalue()
    assert len(JpegImageFile(BytesIO(coded)).layer) == 1
    assert JpegCodec().decode(coded).metadata.grayscale


def test_every_quality_comes_back_as_the_rate_factor() -> None:
    codec, pixels = JpegCodec(), some_pixels(8, 8)

    for quality in range(1, 101):
        assert codec.decode(codec.encode(pixels, rate_factor=quality)).rate_factor == quality


def test_values_outside_the_range_are_clamped() -> None:
    codec, pixels = JpegCodec(), some_pixels() * 3 - 1

    assert codec.encode(pixels, rate_factor=80) == codec.encode(pixels.clamp(0, 1), rate_factor=80)


def test_the_given_pixels_are_left_unchanged() -> None:
    pixels = some_pixels()
    before = pixels.clone()

    JpegCodec().encode(pixels, rate_factor=10)

    assert torch.equal(pixels, before)


def test_is_an_encoding_codec_with_a_whole_log_spaced_rate_range() -> None:
    codec = JpegCodec()

    assert isinstance(codec, EncodingCodec)
    assert (codec.rate_range.minimum, codec.rate_range.maximum) == (1, 100)
    assert codec.rate_range.integer
    assert codec.rate_range.log_spaced
    assert codec.rate_range.higher_is_better


def test_subsampling_alone_is_varied_in_training() -> None:
    option, *others = JpegCodec().options

    assert (option.name, option.default, option.vary_in_training) == ("subsampling", "4:2:0", True)
    assert option.choices == ("4:2:0", "4:2:2", "4:4:4")
    assert not any(other.vary_in_training for other in others)


@pytest.mark.parametrize("quality", [0, 101, 50.5, float("nan")])
def test_a_quality_out_of_range_is_refused(quality: float) -> None:
    with pytest.raises(RateFactorError, match="expected a whole number from 1 to 100"):
        JpegCodec().encode(some_pixels(), rate_factor=quality)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(1, 4, 4), r"takes float pixels \(3, height, width\)"),
        (torch.zeros(3, 0, 4), r"takes float pixels \(3, height, width\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "uint8"),
        (torch.full((3, 4, 4), float("nan")), "not finite"),
        (torch.zeros(3, 1, 65501), "at most 65500 a side"),
    ],
)
def test_pixels_that_cannot_be_coded_are_refused(pixels: Tensor, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message):
        JpegCodec().encode(pixels, rate_factor=50)


def test_an_unknown_option_or_value_is_refused() -> None:
    with pytest.raises(CodecOptionError, match="unknown codec option 'chroma'; this codec's options: subsampling"):
        JpegCodec().with_options(chroma="4:4:4")
    with pytest.raises(CodecOptionError, match="is one of 4:2:0, 4:2:2, 4:4:4, not '4:1:1'"):
        JpegCodec().with_options(subsampling="4:1:1")
    with pytest.raises(CodecOptionError, match="is one of"):
        JpegCodec(subsampling="4:1:1")
