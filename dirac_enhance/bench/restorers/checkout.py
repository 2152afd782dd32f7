"""CheckoutRestorer: a research script run from a checkout of its repository, on a folder it expects."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dirac_enhance import BaseReconstruction, RestorerError
from dirac_enhance.bench.protocols import Base
from dirac_enhance.bench.restorers.exchange import (
    decode_jpeg,
    luminance,
    read_restored,
    with_luminance,
    write_png,
)
from dirac_enhance.bench.restorers.process import run_program
from dirac_enhance.bench.restorers.restorer import CHECKOUTS_VARIABLE, Absence, PeerSettings, Restoration

_QUALITIES_OF_AR_CNN = (10, 20, 30, 40)


@dataclass(frozen=True, slots=True)
class CheckoutRestorer:
    """A script that reads the pictures of one folder and writes them to another.

    Args:
        id: as typed after `--peer`.
        method: as tables name it.
        repository: the checkout's name, a sub-folder of `PeerSettings.checkouts`.
        needs: files that must be in the checkout: its script first, then its weights.
        get: what to get where one is missing.
        settings: where checkouts are, the interpreter, and the time limit.
        runs_in: the folder it runs in: its checkout, or a working folder with a link to the checkout's `model_zoo`.
        arguments: of the script; `{work}` stands for the working folder and `{quality}` for the weights' quality.
        input_file: where in the working folder it looks for the picture; a PNG if named so, else the JPEG itself.
        output_file: where in the working folder it leaves the restored one.
        planes: what it restores; chroma is kept as decoded where that is the luminance only.
        colour_only: as for `Restorer`.
        qualities: of the JPEGs that it has weights for, where it has several; the nearest is taken.
    """

    id: str
    method: str
    repository: str
    needs: tuple[str, ...]
    get: str
    settings: PeerSettings
    runs_in: Literal["checkout", "work"]
    input_file: str
    output_file: str
    arguments: tuple[str, ...] = ()
    planes: Literal["rgb", "luminance"] = "rgb"
    colour_only: str = ""
    qualities: tuple[int, ...] = ()

    @property
    def base(self) -> Base:
        """Real JPEG files."""
        return "libjpeg"

    def available(self) -> Absence | None:
        """Look for the interpreter, and in the checkout for the script and its weights."""
        checkout = self.settings.checkout(self.repository)
        if checkout is None:
            return Absence("no folder of checkouts is set", f"set {CHECKOUTS_VARIABLE} to one, and {self.get}")
        missing = next((checkout / name for name in self.needs if not (checkout / name).is_file()), None)
        if missing is not None:
            return Absence(f"there is no '{missing}'", self.get)
        if shutil.which(self.settings.python) is None:
            return Absence(f"there is no interpreter '{self.settings.python}'", "give one that has what it imports")
        return None

    def command_line(self, work: Path, *, rate_factor: float | None = None) -> list[str]:
        """The interpreter, the script and its arguments for this working folder and quality of the JPEG."""
        checkout = self.settings.checkout(self.repository)
        script = str(checkout / self.needs[0]) if checkout is not None else self.needs[0]
        places: Mapping[str, str] = {"{work}": str(work), "{quality}": str(self._nearest_quality(rate_factor))}
        filled = []
        for argument in self.arguments:
            for place, value in places.items():
                argument = argument.replace(place, value)  # noqa: PLW2901 - one replacement after the other
            filled.append(argument)
        return [self.settings.python, script, *filled]

    def restore(self, data: bytes) -> Restoration:
        """Run the script on one JPEG file; as `Restorer.restore`.

        Raises:
            RestorerError: if it is absent, fails, takes too long, or leaves no picture of the right size.
            InvalidBitstreamError: if `data` is no JPEG file.
        """
        absence = self.available()
        checkout = self.settings.checkout(self.repository)
        if absence is not None or checkout is None:
            raise RestorerError(f"{self.id} cannot run: {absence}")
        decoded = decode_jpeg(data)
        with tempfile.TemporaryDirectory(prefix="dirac-peer-") as name:
            work = Path(name)
            self._lay_out(work, checkout, data, decoded)
            cost = run_program(
                self.command_line(work, rate_factor=decoded.rate_factor),
                restorer_id=self.id,
                folder=checkout if self.runs_in == "checkout" else work,
                time_limit=self.settings.time_limit,
            )
            restored = read_restored(
                work / self.output_file, restorer_id=self.id, height=decoded.height, width=decoded.width
            )
        pixels = restored if self.planes == "rgb" else with_luminance(decoded.pixels, restored[:1])
        return Restoration(pixels, cost.seconds, cost.peak_memory_mib)

    def _lay_out(self, work: Path, checkout: Path, data: bytes, decoded: BaseReconstruction) -> None:
        """Make the folders that the script expects."""
        picture = work / self.input_file
        if picture.suffix == ".png":
            write_png(picture, luminance(decoded.pixels) if self.planes == "luminance" else decoded.pixels)
        else:
            picture.parent.mkdir(parents=True)
            picture.write_bytes(data)
        if self.runs_in == "work":
            (work / "model_zoo").symlink_to(checkout / "model_zoo", target_is_directory=True)

    def _nearest_quality(self, rate_factor: float | None) -> int | str:
        if not self.qualities:
            return ""
        wanted = self.qualities[-1] if rate_factor is None else rate_factor
        return min(self.qualities, key=lambda quality: abs(quality - wanted))


def fbcnn(settings: PeerSettings) -> CheckoutRestorer:
    """The blind colour network of Jiang et al. (arXiv 2109.14573), by its script for real pictures.

    jiaxi-jiang/FBCNN:main_test_fbcnn_color_real.py@53dcc36: reads `testsets/Real`, writes
    `test_results/Real_fbcnn_color`. Beside the blind picture, which is taken, it makes six at set qualities, so the
    seconds of a run are about seven times the method's own.
    """
    return CheckoutRestorer(
        id="fbcnn",
        method="FBCNN",
        repository="FBCNN",
        needs=("main_test_fbcnn_color_real.py", "model_zoo/fbcnn_color.pth"),
        get=(
            "clone https://github.com/jiaxi-jiang/FBCNN there, with fbcnn_color.pth of its release v1.0 in"
            " model_zoo/, or use --peer spandrel:fbcnn_color.pth"
        ),
        settings=settings,
        runs_in="work",
        input_file="testsets/Real/picture.jpg",
        output_file="test_results/Real_fbcnn_color/picture.png",
        colour_only="its script runs the colour network; use --peer spandrel:fbcnn_gray.pth",
    )


def dncnn3(settings: PeerSettings) -> CheckoutRestorer:
    """DnCNN-3 of Zhang et al. (arXiv 1608.03981) on the luminance, by KAIR's script as it is.

    cszn/KAIR:main_test_dncnn3_deblocking.py@4c5671e: reads grayscale from `testsets/bsd68`, writes
    `results/bsd68_dncnn3`, both in 8 bits.
    """
    return CheckoutRestorer(
        id="dncnn3",
        method="DnCNN-3",
        repository="KAIR",
        needs=("main_test_dncnn3_deblocking.py", "model_zoo/dncnn3.pth"),
        get=(
            "clone https://github.com/cszn/KAIR there and fetch the weights:"
            " `python main_download_pretrained_models.py --models dncnn3.pth --model_dir model_zoo`"
        ),
        settings=settings,
        runs_in="work",
        input_file="testsets/bsd68/picture.png",
        output_file="results/bsd68_dncnn3/picture.png",
        planes="luminance",
    )


def ar_cnn(settings: PeerSettings) -> CheckoutRestorer:
    """AR-CNN of Dong et al. (arXiv 1504.06993): the authors' weights, one network for each of four qualities.

    hkchengrex/PyTorch-ARCNN:run.py@5fad395 loads the authors' MATLAB weights and keeps the chroma itself.
    """
    return CheckoutRestorer(
        id="ar-cnn",
        method="AR-CNN",
        repository="PyTorch-ARCNN",
        needs=("run.py", *(f"weights/q{quality}.mat" for quality in _QUALITIES_OF_AR_CNN)),
        get="clone https://github.com/hkchengrex/PyTorch-ARCNN there, weights included",
        settings=settings,
        runs_in="checkout",
        arguments=("--dir", "{work}/in", "--output", "{work}/out", "--batch_size", "1", "--quality", "{quality}"),
        input_file="in/picture.jpg",
        output_file="out/picture.png",
        colour_only="its script squeezes any picture into the luma of BT.601, which a gray one is already",
        qualities=_QUALITIES_OF_AR_CNN,
    )
