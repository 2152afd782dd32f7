"""What tests of the harness put in the place of the enhancer and of peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from dirac_enhance import BaseReconstruction, RestorerError
from dirac_enhance.bench.protocols import Base
from dirac_enhance.bench.restorers.exchange import decode_jpeg
from dirac_enhance.bench.restorers.restorer import Absence, Restoration


class BrighteningEnhancer:
    """Adds one level for each evaluation, and ten for each sample; late start 80, four evaluations from there."""

    metadata = SimpleNamespace(codec_id="jpeg", spacing="log-snr", evaluations=4, late_start=80)
    device = torch.device("cpu")
    precision = torch.float32

    def __init__(self, sha256: str = "a" * 64) -> None:
        self.weights_sha256 = sha256
        self.walks = 0

    def evaluations(self, *, steps: int, **_ignored: object) -> int:
        return max(1, -(-(steps - 80) * 4 // 20))

    def trajectory(self, base: BaseReconstruction, *, sample: int, **keywords: Any) -> Iterator[Any]:
        self.walks += 1
        for evaluation in range(1, self.evaluations(**keywords) + 1):
            yield SimpleNamespace(pixels=base.pixels + (evaluation + 10 * sample) / 255)

    def enhance(self, base: BaseReconstruction, **_ignored: object) -> Tensor:
        return base.pixels


class StubRestorer:
    """Gives back what it decodes, or raises."""

    def __init__(
        self,
        name: str = "stub",
        *,
        failure: Exception | None = None,
        absence: Absence | None = None,
        colour_only: str = "",
    ) -> None:
        self.id = self.method = name
        self.base: Base = "libjpeg"
        self.colour_only = colour_only
        self._failure = failure
        self._absence = absence
        self.calls = 0

    def available(self) -> Absence | None:
        return self._absence

    def restore(self, data: bytes) -> Restoration:
        self.calls += 1
        if self._failure is not None:
            raise self._failure
        return Restoration(decode_jpeg(data).pixels, seconds=0.5, peak_memory_mib=64.0 + self.calls)


class StubSimulatingRestorer:
    """Gives back originals."""

    id = method = "simulating"
    base: Base = "simulated-jpeg"

    def available(self) -> Absence | None:
        return None

    def restore_originals(self, originals: Sequence[Tensor], *, quality: int) -> list[Restoration]:
        if quality < 1:
            raise RestorerError("no such quality")
        return [Restoration(original * 0.99) for original in originals]


class MomentsExtractor:
    """Maps a patch to the mean of each channel's levels, 0 to 255, to the power of `order`."""

    name = "alexnet"

    def __init__(self, order: int) -> None:
        self.order = order

    def __call__(self, patches: Tensor, /) -> Tensor:
        return patches.float().pow(self.order).mean(dim=(2, 3))
