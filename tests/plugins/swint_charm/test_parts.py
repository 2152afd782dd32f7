"""Large pictures in parts: as if transformed whole, and no seams between coding tiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from coded_portrait import draw_portrait
from dirac_enhance import WeightsFile
from dirac_enhance_swint_charm import SwintCharmCodec
from dirac_enhance_swint_charm.bitstream import read_bitstream
from dirac_enhance_swint_charm.loading import build_coder
from dirac_enhance_swint_charm.networks.config import CONFIGS
from dirac_enhance_swint_charm.networks.transforms import AnalysisTransform, StageShape, SynthesisTransform
from dirac_enhance_swint_charm.reach import Parts, analysis_reach, synthesis_reach, transform_in_parts, window_side
from dirac_enhance_swint_charm.weights_file import load_codec_weights
from tiny_swint_charm import draw_pixels

SHAPE = StageShape(head_width=4, window=4, mlp_ratio=1)
WIDTHS, DEPTHS = (4, 4, 4, 4), (1, 2, 2, 2)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def lively(transform: nn.Module) -> None:
    """Let each token see all others of its window, alike, and change by what it sees."""
    for name, parameter in transform.named_parameters():
        nn.init.normal_(parameter, std=0.5)
        if "qkv" in name:
            nn.init.zeros_(parameter[: len(parameter) * 2 // 3])
        if "position_bias" in name:
            nn.init.zeros_(parameter)


def differing(one: Tensor, other: Tensor) -> int:
    """How many columns, from the left, hold a difference."""
    columns = (one - other).abs().amax(dim=(0, 1, 3)) > 1e-11
    return int(columns.nonzero().max()) + 1


@torch.inference_mode()
def test_an_analysis_differs_as_far_from_a_cut_as_its_reach() -> None:
    transform = AnalysisTransform(3, 5, widths=WIDTHS, depths=DEPTHS, shape=SHAPE)
    lively(transform.double())
    tokens = torch.randn(1, 64, 16 * 40, 3, dtype=torch.float64)
    whole, cut = transform(tokens), transform(tokens[:, :, 16 * 8 :])

    assert differing(whole[:, :, 8:], cut) == analysis_reach(transform) < 20


@torch.inference_mode()
def test_a_synthesis_differs_as_far_from_a_cut_as_its_reach() -> None:
    transform = SynthesisTransform(5, 3, widths=WIDTHS, depths=DEPTHS, shape=SHAPE)
    lively(transform.double())
    tokens = torch.randn(1, 4, 40, 5, dtype=torch.float64)
    whole, cut = transform(tokens), transform(tokens[:, :, 8:])

    assert -(-differing(whole[:, :, 16 * 8 :], cut) // 16) == synthesis_reach(transform) < 20


@pytest.mark.parametrize(("name", "reaches"), [("small", (20, 12)), ("paper", (20, 16))])
def test_halos_of_the_real_codecs_are_known(name: str, reaches: tuple[int, int]) -> None:
    config = CONFIGS[name]
    shape = StageShape(config.head_width, config.window, config.mlp_ratio)
    with torch.device("meta"):
        analysis = AnalysisTransform(3, 1, widths=config.widths, depths=config.depths, shape=shape)
        synthesis = SynthesisTransform(1, 3, widths=config.widths, depths=config.depths, shape=shape)

    assert (analysis_reach(analysis), synthesis_reach(synthesis)) == reaches


@torch.inference_mode()
def test_parts_with_a_halo_make_the_whole() -> None:
    transform = SynthesisTransform(5, 3, widths=WIDTHS, depths=DEPTHS, shape=SHAPE)
    lively(transform)
    tokens = torch.randn(1, 4, 72, 5)
    halo = -(-synthesis_reach(transform) // window_side(transform)) * window_side(transform)

    def in_parts(halo: int) -> Tensor:
        made = torch.zeros(1, 4 * 16, 72 * 16, 3)

        def put(rows: slice, columns: slice, part: Tensor) -> None:
            made[0, rows, columns] = part

        parts = Parts((4, 72), part=16, halo=halo)
        transform_in_parts(transform, lambda rows, columns: tokens[:, rows, columns], put, parts=parts, strides=(1, 16))
        return made

    assert (in_parts(halo) - transform(tokens)).abs().max() < 1e-4
    assert (in_parts(0) - transform(tokens)).abs().max() > 0.1


def test_a_picture_in_parts_decodes_as_a_whole_one(tiny_weights: Path) -> None:
    weights = load_codec_weights(WeightsFile(tiny_weights))
    coder = build_coder(weights, torch.device("cpu"))
    pixels = draw_pixels(70, 640)
    data = coder.encode(pixels, rate_factor=0.02, tile=2048)
    bitstream = read_bitstream(data, max_pixels=10**6)
    whole, latents = coder.decode(bitstream), coder._analyse(pixels)
    coder._part, coder._whole = 8, 0

    assert coder._parts((8, 40), reach=synthesis_reach(coder._synthesis)).halo < 16
    assert (coder.decode(bitstream) - whole).abs().max() < 1e-5
    assert (coder._analyse(pixels) - latents).abs().max() < 1e-3


def test_no_step_shows_between_coding_tiles(codec: SwintCharmCodec) -> None:
    """The decoder's error jumps no more between coding tiles than between other blocks of 16 pixels."""
    pixels = draw_pixels(256, 512, seed=3)
    data = codec.with_options(tile=64).encode(pixels, rate_factor=0.003)
    steps = error_steps(codec.decode(data).pixels - pixels, tile=64)

    assert steps.border < 1.15 * steps.interior
    assert steps.border < 2 / 255 + steps.interior


def test_no_step_shows_between_coding_tiles_with_the_shipped_weights() -> None:
    """A texture steps by itself: what counts is how much more than where the same picture is one coding tile."""
    pixels = draw_portrait(256, 256, top=256)
    shipped = SwintCharmCodec(device="cpu")
    excess = []
    for rate_factor in (0.0008, 0.006):
        tiled, whole = (
            error_steps(decoded.pixels - pixels, tile=128)
            for codec in (shipped.with_options(tile=128), shipped)
            for decoded in [codec.decode(codec.encode(pixels, rate_factor=rate_factor))]
        )
        assert tiled.border < 1.25 * tiled.interior
        excess.append((tiled.border / tiled.interior) / (whole.border / whole.interior))

    assert max(excess) < 1.15
    assert sum(excess) / len(excess) < 1.1


@dataclass(frozen=True)
class ErrorSteps:
    """Root mean square step of the decoder's error between coding tiles, and between other blocks of 16 pixels."""

    border: float
    interior: float


def error_steps(error: Tensor, *, tile: int) -> ErrorSteps:
    across = (error[:, :, 1:] - error[:, :, :-1]).square().mean(dim=(0, 1))
    down = (error[:, 1:] - error[:, :-1]).square().mean(dim=(0, 2))
    steps = {True: list[Tensor](), False: list[Tensor]()}
    for profile in (across, down):
        for place in range(15, len(profile), 16):
            steps[(place + 1) % tile == 0].append(profile[place])
    return ErrorSteps(*(torch.stack(steps[at_border]).mean().sqrt().item() for at_border in (True, False)))
