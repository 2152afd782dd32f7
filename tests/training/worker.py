"""A process of its own that trains: what the tests kill, and what they start twice."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from conftest import SteppedCodec  # type: ignore[import-not-found] # beside this script, not in a package

from dirac_enhance.networks.catalogue import NETWORKS
from dirac_enhance.training import loop
from dirac_enhance.training.batches import PairBatch
from dirac_enhance.training.images import load_pool
from dirac_enhance.training.loop import TrainingRun
from dirac_enhance.training.pairs import PairMaker, PairRecipe
from dirac_enhance.training.settings import TrainingSettings
from dirac_enhance.training.weighting import RatePower


def main(photographs: Path, folder: Path, iterations: int) -> None:
    """Start or resume a tiny training, and leave this process's weights beside the checkpoint."""
    maker = PairMaker(load_pool(photographs, smallest_side=48), SteppedCodec(), PairRecipe(32, rate_bounds=(4, 32)))
    settings = TrainingSettings(
        batch_size=2, iterations=iterations, lpips_weight=0, interval=4, validation_interval=10**6, workers=0
    )
    seen: dict[str, object] = {}
    step = loop._Loop._step

    def remember(self: loop._Loop, batch: PairBatch) -> torch.Tensor:
        losses = step(self, batch)
        seen.setdefault("first_pair", batch.original[0])
        seen["weights"] = self.state.network.state_dict()
        seen["averaged"] = self.state.averaged.state_dict()
        return losses

    loop._Loop._step = remember  # type: ignore[method-assign]
    run = TrainingRun(
        maker, NETWORKS["tiny"], settings, folder, RatePower((4.0, 32.0), (0.02, 0.0005)), precision=torch.float32
    )
    run.resume() if (folder / "checkpoint.pt").exists() else run.start()
    if os.environ["WORLD_SIZE"] != "1":
        torch.save(seen, folder / f"rank{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
