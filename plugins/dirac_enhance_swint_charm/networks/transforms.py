"""Analysis and synthesis: Swin stages joined by patch merging and splitting; the hyper-codec has smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dirac_enhance_swint_charm.networks.swin import PatchMerge, PatchSplit, SwinBlock


@dataclass(frozen=True, slots=True)
class StageShape:
    """What all blocks of a transform have in common."""

    head_width: int
    window: int
    mlp_ratio: int


class SwinStage(nn.Module):
    """Blocks at one resolution, every second with shifted windows, the last one of them."""

    def __init__(self, channels: int, depth: int, shape: StageShape) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinBlock(
                channels,
                head_width=shape.head_width,
                window=shape.window,
                shifted=(depth - index) % 2 == 1,
                mlp_ratio=shape.mlp_ratio,
            )
            for index in range(depth)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class AnalysisTransform(nn.Module):
    """Down by 2 before every stage, then a linear map to the code; linear as a whole until the blocks learn.

    ```
    (N, H, W, in) ─ merge ─ blocks ─ merge ─ blocks ─ … ─ project ─ (N, H/2ⁿ, W/2ⁿ, out)
    ```
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, widths: Sequence[int], depths: Sequence[int], shape: StageShape
    ) -> None:
        super().__init__()
        before = (in_channels, *widths[:-1])
        self.merges = nn.ModuleList(PatchMerge(*pair) for pair in zip(before, widths, strict=True))
        self.stages = nn.ModuleList(SwinStage(*pair, shape) for pair in zip(widths, depths, strict=True))
        self.project = nn.Linear(widths[-1], out_channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, in) to (N, H/2ⁿ, W/2ⁿ, out) for n stages; H and W are multiples of 2ⁿ."""
        for merge, stage in zip(self.merges, self.stages, strict=True):
            tokens = stage(merge(tokens))
        return self.project(tokens)  # type: ignore[no-any-return]


class SynthesisTransform(nn.Module):
    """The mirror image: a linear map from the code, then up by 2 after every stage.

    `widths` and `depths` are the analysis's, from the highest resolution down.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, widths: Sequence[int], depths: Sequence[int], shape: StageShape
    ) -> None:
        super().__init__()
        self.project = nn.Linear(in_channels, widths[-1])
        upwards, after = widths[::-1], (*widths[-2::-1], out_channels)
        self.stages = nn.ModuleList(SwinStage(*pair, shape) for pair in zip(upwards, depths[::-1], strict=True))
        self.splits = nn.ModuleList(PatchSplit(*pair) for pair in zip(upwards, after, strict=True))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, in) to (N, 2ⁿ·H, 2ⁿ·W, out) for n stages."""
        tokens = self.project(tokens)
        for stage, split in zip(self.stages, self.splits, strict=True):
            tokens = split(stage(tokens))
        return tokens
