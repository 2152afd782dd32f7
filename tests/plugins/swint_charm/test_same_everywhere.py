"""The latents of a stream are the same integers whatever the machine computes with, and in whatever order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dirac_enhance import InvalidBitstreamError, WeightsFile
from dirac_enhance_swint_charm.bitstream import read_bitstream
from dirac_enhance_swint_charm.exact import layers, networks
from dirac_enhance_swint_charm.exact.fixed_point import ONE, multiply
from dirac_enhance_swint_charm.latent_coder import LatentCoder, TileLatents
from dirac_enhance_swint_charm.loading import build_coder
from dirac_enhance_swint_charm.networks.charm import ChannelwisePrior
from dirac_enhance_swint_charm.picture_coder import PictureCoder, computing
from dirac_enhance_swint_charm.weights_file import CodecWeights, load_codec_weights
from tiny_swint_charm import TINY, draw_pixels

SIDE = 128
MAX_PIXELS = 10**6


@pytest.fixture(scope="module")
def weights(tiny_weights: Path) -> CodecWeights:
    return load_codec_weights(WeightsFile(tiny_weights))


@pytest.fixture(scope="module")
def coder(weights: CodecWeights) -> PictureCoder:
    return build_coder(weights, torch.device("cpu"))


@pytest.fixture(scope="module")
def file(coder: PictureCoder) -> bytes:
    return coder.encode(draw_pixels(SIDE, SIDE), rate_factor=0.03, tile=2048)


def decode_latents(coder: PictureCoder, file: bytes) -> TileLatents:
    (tile,) = read_bitstream(file, max_pixels=MAX_PIXELS).tiles
    with torch.inference_mode():
        return coder._latent_coder.decode(tile.stream, (SIDE // 16, SIDE // 16))


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def without_onednn() -> Iterator[None]:
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment] # a property
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def permuted(left: Tensor, right: Tensor) -> Tensor:
    """A product whose sums run in another order."""
    order = torch.randperm(left.shape[-1], generator=torch.Generator().manual_seed(left.shape[-1]))
    return multiply(left[..., order], right[..., order, :])


def in_pieces(left: Tensor, right: Tensor) -> Tensor:
    """A product that is the sum of others."""
    pieces = zip(torch.split(left, 3, dim=-1), torch.split(right, 3, dim=-2), strict=True)
    return torch.stack([multiply(*piece) for piece in pieces]).flip(0).sum(dim=0)


def channels_last(left: Tensor, right: Tensor) -> Tensor:
    """A product of factors that lie in memory the other way round."""
    return multiply(left.mT.contiguous().mT, right.mT.contiguous().mT)


CIRCUMSTANCES: dict[str, Callable[[], Any]] = {
    "one thread": lambda: threads(1),
    "two threads": lambda: threads(2),
    "without oneDNN": without_onednn,
    "bfloat16 autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("circumstance", list(CIRCUMSTANCES))
def test_settings_of_pytorch_change_nothing(coder: PictureCoder, file: bytes, circumstance: str) -> None:
    expected = decode_latents(coder, file)

    with CIRCUMSTANCES[circumstance]():
        decoded = decode_latents(coder, file)
        whole = coder.decode(read_bitstream(file, max_pixels=MAX_PIXELS))

    assert torch.equal(decoded.hyper, expected.hyper)
    assert torch.equal(decoded.latents, expected.latents)
    assert (whole - coder.decode(read_bitstream(file, max_pixels=MAX_PIXELS))).abs().max() < 1 / 255


@pytest.mark.parametrize("product", [permuted, in_pieces, channels_last])
def test_the_order_of_sums_changes_nothing(
    coder: PictureCoder, file: bytes, monkeypatch: pytest.MonkeyPatch, product: Callable[[Tensor, Tensor], Tensor]
) -> None:
    expected = decode_latents(coder, file)
    monkeypatch.setattr(layers, "multiply", product)
    monkeypatch.setattr(networks, "multiply", product)

    decoded = decode_latents(coder, file)

    assert torch.equal(decoded.hyper, expected.hyper)
    assert torch.equal(decoded.latents, expected.latents)


def test_the_memory_format_of_tokens_changes_nothing(
    coder: PictureCoder, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decode_latents(coder, file)
    features = LatentCoder._features

    def planes_first(self: LatentCoder, hyper: Tensor) -> Tensor:
        return features(self, hyper.contiguous(memory_format=torch.preserve_format)).contiguous()

    def tokens_first(self: LatentCoder, hyper: Tensor) -> Tensor:
        return features(self, hyper.permute(1, 2, 0).contiguous().permute(2, 0, 1)).contiguous(
            memory_format=torch.channels_last
        )

    for layout in (planes_first, tokens_first):
        monkeypatch.setattr(LatentCoder, "_features", layout)
        assert torch.equal(decode_latents(coder, file).latents, expected.latents)


def test_what_was_encoded_under_autocast_with_two_threads_decodes(coder: PictureCoder) -> None:
    with threads(2), torch.autocast("cpu", torch.bfloat16), without_onednn():
        file = coder.encode(draw_pixels(90, 70), rate_factor=0.01, tile=64)
    with threads(1):
        assert coder.decode(read_bitstream(file, max_pixels=MAX_PIXELS)).shape == (3, 90, 70)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_and_cpu_decode_each_other_s_files(coder: PictureCoder, weights: CodecWeights, file: bytes) -> None:
    on_cuda = build_coder(weights, torch.device("cuda"))
    from_cuda = on_cuda.encode(draw_pixels(SIDE, SIDE), rate_factor=0.03, tile=2048)

    for each in (file, from_cuda):
        with torch.autocast("cuda", torch.bfloat16):
            there = decode_latents(on_cuda, each)
        here = decode_latents(coder, each)
        assert torch.equal(there.hyper.cpu(), here.hyper)
        assert torch.equal(there.latents.cpu(), here.latents)
        bitstream = read_bitstream(each, max_pixels=MAX_PIXELS)
        assert (on_cuda.decode(bitstream) - coder.decode(bitstream)).abs().max() < 1 / 255


def test_the_exact_prior_is_close_to_the_trained_one(coder: PictureCoder, weights: CodecWeights) -> None:
    prior = ChannelwisePrior(
        TINY.prior_channels, slices=TINY.slices, widths=TINY.context_widths, kernels=TINY.context_kernels
    )
    prior.load_state_dict({k.removeprefix("prior."): v for k, v in weights.state.items() if k.startswith("prior.")})
    features = torch.randn(1, 2 * TINY.prior_channels, 6, 6, generator=torch.Generator().manual_seed(0))
    found: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def run(network: nn.Module, scale: float, features: Tensor) -> Tensor:
        def keep(_index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
            found.setdefault(network, []).append((mean / scale, log_scale / scale))
            return mean + 2 * scale

        return network(features, keep) / scale  # type: ignore[no-any-return]

    with torch.inference_mode():
        exact = run(coder._latent_coder.prior, ONE, (features.double() * ONE).round())
        in_float = run(prior, 1.0, features)

    assert (exact - in_float).abs().max() < 1e-3
    for (mean, log_scale), (float_mean, float_log_scale) in zip(*found.values(), strict=True):
        assert (mean - float_mean).abs().max() < 1e-3
        assert (log_scale - float_log_scale).abs().max() < 1e-3


def test_a_machine_that_computes_otherwise_is_told_with_both_sides(
    coder: PictureCoder, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "multiply", lambda left, right: multiply(left, right) * (1 + 2.0**-12))

    with pytest.raises(
        InvalidBitstreamError, match=r"CRC-32 [0-9a-f]{8}, its encoder had [0-9a-f]{8} \(encoded by torch"
    ):
        coder.decode(read_bitstream(file, max_pixels=MAX_PIXELS))


def test_encoder_and_decoder_have_the_same_latents(coder: PictureCoder) -> None:
    latents = torch.randn(sum(TINY.slices), 8, 12, generator=torch.Generator().manual_seed(1)) * 3
    latents[:, 2, 3] = torch.linspace(-60, 60, len(latents))  # beyond the tables: escapes
    latents[0, 5, 5], latents[1, 5, 5] = 1e6, -1e6
    with computing(torch.device("cpu")):
        stream, encoded = coder._latent_coder.encode(latents)
        decoded = coder._latent_coder.decode(stream, (8, 12))

    assert torch.equal(encoded.latents, decoded.latents)
    assert torch.equal(encoded.hyper, decoded.hyper)
    usual = latents.abs() < 1000
    assert ((decoded.latents / ONE - latents).abs()[usual] <= 1.0 + 1e-6).all(), "half a step, and half of tanh"
