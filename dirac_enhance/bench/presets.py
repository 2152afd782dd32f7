"""Presets: the sets of pictures that papers measure, how many there are, how they are prepared, where to get them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.pixel_hash import pixels_sha256
from dirac_enhance.bench.preparation import Preparation, find_pictures, read_original

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Preset:
    """A set of originals as papers measure it.

    Args:
        id: as typed after `--preset`, and as published figures name their set.
        pictures: how many it has.
        preparation: from file to original.
        get: where to get it.
        used_by: papers that measure it so.
        pixels_sha256: of the prepared originals in the order of their file names (see `pixel_hash`); None where we had
            no copy.
        file_list: where the names of its files are listed, for a part of a larger set.
    """

    id: str
    pictures: int
    preparation: Preparation
    get: str
    used_by: str
    pixels_sha256: str | None = None
    file_list: str | None = None

    def find(self, folder: Path, *, file_list: Path | None = None) -> list[Path]:
        """Return the set's files, in the order of their paths: that of results and hashes.

        Args:
            folder: with the set's pictures, and others too where they are listed.
            file_list: text file with a picture's name at the start of each line, as those named in `file_list` have.

        Raises:
            BenchmarkError: if there are more or fewer than the set has, or a listed one is missing.
            InvalidImageError: if the folder is missing or has no pictures.
        """
        files = find_pictures(folder)
        if file_list is not None:
            files = _listed(files, file_list)
        if len(files) != self.pictures:
            hint = f"pass the list of its files, {self.file_list}" if self.file_list else self.get
            raise BenchmarkError(f"'{folder}' holds {len(files)} pictures, but {self.id} has {self.pictures}; {hint}")
        return files

    def read(self, folder: Path, *, file_list: Path | None = None) -> Iterator[tuple[Path, Tensor]]:
        """Yield each file with its prepared original, (3, H, W) float32 in [0, 1], one in memory at a time.

        Raises:
            BenchmarkError: before the first picture, as `find`.
            InvalidImageError: at a file that cannot be read.
        """
        files = self.find(folder, file_list=file_list)
        return ((file, read_original(file, self.preparation)) for file in files)

    def check_pixels(self, found: str) -> None:
        """Compare the hash of the originals that were measured with the set's own, where it is known.

        Raises:
            BenchmarkError: if they differ.
        """
        if self.pixels_sha256 is not None and found != self.pixels_sha256:
            raise BenchmarkError(
                f"these are not the pixels of {self.id}: sha256 {found}, expected {self.pixels_sha256}; {self.get}"
            )

    def verify(self, folder: Path, *, file_list: Path | None = None) -> str:
        """Read the whole set and check it.

        Returns:
            Its pixel hash.

        Raises:
            BenchmarkError: if the number of pictures or their pixels differ.
            InvalidImageError: if a file cannot be read.
        """
        found = pixels_sha256(pixels for _file, pixels in self.read(folder, file_list=file_list))
        self.check_pixels(found)
        return found


def _listed(files: list[Path], file_list: Path) -> list[Path]:
    """Those files that a list names, in the order of their paths."""
    lines = file_list.read_text(encoding="utf-8").splitlines()
    names = {Path(line.split()[0]).name for line in lines if line.strip()}
    found = [file for file in files if file.name in names]
    missing = sorted(names - {file.name for file in found})
    if missing:
        raise BenchmarkError(f"{len(missing)} pictures listed in '{file_list}' are not there, the first '{missing[0]}'")
    return found


_IMAGENET = "ILSVRC 2012 validation images from https://image-net.org (registration)"

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.id: preset
        for preset in (
            Preset(
                id="kodak",
                pictures=24,
                preparation=Preparation.AS_IT_IS,
                get="kodim01.png … kodim24.png from https://r0k.us/graphics/kodak/",
                used_by="all learned codecs",
                pixels_sha256="f4da0d6b7b1b79c97071019691f964514d0b39655177c25335617e10f0fdd311",
            ),
            Preset(
                id="live1",
                pictures=29,
                preparation=Preparation.AS_IT_IS,
                get=(
                    "the 29 originals of LIVE release 2 (https://live.ece.utexas.edu/research/quality), refimgs only;"
                    " testsets/LIVE1_color of https://github.com/jiaxi-jiang/FBCNN"
                ),
                used_by="QGAC, FBCNN, SwinIR, CODiff, SODiff",
            ),
            Preset(
                id="classic5",
                pictures=5,
                preparation=Preparation.AS_IT_IS,
                get=(
                    "the gray pictures baboon, barbara, boats, lena and peppers;"
                    " testsets/Classic5 of https://github.com/jiaxi-jiang/FBCNN"
                ),
                used_by="AR-CNN, DnCNN-3, FBCNN, SwinIR, in gray",
            ),
            Preset(
                id="bsds500-test",
                pictures=200,
                preparation=Preparation.AS_IT_IS,
                get=(
                    "BSDS500/data/images/test of"
                    " https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"
                ),
                used_by="QGAC, FBCNN",
            ),
            Preset(
                id="clic2020-test",
                pictures=428,
                preparation=Preparation.AS_IT_IS,
                get="professional and mobile test sets of CLIC 2020, https://clic.compression.cc/2020/",
                used_by="HiFiC, MS-ILLM, DIRAC",
            ),
            Preset(
                id="clic2022-val",
                pictures=30,
                preparation=Preparation.AS_IT_IS,
                get="image validation set of CLIC 2022, https://clic.compression.cc/2022/tasks/",
                used_by="ArabicPerceptual, DIRAC",
            ),
            Preset(
                id="imagenet-val1k",
                pictures=1000,
                preparation=Preparation.SQUARE_THEN_256,
                get=_IMAGENET,
                used_by="DDRM-JPEG, DIRAC",
                file_list="XingangPan/deep-generative-prior:scripts/imagenet_val_1k.txt@64da284",
            ),
            Preset(
                id="imagenet-ctest10k",
                pictures=10_000,
                preparation=Preparation.RESIZE_256_THEN_SQUARE,
                get=_IMAGENET,
                used_by="Palette, ΠGDM, DIRAC",
                file_list="AruniRC/colorizer-fcn:lists/ctest10k.txt, the list of Larsson et al. (arXiv 1603.06668)",
            ),
        )
    }
)


def find_preset(preset_id: str) -> Preset:
    """Return the preset of that id.

    Raises:
        BenchmarkError: if there is none.
    """
    try:
        return PRESETS[preset_id]
    except KeyError:
        raise BenchmarkError(f"unknown preset '{preset_id}'; expected one of {', '.join(PRESETS)}") from None
