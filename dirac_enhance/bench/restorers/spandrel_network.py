"""SpandrelRestorer: any network that spandrel can load, run in this process."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirac_enhance import RestorerError
from dirac_enhance.bench.memory import PeakMemory
from dirac_enhance.bench.protocols import Base
from dirac_enhance.bench.restorers.exchange import decode_jpeg, luminance, with_luminance
from dirac_enhance.bench.restorers.restorer import Absence, Restoration

if TYPE_CHECKING:
    from torch import Tensor

_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


@dataclass(slots=True)
class SpandrelRestorer:
    """A restoration network in a file: FBCNN, SwinIR, SCUNet, DnCNN, DRUNet and some forty more.

    The architecture is found from the file alone (chaiNNer-org/spandrel 0.4). A network of one channel restores the
    luminance, and chroma is kept as decoded. It runs in this process on whole pictures: no time limit can end it.

    Args:
        file: of weights.
        device: torch device to run on.
    """

    file: Path
    device: str = "cpu"
    _network: Any = field(default=None, init=False, repr=False)

    @property
    def id(self) -> str:
        """As typed after `--peer`."""
        return f"spandrel:{self.file}"

    @property
    def method(self) -> str:
        """The file's name."""
        return self.file.stem

    @property
    def base(self) -> Base:
        """Real JPEG files."""
        return "libjpeg"

    @property
    def colour_only(self) -> str:
        """It takes gray files, too: networks of one channel as they are, others with it repeated."""
        return ""

    def available(self) -> Absence | None:
        """Look for spandrel and for the file."""
        if importlib.util.find_spec("spandrel") is None:
            return Absence("spandrel is not installed", "`pip install dirac-enhance[peers]`")
        if not self.file.is_file():
            return Absence(f"there is no file '{self.file}'", "give a file of weights: --peer spandrel:FILE")
        return None

    def restore(self, data: bytes) -> Restoration:
        """Run the network on one JPEG file; as `Restorer.restore`.

        Raises:
            RestorerError: if spandrel or the file is absent, the file holds no network that restores pictures at their
                size, or the network fails.
            InvalidBitstreamError: if `data` is no JPEG file.
        """
        network = self._load()
        pixels = decode_jpeg(data).pixels
        given = pixels if network.input_channels == 3 else luminance(pixels)
        memory, start = PeakMemory(self.device), time.perf_counter()
        try:
            restored: Tensor = network(given[None].to(self.device)).float().cpu()[0]
        except RuntimeError as cause:  # out of memory, say
            raise RestorerError(f"{self.id} failed on {pixels.shape[2]}×{pixels.shape[1]} pixels: {cause}") from cause
        seconds, peak = time.perf_counter() - start, memory.mib()
        if restored.shape != given.shape or not bool(restored.isfinite().all()):
            raise RestorerError(f"{self.id} gave no finite picture of shape {tuple(given.shape)}")
        restored = restored if network.input_channels == 3 else with_luminance(pixels, restored)
        return Restoration(restored, seconds, peak)

    def _load(self) -> Any:
        """Load the network once, with spandrel's unpickler, which runs no code from the file."""
        if self._network is not None:
            return self._network
        absence = self.available()
        if absence is not None:
            raise RestorerError(f"{self.id} cannot run: {absence}")
        if self.file.suffix.lower() not in _SUFFIXES:
            raise RestorerError(f"'{self.file}' given; spandrel reads {', '.join(_SUFFIXES)}")
        import spandrel

        try:
            network = spandrel.ModelLoader(self.device).load_from_file(self.file)
        except Exception as cause:
            raise RestorerError(f"spandrel cannot load '{self.file}': {type(cause).__name__}: {cause}") from cause
        if not isinstance(network, spandrel.ImageModelDescriptor) or network.scale != 1:
            raise RestorerError(f"'{self.file}' holds {_described(network)}; expected a network that keeps the size")
        if network.input_channels != network.output_channels or network.input_channels not in (1, 3):
            raise RestorerError(
                f"'{self.file}' takes {network.input_channels} channels and gives {network.output_channels};"
                " expected 3, or 1 for luminance"
            )
        self._network = network.eval()
        return self._network


def _described(network: Any) -> str:
    return f"{network.architecture.name}, {network.purpose}, ×{network.scale}"
