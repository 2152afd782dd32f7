"""The latents of a stream are the same integers whatever the machine computes with, and in whatever order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from coded_portrait import CODED, DECODED, HOW_TO_RENEW, decode_latents, digest, draw_portrait, read_facts
from dirac_enhance import InvalidBitstreamError, WeightsFile
from dirac_enhance_swint_charm import picture_coder
from dirac_enhance_swint_charm.bitstream import read_bitstream
from dirac_enhance_swint_charm.exact import layers, networks
from dirac_enhance_swint_charm.exact.fixed_point import ONE, multiply
from dirac_enhance_swint_charm.latent_coder import LatentCoder, TileLatents
from dirac_enhance_swint_charm.loading import build_coder, open_coder
from dirac_enhance_swint_charm.networks.charm import ChannelwisePrior
from dirac_enhance_swint_charm.picture_coder import PictureCoder, computing
from dirac_enhance_swint_charm.weights_file import CodecWeights, find_codec_weights, load_codec_weights
from tiny_swint_charm import TINY, draw_pixels

MAX_PIXELS = 10**6


@dataclass(frozen=True)
class Coded:
    """A file, what codes it, and what it decodes to where nothing is unusual."""

    weights: CodecWeights
    coder: PictureCoder
    file: bytes
    latents: TileLatents
    pixels: Tensor

    @classmethod
    def code(cls, weights: CodecWeights, pixels: Tensor, *, rate_factor: float) -> Coded:
        coder = build_coder(weights, torch.device("cpu"))
        file = coder.encode(pixels, rate_factor=rate_factor, tile=2048)
        return cls(weights, coder, file, decode_tile(coder, file), decode(coder, file))


def decode_tile(coder: PictureCoder, file: bytes) -> TileLatents:
    """Decode the latents of a file's only coding tile."""
    (latents,) = decode_latents(coder, read_bitstream(file, max_pixels=MAX_PIXELS))
    return latents


def decode(coder: PictureCoder, file: bytes) -> Tensor:
    return coder.decode(read_bitstream(file, max_pixels=MAX_PIXELS))


@pytest.fixture(scope="module")
def untrained(tiny_weights: Path) -> Coded:
    weights = load_codec_weights(WeightsFile(tiny_weights))
    return Coded.code(weights, draw_pixels(128, 128), rate_factor=0.03)


@pytest.fixture(scope="module")
def shipped() -> Coded:
    """With products large enough for threads to share them."""
    weights = load_codec_weights(find_codec_weights(""))
    return Coded.code(weights, draw_portrait(256, 256), rate_factor=0.003)


