"""DdrmRestorer: denoising diffusion restoration of simulated JPEG, by its own program on whole lists of pictures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance import RestorerError
from dirac_enhance.bench.protocols import Base
from dirac_enhance.bench.restorers.exchange import read_restored, write_png
from dirac_enhance.bench.restorers.process import run_program
from dirac_enhance.bench.restorers.restorer import CHECKOUTS_VARIABLE, Absence, PeerSettings, Restoration

if TYPE_CHECKING:
    from torch import Tensor

_REPOSITORY = "ddrm-jpeg"
_SIDE = 256
_WEIGHTS = "exp/logs/imagenet/256x256_diffusion_uncond.pt"
_NEEDS = ("main.py", "configs/imagenet_256.yml", _WEIGHTS)
_IMAGES, _LIST, _FOLDER = "datasets/imagenet/imagenet", "imagenet_val_1k.txt", "datasets/ood/pictures"
_GET = (
    "clone https://github.com/bahjat-kawar/ddrm-jpeg there, and put 256x256_diffusion_uncond.pt of"
    f" openai/guided-diffusion at {_WEIGHTS}"
)


@dataclass(frozen=True, slots=True)
class DdrmRestorer:
    """DDRM-JPEG (Kawar et al., arXiv 2209.11888): 20 steps from t = 300, η = 1, η_B = 0.4, 256×256 pixels only.

    bahjat-kawar/ddrm-jpeg:main.py, runners/diffusion.py@e3704ce. The program codes originals by its own simulated JPEG
    and takes no external file (its issue 4), so it is no `Restorer`. It reads a set of pictures, loads its network
    once, and numbers the results: PNG files, so that its pictures alone are rounded to 8 bits before they are measured.

    Args:
        settings: where checkouts are, the interpreter, and the time limit of one sample of one picture.
        averaged_samples: how many samples the result is the mean of: 1 for DDRM, 8 for DDRM (A).
        seed: of the program.
    """

    settings: PeerSettings
    averaged_samples: int = 1
    seed: int = 1234

    @property
    def id(self) -> str:
        """As typed after `--peer`."""
        return "ddrm" if self.averaged_samples == 1 else f"ddrm-mean-{self.averaged_samples}"

    @property
    def method(self) -> str:
        """As the paper names it."""
        return "DDRM" if self.averaged_samples == 1 else "DDRM (A)"

    @property
    def base(self) -> Base:
        """Its own imitation of JPEG."""
        return "simulated-jpeg"

    def available(self) -> Absence | None:
        """Look for the program, its configuration and its weights."""
        checkout = self.settings.checkout(_REPOSITORY)
        if checkout is None:
            return Absence("no folder of checkouts is set", f"set {CHECKOUTS_VARIABLE} to one, and {_GET}")
        missing = next((checkout / name for name in _NEEDS if not (checkout / name).is_file()), None)
        if missing is not None:
            return Absence(f"there is no '{missing}'", _GET)
        if shutil.which(self.settings.python) is None:
            return Absence(f"there is no interpreter '{self.settings.python}'", "give one that has what it imports")
        return None

    def command_line(self, experiment: Path, *, quality: int) -> list[str]:
        """The command of its README, the paper's settings spelt out, for an experiment folder made by us."""
        return [
            self.settings.python,
            "main.py",
            "--ni",
            *("--config", "imagenet_256.yml"),
            *("--doc", "imagenet"),
            *("--exp", str(experiment)),
            *("-i", "restored"),
            *("--timesteps", "20"),
            *("--init_timestep", "300"),
            *("--eta", "1.0"),
            *("--etaB", "0.4"),
            *("--deg", f"jpeg{quality}"),
            *("--num_avg_samples", str(self.averaged_samples)),
            *("--seed", str(self.seed)),
        ]

    def restore_originals(self, originals: Sequence[Tensor], *, quality: int) -> list[Restoration]:
        """Code and restore pictures in one run; as `SimulatingRestorer.restore_originals`.

        Raises:
            RestorerError: if it is absent, fails, takes too long, leaves a picture out, or an original is not of
                256×256 pixels.
        """
        absence = self.available()
        checkout = self.settings.checkout(_REPOSITORY)
        if absence is not None or checkout is None:
            raise RestorerError(f"{self.id} cannot run: {absence}")
        for original in originals:
            if tuple(original.shape) != (3, _SIDE, _SIDE):
                raise RestorerError(f"{self.id} takes pictures of {_SIDE}×{_SIDE} pixels, not {tuple(original.shape)}")
        with tempfile.TemporaryDirectory(prefix="dirac-peer-") as name:
            experiment = Path(name)
            _lay_out(experiment, checkout, originals)
            cost = run_program(
                self.command_line(experiment, quality=quality),
                restorer_id=self.id,
                folder=checkout,
                time_limit=self.settings.time_limit * self.averaged_samples * max(1, len(originals)),
            )
            results = experiment / "image_samples" / "restored"
            restored = [
                read_restored(results / f"{index}_-1.png", restorer_id=self.id, height=_SIDE, width=_SIDE)
                for index in range(len(originals))
            ]
        return [Restoration(pixels, peak_memory_mib=cost.peak_memory_mib) for pixels in restored]


def _lay_out(experiment: Path, checkout: Path, originals: Sequence[Tensor]) -> None:
    """Make the folder that `--exp` expects: pictures, the list that names them, and the weights.

    Its configuration chooses between that list (`subset_1k`), which has names without the suffix `.jpeg`, and a folder
    (`out_of_dist`); both are here, in the same order. A PNG under that suffix is recognised by its content.
    """
    images = experiment / _IMAGES
    images.mkdir(parents=True)
    names = [f"{index:06d}" for index in range(len(originals))]
    for name, original in zip(names, originals, strict=True):
        write_png(images / f"{name}.png", original)
        (images / f"{name}.png").rename(images / f"{name}.jpeg")
    (experiment / _LIST).write_text("".join(f"{name} 0\n" for name in names), encoding="ascii")
    (experiment / _FOLDER).parent.mkdir(parents=True)
    (experiment / _FOLDER).symlink_to(images, target_is_directory=True)
    (experiment / "logs").symlink_to(checkout / "exp" / "logs", target_is_directory=True)
