"""Sets of pictures: how many, how prepared, and by which pixels they are recognised."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from dirac_enhance import BenchmarkError, InvalidImageError
from dirac_enhance.bench.pixel_hash import pixels_sha256
from dirac_enhance.bench.preparation import Preparation, read_original
from dirac_enhance.bench.presets import PRESETS, Preset, find_preset

ROOT = Path(__file__).parents[2]
KODAK = ROOT / "data" / "eval" / "kodak"


def make_pictures(folder: Path, count: int, size: tuple[int, int] = (20, 12)) -> list[NDArray[numpy.uint8]]:
    folder.mkdir(exist_ok=True)
    samples = numpy.random.default_rng(4).integers(0, 256, (count, size[1], size[0], 3), dtype=numpy.uint8)
    for index, picture in enumerate(samples):
        Image.fromarray(picture).save(folder / f"{index + 1:02d}.png")
    return list(samples)


def small(count: int, pixels: str | None = None) -> Preset:
    return replace(PRESETS["kodak"], id="small", pictures=count, pixels_sha256=pixels, get="get it from here")


@pytest.mark.parametrize(
    ("preset_id", "pictures", "preparation"),
    [
        ("kodak", 24, Preparation.AS_IT_IS),
        ("live1", 29, Preparation.AS_IT_IS),
        ("classic5", 5, Preparation.AS_IT_IS),
        ("bsds500-test", 200, Preparation.AS_IT_IS),
        ("clic2020-test", 428, Preparation.AS_IT_IS),
        ("clic2022-val", 30, Preparation.AS_IT_IS),
        ("imagenet-val1k", 1000, Preparation.SQUARE_THEN_256),
        ("imagenet-ctest10k", 10_000, Preparation.RESIZE_256_THEN_SQUARE),
    ],
)
def test_the_papers_sets_are_known(preset_id: str, pictures: int, preparation: Preparation) -> None:
    preset = find_preset(preset_id)

    assert (preset.id, preset.pictures, preset.preparation) == (preset_id, pictures, preparation)
    assert "http" in preset.get
    assert preset.used_by


def test_an_unknown_set_lists_the_known_ones() -> None:
    assert len(PRESETS) == 8
    with pytest.raises(BenchmarkError, match="unknown preset 'codak'; expected one of kodak, live1, "):
        find_preset("codak")


def test_the_pixel_hash_is_what_its_definition_says(tmp_path: Path) -> None:
    samples = make_pictures(tmp_path / "set", 3)
    digest = hashlib.sha256()
    for picture in samples:
        height, width, _ = picture.shape
        digest.update(f"(3, {height}, {width})".encode("ascii"))
        digest.update(b"".join(picture[:, :, channel].tobytes() for channel in range(3)))

    assert small(3).verify(tmp_path / "set") == digest.hexdigest()


def test_the_pixel_hash_knows_pixels_sizes_and_order_only() -> None:
    one, other = torch.zeros(3, 4, 6), torch.ones(3, 4, 6)
    reference = pixels_sha256([one, other])

    assert pixels_sha256([one.clone(), other + 0.2 / 255]) == reference
    assert pixels_sha256([other, one]) != reference
    assert pixels_sha256([one.reshape(3, 6, 4), other]) != reference
    assert pixels_sha256([one, other - 1 / 255]) != reference


def test_kodak_is_recognised_by_the_hash_that_the_benchmarks_recorded() -> None:
    record = json.loads((ROOT / "benchmarks" / "results" / "restoration-kodak.json").read_text())

    assert find_preset("kodak").pixels_sha256 == record["pixels_sha256"]


@pytest.mark.skipif(not KODAK.is_dir(), reason="the Kodak pictures are not in data/eval/kodak")
def test_kodak_is_found() -> None:
    files = find_preset("kodak").find(KODAK)

    assert [file.name for file in files] == [f"{number:02d}.png" for number in range(1, 25)]
    with pytest.raises(BenchmarkError, match=r"these are not the pixels of kodak: sha256 0+, expected f4da0d6b"):
        find_preset("kodak").check_pixels("0" * 64)
    find_preset("live1").check_pixels("0" * 64)


def test_a_wrong_number_of_pictures_is_told_before_any_is_read(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set", 2)

    with pytest.raises(BenchmarkError, match=r"holds 2 pictures, but small has 3; get it from here"):
        small(3).read(tmp_path / "set")
    with pytest.raises(BenchmarkError, match=r"but imagenet-val1k has 1000; pass the list of its files, XingangPan/"):
        find_preset("imagenet-val1k").find(tmp_path / "set")
    with pytest.raises(InvalidImageError, match="there is no folder"):
        small(3).find(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidImageError, match="no pictures in"):
        small(3).find(tmp_path / "empty")


def test_other_pixels_are_told(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set", 2)
    known = small(2, small(2).verify(tmp_path / "set"))
    known.verify(tmp_path / "set")
    Image.new("RGB", (20, 12)).save(tmp_path / "set" / "01.png")

    with pytest.raises(BenchmarkError, match=r"these are not the pixels of small: sha256 \w{64}, expected \w{64}; get"):
        known.verify(tmp_path / "set")


def test_a_list_picks_a_part_of_a_folder(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set", 4)
    file_list = tmp_path / "list.txt"
    file_list.write_text("val/03.png 17\n01.png\n\n")

    assert [file.name for file in small(2).find(tmp_path / "set", file_list=file_list)] == ["01.png", "03.png"]
    file_list.write_text("01.png\n99.png\n98.png\n")
    with pytest.raises(BenchmarkError, match=r"2 pictures listed in '.*list\.txt' are not there, the first '98\.png'"):
        small(2).find(tmp_path / "set", file_list=file_list)


def saved_ramp(folder: Path, width: int, height: int) -> Path:
    rows, columns = numpy.mgrid[0:height, 0:width]
    samples = numpy.stack([columns % 256, rows % 256, (rows + columns) % 256], axis=-1).astype(numpy.uint8)
    path = folder / "ramp.png"
    Image.fromarray(samples).save(path)
    return path


@pytest.mark.parametrize("size", [(401, 300), (300, 401), (256, 256), (270, 258), (100, 130)])
def test_ddrm_s_preparation_is_that_of_torchvision(tmp_path: Path, size: tuple[int, int]) -> None:
    transforms = pytest.importorskip("torchvision.transforms.functional", reason="torchvision is not installed")
    path = saved_ramp(tmp_path, *size)
    with Image.open(path) as picture:
        square = transforms.center_crop(picture.convert("RGB"), min(size))
        expected = torch.from_numpy(numpy.array(transforms.resize(square, 256))).permute(2, 0, 1)

    prepared = read_original(path, Preparation.SQUARE_THEN_256)

    assert prepared.shape == (3, 256, 256)
    assert torch.equal((prepared * 255).round().byte(), expected)


@pytest.mark.parametrize("size", [(512, 300), (300, 512), (256, 256), (257, 256), (100, 130)])
def test_palette_s_preparation_resizes_first(tmp_path: Path, size: tuple[int, int]) -> None:
    path = saved_ramp(tmp_path, *size)

    prepared = read_original(path, Preparation.RESIZE_256_THEN_SQUARE)

    assert prepared.shape == (3, 256, 256)
    if min(size) == 256:
        left, top = (round((side - 256) / 2) for side in size)
        with Image.open(path) as picture:
            samples = numpy.array(picture)[top : top + 256, left : left + 256]
        assert torch.equal((prepared * 255).round().byte(), torch.from_numpy(samples).permute(2, 0, 1))


def test_most_sets_are_taken_as_they_are(tmp_path: Path) -> None:
    path = saved_ramp(tmp_path, 30, 20)
    with Image.open(path) as picture:
        samples = torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)

    assert torch.equal(read_original(path, Preparation.AS_IT_IS), samples.float() / 255)


def test_the_guide_has_each_set_as_it_is_here() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")

    for preset in PRESETS.values():
        assert f"| `{preset.id}` | {preset.pictures} | {preset.preparation.value}" in page
