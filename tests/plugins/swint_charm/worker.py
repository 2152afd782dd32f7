"""One of two processes that train together, and leave their weights beside the checkpoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from dirac_enhance.training.images import load_pool
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance_swint_charm.networks.config import CONFIGS
from dirac_enhance_swint_charm.training import loop
from dirac_enhance_swint_charm.training.crops import CropBatch, CropRecipe, CropSource


def main(photographs: Path, folder: Path) -> None:
    """Train for four iterations."""
    crops = CropSource(load_pool(photographs, smallest_side=64), CropRecipe(64, (0.001, 0.02)))
    settings = TrainingSettings(batch_size=2, iterations=4, lpips_weight=0, workers=0)
    seen: dict[str, object] = {}
    step = loop._Loop._step

    def remember(self: loop._Loop, batch: CropBatch) -> torch.Tensor:
        figures = step(self, batch)
        seen.setdefault("first_crop", batch.pixels[0])
        seen["weights"] = self.state.network.state_dict()
        seen["averaged"] = self.state.averaged.state_dict()
        return figures

    loop._Loop._step = remember  # type: ignore[method-assign]
    loop.CodecTraining(crops, CONFIGS["tiny"], settings, folder, precision=torch.float32).start()
    torch.save(seen, folder / f"rank{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
