"""README.md: its Python blocks run, one after the other, on a small photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dirac_enhance.metrics
from code_blocks import code_blocks
from dirac_enhance import Enhancer
from dirac_enhance_jpeg import JpegCodec

README = Path(__file__).parent.parent / "README.md"
BLOCKS = [block.text for block in code_blocks(README) if block.language == "python"]


class Projections(nn.Module):
    """Features of patches that need no file of weights: the mean of each channel and quarter."""

    name = "alexnet"
    num_features = 12

    def forward(self, patches: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(patches.float() / 255, 2).flatten(1)


def test_the_python_blocks_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("scipy")  # of the extra `metrics`, which the text names
    monkeypatch.setattr(dirac_enhance.metrics, "load_alexnet_features", Projections)
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    photograph = torch.rand(3, 5, 7, generator=generator)
    pixels = nn.functional.interpolate(photograph[None], (40, 56), mode="bicubic")[0].clamp(0, 1)
    Path("photo.jpg").write_bytes(JpegCodec().encode(pixels, rate_factor=10))
    originals = torch.rand(3, 3, 256, 384, generator=generator)
    names: dict[str, Any] = {"pairs": [(original * 0.9, original) for original in originals]}

    assert len(BLOCKS) == 2
    for text in BLOCKS:
        exec(compile(text, str(README), "exec"), names)  # noqa: S102 - it is what readers are told to run

    assert isinstance(names["enhancer"], Enhancer)
    assert names["pixels"].shape == (3, 40, 56)
    *points, decibels, distance = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in points][-1] == "100"
    assert all(line.endswith("torch.Size([3, 40, 56])") for line in points)
    assert decibels.startswith("tensor([")
    assert distance.startswith("FD-alexnet/256 ")
    assert "patches" in distance
    with Image.open("photo.jpg") as unchanged:
        assert unchanged.size == (56, 40)
