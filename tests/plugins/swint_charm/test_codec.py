"""SwintCharmCodec: the contract, sizes, rates, and its own weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dirac_enhance import (
    CodecOptionError,
    DeviceError,
    InvalidBitstreamError,
    WeightsChecksumError,
    WeightsError,
    WeightsFile,
)
from dirac_enhance.testing import assert_codec_contract
from dirac_enhance_swint_charm import SwintCharmCodec
from dirac_enhance_swint_charm.loading import build_coder
from dirac_enhance_swint_charm.weights_file import load_codec_weights
from tiny_swint_charm import draw_pixels, write_variant


def test_it_keeps_the_contract(codec: SwintCharmCodec) -> None:
    assert_codec_contract(codec, codec.encode(draw_pixels(20, 30), rate_factor=0.01))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (64, 128), (65, 63), (1, 200)])
def test_a_picture_comes_back_in_its_size(codec: SwintCharmCodec, height: int, width: int) -> None:
    pixels = draw_pixels(height, width)
    base = codec.decode(codec.encode(pixels, rate_factor=0.02))

    assert base.pixels.shape == pixels.shape
    assert (base.pixels - pixels).square().mean().sqrt() < 0.1


def test_the_rate_factor_comes_back_within_the_scale_s_resolution(codec: SwintCharmCodec) -> None:
    for rate in (0.0005, 0.0067, 0.05):
        assert codec.decode(codec.encode(draw_pixels(40, 40), rate_factor=rate)).rate_factor == pytest.approx(
            rate, rel=2e-3
        )


def test_details_name_tiles_weights_and_encoder(codec: SwintCharmCodec) -> None:
    base = codec.with_options(tile=64).decode(codec.with_options(tile=64).encode(draw_pixels(65, 70), rate_factor=0.01))

    assert base.details["coding tiles"] == "4 of at most 64 pixels a side"
    assert base.details["encoded with"].endswith("on cpu")


@pytest.mark.parametrize("tile", [0, 32, 100, 4096])
def test_a_tile_that_cannot_be_is_refused(tile: int) -> None:
    with pytest.raises(CodecOptionError, match=rf"'tile' is {tile}; expected a multiple of 64 up to 2048"):
        SwintCharmCodec(tile=tile)


def test_a_missing_gpu_is_said_with_the_option_to_type(codec: SwintCharmCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(DeviceError, match=r"sees no GPU; use --codec-option device=cpu$"):
        codec.with_options(device="cuda").encode(draw_pixels(8, 8), rate_factor=0.01)


def test_without_weights_coding_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("dirac_enhance_swint_charm.weights_file.bundled_weights", lambda name: None)

    with pytest.raises(WeightsError, match=r"not installed; train it with `dirac-enhance train-codec"):
        SwintCharmCodec().encode(draw_pixels(8, 8), rate_factor=0.01)
    with pytest.raises(WeightsError, match=r"none\.safetensors': there is no such file; train it"):
        SwintCharmCodec(weights=str(tmp_path / "none.safetensors")).encode(draw_pixels(8, 8), rate_factor=0.01)
    assert SwintCharmCodec().status()[0].startswith("weights: none; ")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"\xff" * 60, b"\x02\0\0\0\0\0\0\0{}", b'\x12\0\0\0\0\0\0\0{"__metadata__":{}}']
)
def test_a_file_that_holds_no_codec_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.safetensors").write_bytes(content)

    with pytest.raises(WeightsError, match=r"odd\.safetensors' cannot be used"):
        SwintCharmCodec(weights=str(tmp_path / "odd.safetensors")).encode(draw_pixels(8, 8), rate_factor=0.01)


def test_weights_with_another_sha256_are_refused(tiny_weights: Path) -> None:
    with pytest.raises(WeightsChecksumError, match=r"has sha256 [0-9a-f]{64}, but 0{64} was expected"):
        load_codec_weights(WeightsFile(tiny_weights, "0" * 64))


def test_missing_tensors_are_named(tiny_weights: Path) -> None:
    whole = load_codec_weights(WeightsFile(tiny_weights))
    for name, message in (
        ("gaussian._quantized_cdf", "lack the tables"),
        ("scaling.a", r"lack 'scaling\.a'"),
        ("prior.slices.0.mean.convolutions.0.weight", "do not fit their configuration"),
    ):
        state = {key: value for key, value in whole.state.items() if key != name}
        with pytest.raises(WeightsError, match=message):
            build_coder(type(whole)(whole.config, state, whole.sha256), torch.device("cpu"))


def test_a_file_coded_with_other_weights_is_refused_by_their_id(codec: SwintCharmCodec, tmp_path: Path) -> None:
    write_variant(Path(codec.weights), tmp_path / "other.safetensors")
    other = SwintCharmCodec(weights=str(tmp_path / "other.safetensors"), device="cpu")

    with pytest.raises(InvalidBitstreamError, match=r"coded with the codec weights [0-9a-f]{16}…, but these are "):
        other.decode(codec.encode(draw_pixels(8, 8), rate_factor=0.01))
