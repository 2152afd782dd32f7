"""DDRM's program: its exact command line, the folder it is given, and the results it numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from dirac_enhance import RestorerError
from dirac_enhance.bench.restorers.ddrm import DdrmRestorer
from dirac_enhance.bench.restorers.restorer import PeerSettings, Restorer, SimulatingRestorer

# Reads the pictures as its data set would, and leaves the inverse of each.
SCRIPT = """
import json, os, shutil, sys
from PIL import Image, ImageOps
folder = sys.argv[sys.argv.index("--exp") + 1]
names = [line.split()[0] for line in open(os.path.join(folder, "imagenet_val_1k.txt"))]
results = os.path.join(folder, "image_samples", sys.argv[sys.argv.index("-i") + 1])
os.makedirs(results)
for index, name in enumerate(names[:{limit}]):
    picture = Image.open(os.path.join(folder, "datasets/imagenet/imagenet", name + ".jpeg"))
    ImageOps.invert(picture).save(os.path.join(results, "%d_-1.png" % index))
json.dump(dict(argv=sys.argv, folder=os.getcwd(), listed=names,
               in_folder=sorted(os.listdir(os.path.join(folder, "datasets/ood/pictures"))),
               weights=os.path.isfile(os.path.join(folder, "logs/imagenet/256x256_diffusion_uncond.pt"))),
          open({record!r}, "w"))
"""


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    checkout = tmp_path / "ddrm-jpeg"
    for name in ("configs/imagenet_256.yml", "exp/logs/imagenet/256x256_diffusion_uncond.pt"):
        (checkout / name).parent.mkdir(parents=True)
        (checkout / name).touch()
    write_program(tmp_path)
    return tmp_path


def write_program(checkouts: Path, limit: int = 99) -> None:
    code = SCRIPT.format(limit=limit, record=str(checkouts / "record.json"))
    (checkouts / "ddrm-jpeg" / "main.py").write_text(code)


def settings(checkouts: Path) -> PeerSettings:
    return PeerSettings(checkouts=checkouts, time_limit=60)


def originals(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    small = torch.randint(0, 256, (count, 3, 8, 8), generator=generator).float() / 255
    return list(small.repeat_interleave(32, dim=2).repeat_interleave(32, dim=3))


def test_the_command_line_is_exactly_this() -> None:
    restorer = DdrmRestorer(PeerSettings(checkouts=Path("/peers"), python="python3"), averaged_samples=8)

    assert restorer.command_line(Path("/work"), quality=10) == [
        "python3", "main.py", "--ni", "--config", "imagenet_256.yml", "--doc", "imagenet", "--exp", "/work",
        "-i", "restored", "--timesteps", "20", "--init_timestep", "300", "--eta", "1.0", "--etaB", "0.4",
        "--deg", "jpeg10", "--num_avg_samples", "8", "--seed", "1234",
    ]  # fmt: skip


def test_it_is_of_another_base_and_takes_no_file() -> None:
    restorer: Any = DdrmRestorer(PeerSettings())

    assert restorer.base == "simulated-jpeg"
    assert isinstance(restorer, SimulatingRestorer)
    assert not isinstance(restorer, Restorer)
    assert not hasattr(restorer, "restore")


def test_pictures_go_in_and_come_out_in_order(checkouts: Path) -> None:
    given = originals(3)

    restored = DdrmRestorer(settings(checkouts)).restore_originals(given, quality=5)

    assert all(
        torch.equal(one.pixels, ((1 - other) * 255).round() / 255) for one, other in zip(restored, given, strict=True)
    )
    record = json.loads((checkouts / "record.json").read_text())
    assert record["folder"] == str(checkouts / "ddrm-jpeg"), "it opens configs/ from where it runs"
    assert record["argv"][0] == "main.py"
    assert record["listed"] == ["000000", "000001", "000002"]
    assert record["in_folder"] == [f"{name}.jpeg" for name in record["listed"]], "either configuration finds them"
    assert record["weights"]


def test_a_picture_left_out_is_told(checkouts: Path) -> None:
    write_program(checkouts, limit=1)

    with pytest.raises(RestorerError, match=r"ddrm-mean-8 ended without an error but left no '1_-1\.png'"):
        DdrmRestorer(settings(checkouts), averaged_samples=8).restore_originals(originals(2), quality=5)


def test_other_sizes_are_refused(checkouts: Path) -> None:
    with pytest.raises(RestorerError, match=r"ddrm takes pictures of 256×256 pixels, not \(3, 64, 256\)"):
        DdrmRestorer(settings(checkouts)).restore_originals([torch.zeros(3, 64, 256)], quality=5)


@pytest.mark.parametrize("file", ["main.py", "exp/logs/imagenet/256x256_diffusion_uncond.pt"])
def test_a_missing_part_is_named(checkouts: Path, file: str) -> None:
    restorer = DdrmRestorer(settings(checkouts))
    assert restorer.available() is None
    (checkouts / "ddrm-jpeg" / file).unlink()

    assert str(restorer.available()).startswith(f"there is no '{checkouts / 'ddrm-jpeg' / file}'; clone https://")
    with pytest.raises(RestorerError, match="ddrm cannot run: there is no '"):
        restorer.restore_originals(originals(1), quality=5)


def test_without_a_folder_of_checkouts_it_says_so() -> None:
    assert "set DIRAC_PEERS to one" in str(DdrmRestorer(PeerSettings(python=sys.executable)).available())
