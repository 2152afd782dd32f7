"""How far a transform looks: what a part of a picture needs around it, to come out as it does in the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from dirac_enhance_swint_charm.networks.swin import SwinBlock
from dirac_enhance_swint_charm.networks.transforms import AnalysisTransform, SwinStage, SynthesisTransform

LATENT_STRIDE = 16
"""Pixels a latent."""


def analysis_reach(transform: AnalysisTransform) -> int:
    """Return how many latents next to a cut differ from those of the whole picture."""
    depth = 0
    for stage in transform.stages:
        depth = _spread(stage, -(-depth // 2))
    return depth


def synthesis_reach(transform: SynthesisTransform) -> int:
    """Return the same of the pixels next to a cut between latents, in latents, rounded up."""
    depth = 0
    for stage in transform.stages:
        depth = 2 * _spread(stage, depth)
    return -(-depth // LATENT_STRIDE)


def window_side(transform: AnalysisTransform | SynthesisTransform) -> int:
    """Return the side of the attention windows in tokens; cuts at multiples of as many latents keep all windows."""
    stage = transform.stages[0]
    assert isinstance(stage, SwinStage)
    block = stage.blocks[0]
    assert isinstance(block, SwinBlock)
    return block.attention.window


@dataclass(frozen=True, slots=True)
class Parts:
    """How a picture is divided, in latents.

    Args:
        size: height and width of the whole.
        part: side of the parts; several are a multiple of the attention window.
        halo: margin around each, cut off afterwards; likewise a multiple.
    """

    size: tuple[int, int]
    part: int
    halo: int


def transform_in_parts(
    transform: Callable[[Tensor], Tensor],
    take: Callable[[slice, slice], Tensor],
    put: Callable[[slice, slice, Tensor], None],
    *,
    parts: Parts,
    strides: tuple[int, int],
) -> None:
    """Transform a picture part by part.

    Args:
        transform: (1, h, w, C) to (1, h', w', C').
        take: returns its input between rows and columns.
        put: receives its output between rows and columns, without the first axis.
        parts: the division.
        strides: rows, or columns, that a latent has in the input, and in the output.
    """
    inward, outward = strides
    for top in range(0, parts.size[0], parts.part):
        for left in range(0, parts.size[1], parts.part):
            spans = [_Span.of(start, parts, side) for start, side in zip((top, left), parts.size, strict=True)]
            rows, columns = (slice(span.first * inward, span.last * inward) for span in spans)
            tokens = transform(take(rows, columns))[0]
            rows, columns = (
                slice((span.start - span.first) * outward, (span.end - span.first) * outward) for span in spans
            )
            inner = tokens[rows, columns]
            rows, columns = (slice(span.start * outward, span.end * outward) for span in spans)
            put(rows, columns, inner)


@dataclass(frozen=True, slots=True)
class _Span:
    """A part along one axis: from `start` to `end`, with its halo from `first` to `last`."""

    first: int
    start: int
    end: int
    last: int

    @classmethod
    def of(cls, start: int, parts: Parts, side: int) -> _Span:
        end = min(start + parts.part, side)
        return cls(max(start - parts.halo, 0), start, end, min(end + parts.halo, side))


def _spread(stage: nn.Module, depth: int) -> int:
    """Return how many tokens next to a cut differ after a stage, if so many did before."""
    assert isinstance(stage, SwinStage)
    for block in stage.blocks:
        assert isinstance(block, SwinBlock)
        window = block.attention.window
        first = window // 2 if block.attention.shifted else 0
        depth = first + -(-max(depth - first, 0) // window) * window
    return depth