@pytest.fixture(params=["untrained", "shipped"])
def coded(request: pytest.FixtureRequest) -> Coded:
    """A file of either."""
    found: Coded = request.getfixturevalue(request.param)
    return found


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
    size = max(left.shape[-1] // 4, 1)
    pieces = zip(torch.split(left, size, dim=-1), torch.split(right, size, dim=-2), strict=True)
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
def test_settings_of_pytorch_change_nothing(coded: Coded, circumstance: str) -> None:
    with CIRCUMSTANCES[circumstance]():
        decoded, pixels = decode_tile(coded.coder, coded.file), decode(coded.coder, coded.file)

    assert torch.equal(decoded.hyper, coded.latents.hyper)
    assert torch.equal(decoded.latents, coded.latents.latents)
    assert (pixels - coded.pixels).abs().max() < 1 / 255


@pytest.mark.parametrize("product", [permuted, in_pieces, channels_last])
def test_the_order_of_sums_changes_nothing(
    coded: Coded, monkeypatch: pytest.MonkeyPatch, product: Callable[[Tensor, Tensor], Tensor]
) -> None:
    monkeypatch.setattr(layers, "multiply", product)
    monkeypatch.setattr(networks, "multiply", product)

    decoded = decode_tile(coded.coder, coded.file)

    assert torch.equal(decoded.hyper, coded.latents.hyper)
    assert torch.equal(decoded.latents, coded.latents.latents)


def test_the_memory_format_of_tokens_changes_nothing(coded: Coded, monkeypatch: pytest.MonkeyPatch) -> None:
    features = LatentCoder._features

    def planes_first(self: LatentCoder, hyper: Tensor) -> Tensor:
        return features(self, hyper.contiguous(memory_format=torch.preserve_format)).contiguous()

    def tokens_first(self: LatentCoder, hyper: Tensor) -> Tensor:
        return features(self, hyper.permute(1, 2, 0).contiguous().permute(2, 0, 1)).contiguous(
            memory_format=torch.channels_last
        )

    for layout in (planes_first, tokens_first):
        monkeypatch.setattr(LatentCoder, "_features", layout)
        assert torch.equal(decode_tile(coded.coder, coded.file).latents, coded.latents.latents)


def test_what_was_encoded_under_autocast_with_two_threads_decodes(untrained: Coded) -> None:
    coder = untrained.coder
    with threads(2), torch.autocast("cpu", torch.bfloat16), without_onednn():
        file = coder.encode(draw_pixels(90, 70), rate_factor=0.01, tile=64)
    with threads(1):
        assert decode(coder, file).shape == (3, 90, 70)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_and_cpu_decode_each_other_s_files(coded: Coded) -> None:
    here, there = coded.coder, build_coder(coded.weights, torch.device("cuda"))
    from_cuda = there.encode(coded.pixels, rate_factor=0.03, tile=2048)

    for file in (coded.file, from_cuda):
        with torch.autocast("cuda", torch.bfloat16):
            on_cuda = decode_tile(there, file)
        on_cpu = decode_tile(here, file)
        assert torch.equal(on_cuda.hyper.cpu(), on_cpu.hyper)
        assert torch.equal(on_cuda.latents.cpu(), on_cpu.latents)
        assert (decode(there, file) - decode(here, file)).abs().max() < 1 / 255


def test_a_file_that_was_coded_elsewhere_decodes_to_its_latents_and_pixels() -> None:
    """Coded once, in another process, with the shipped weights; `coded_portrait` says how it is renewed."""
    coder, facts = open_coder("", "cpu"), read_facts()
    bitstream = read_bitstream(CODED.read_bytes(), max_pixels=MAX_PIXELS)
    with Image.open(DECODED) as opened:
        levels = torch.from_numpy(np.array(opened)).permute(2, 0, 1)

    assert coder.model_id.hex() == facts.model_id == bitstream.header.model_id.hex(), HOW_TO_RENEW
    assert digest(decode_latents(coder, bitstream)) == facts.latents
    assert (255 * coder.decode(bitstream) - levels).abs().max() < 1
    assert len(bitstream.tiles) == 2


def test_the_exact_prior_is_close_to_the_trained_one(untrained: Coded) -> None:
    prior = ChannelwisePrior(
        TINY.prior_channels, slices=TINY.slices, widths=TINY.context_widths, kernels=TINY.context_kernels
    )
    prior.load_state_dict(
        {k.removeprefix("prior."): v for k, v in untrained.weights.state.items() if k.startswith("prior.")}
    )
    features = torch.randn(1, 2 * TINY.prior_channels, 6, 6, generator=torch.Generator().manual_seed(0))
    found: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def run(network: nn.Module, scale: float, features: Tensor) -> Tensor:
        def keep(_index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
            found.setdefault(network, []).append((mean / scale, log_scale / scale))
            return mean + 2 * scale

        return network(features, keep) / scale  # type: ignore[no-any-return]

    with torch.inference_mode():
        exact = run(untrained.coder._latent_coder.prior, ONE, (features.double() * ONE).round())
        in_float = run(prior, 1.0, features)

    assert (exact - in_float).abs().max() < 1e-3
    for (mean, log_scale), (float_mean, float_log_scale) in zip(*found.values(), strict=True):
        assert (mean - float_mean).abs().max() < 1e-3
        assert (log_scale - float_log_scale).abs().max() < 1e-3


def test_a_machine_that_computes_otherwise_is_told_with_both_sides(
    untrained: Coded, monkeypatch: pytest.MonkeyPatch
) -> None:
    coder = untrained.coder
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(picture_coder, "torch_version", lambda: (1, 99))
        file = coder.encode(draw_pixels(64, 64), rate_factor=0.03, tile=2048)
    decode(coder, file)
    monkeypatch.setattr(layers, "multiply", lambda left, right: multiply(left, right) * (1 + 2.0**-12))
    here = re.escape(".".join(torch.__version__.split(".")[:2]))

    with pytest.raises(
        InvalidBitstreamError,
        match=r"CRC-32 [0-9a-f]{8}, its encoder had [0-9a-f]{8} "
        rf"\(encoded by torch 1\.99 on cpu, decoded by torch {here} on cpu\): .* one of the two computed wrongly",
    ):
        decode(coder, file)


def test_encoder_and_decoder_have_the_same_latents(untrained: Coded) -> None:
    latents = torch.randn(sum(TINY.slices), 8, 12, generator=torch.Generator().manual_seed(1)) * 3
    latents[:, 2, 3] = torch.linspace(-60, 60, len(latents))  # beyond the tables: escapes
    latents[0, 5, 5], latents[1, 5, 5] = 1e6, -1e6
    with computing(torch.device("cpu")):
        stream, encoded = untrained.coder._latent_coder.encode(latents)
        decoded = untrained.coder._latent_coder.decode(stream, (8, 12))

    assert torch.equal(encoded.latents, decoded.latents)
    assert torch.equal(encoded.hyper, decoded.hyper)
    usual = latents.abs() < 1000
    assert ((decoded.latents / ONE - latents).abs()[usual] <= 1.0 + 1e-6).all(), "half a step, and half of tanh"
