"""VtmCodec with VVenC as its encoder, called through FFmpeg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest
import torch
from torch import Tensor

from dirac_enhance import CodecOptionError, InvalidImageError, OptionValue, PluginError
from dirac_enhance.testing import assert_codec_contract
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.planes import Planes
from dirac_enhance_vtm.vvenc import find_vvenc, subsample

if TYPE_CHECKING:
    from .conftest import Fake


def smooth_pixels(height: int = 64, width: int = 96) -> Tensor:
    down, across = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 4, width)[None, :]
    planes = [0.5 + 0.3 * torch.sin(down * k + across) for k in (1.0, 1.4, 0.7)]
    return torch.stack(planes)


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    """An FFmpeg with VVenC."""
    try:
        vvenc = find_vvenc("")
        vvenc.version()
    except PluginError as error:
        pytest.skip(f"no FFmpeg with VVenC: {error}")
    return str(vvenc.ffmpeg)


@pytest.mark.parametrize("qp", [22, 37, 63])
def test_a_picture_is_coded_at_the_qp_asked_for(qp: int, ffmpeg: str) -> None:
    codec = VtmCodec(encoder="vvenc", ffmpeg=ffmpeg)
    pixels = smooth_pixels()
    base = codec.decode(codec.encode(pixels, rate_factor=qp))
    assert base.rate_factor == qp
    assert base.pixels.shape == pixels.shape
    assert (base.pixels - pixels).abs().mean() < {22: 0.01, 37: 0.03, 63: 0.2}[qp]


def test_the_same_picture_gives_the_same_stream(ffmpeg: str) -> None:
    codec = VtmCodec(encoder="vvenc", ffmpeg=ffmpeg)
    assert codec.encode(smooth_pixels(), rate_factor=32) == codec.encode(smooth_pixels(), rate_factor=32)


def test_it_keeps_the_contract_of_codecs_that_encode(ffmpeg: str) -> None:
    """Of the sizes that it tries, those with an odd side are refused, as the contract allows."""
    sample = VtmCodec(encoder="vvenc", ffmpeg=ffmpeg).encode(smooth_pixels(16, 24), rate_factor=37)
    assert_codec_contract(EncodingByVvenc(VtmCodec(), ffmpeg), sample)


class EncodingByVvenc:
    """The codec as it is registered, each of its options free, but that it encodes with VVenC in any case."""

    def __init__(self, codec: VtmCodec, ffmpeg: str) -> None:
        self._codec, self._ffmpeg = codec, ffmpeg
        self.id, self.file_suffixes, self.options = codec.id, codec.file_suffixes, codec.options
        self.detect, self.decode, self.rate_range = codec.detect, codec.decode, codec.rate_range

    def with_options(self, **values: OptionValue) -> EncodingByVvenc:
        return EncodingByVvenc(self._codec.with_options(**values), self._ffmpeg)

    def encode(self, pixels: Tensor, *, rate_factor: float) -> bytes:
        by_vvenc = self._codec.with_options(mode="rounded", encoder="vvenc", ffmpeg=self._ffmpeg)
        return by_vvenc.encode(pixels, rate_factor=rate_factor)


def test_odd_sides_are_refused() -> None:
    codec = VtmCodec(encoder="vvenc", ffmpeg="/bin/true")
    with pytest.raises(InvalidImageError, match="even sides, not 65×64"):
        codec.encode(smooth_pixels(64, 65), rate_factor=32)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    codec = VtmCodec(encoder="vvenc", ffmpeg=str(tmp_path / "ffmpeg"))
    with pytest.raises(CodecOptionError, match="which is no program; codec option ffmpeg names one"):
        codec.encode(smooth_pixels(), rate_factor=32)
    assert "which is no program" in codec.status()[1]


def test_an_ffmpeg_without_vvenc_is_told_in_the_listing(fake: Fake) -> None:
    program = fake("ffmpeg", 'print("Codec libvvenc is not recognized by FFmpeg.")')
    assert "was built without VVenC" in VtmCodec(encoder="vvenc", ffmpeg=str(program)).status()[1]


def test_one_that_fails_is_reported_in_one_line(fake: Fake) -> None:
    program = fake("ffmpeg", 'print("Unknown encoder libvvenc"); sys.exit(8)')
    with pytest.raises(PluginError, match=r"^ffmpeg failed with exit code 8: Unknown encoder libvvenc$"):
        VtmCodec(encoder="vvenc", ffmpeg=str(program)).encode(smooth_pixels(), rate_factor=32)


def test_one_that_writes_nothing_is_reported(fake: Fake) -> None:
    program = fake("ffmpeg", "")
    with pytest.raises(PluginError, match="ended without an error and wrote nothing"):
        VtmCodec(encoder="vvenc", ffmpeg=str(program)).encode(smooth_pixels(), rate_factor=32)


def test_compressai_calls_vtm_only() -> None:
    with pytest.raises(CodecOptionError, match="mode=compressai goes with encoder=vtm"):
        VtmCodec(encoder="vvenc", mode="compressai")


def test_chroma_is_halved_to_where_the_decoder_takes_it_to_be() -> None:
    ramp = numpy.tile(numpy.arange(0, 640, 20, dtype=numpy.uint16), (16, 1))
    codec = VtmCodec()
    luma = numpy.full((16, 32), 500, numpy.uint16)
    full = codec._to_pixels(Planes(luma, (ramp, ramp), bit_depth=10))
    halved = codec._to_pixels(Planes(luma, (subsample(ramp), subsample(ramp)), bit_depth=10))
    assert (full - halved).abs()[:, 2:-2, 2:-2].max() < 1 / 255
