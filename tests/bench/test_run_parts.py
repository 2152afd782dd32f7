"""The parts of a run: sets of originals, the meter, work in order, time left, memory."""

from __future__ import annotations

import hashlib
import mmap
import sys
import threading
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from dirac_enhance import BenchmarkError
from dirac_enhance.bench import originals as originals_module
from dirac_enhance.bench.concurrency import in_order
from dirac_enhance.bench.measures import find_measures
from dirac_enhance.bench.memory import PeakMemory
from dirac_enhance.bench.meter import Meter, load_meter
from dirac_enhance.bench.originals import about_patches, read_set
from dirac_enhance.bench.preparation import Preparation
from dirac_enhance.bench.presets import Preset, find_preset
from dirac_enhance.bench.remaining_time import RemainingTime, format_seconds
from dirac_enhance.metrics import Backbone, load_lpips, psnr, ssim
from random_backbones import save_random_backbone


def save(path: Path, *, colour: str = "teal", size: tuple[int, int] = (16, 8)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def preset(pixels_sha256: str | None, *, pictures: int = 1) -> Preset:
    return Preset("tiny", pictures, Preparation.AS_IT_IS, "nowhere", "nobody", pixels_sha256)


def test_a_set_whose_pixels_are_a_preset_s_is_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "some" / "a.png")
    pixel_hash = read_set(tmp_path / "some").pixel_hash
    monkeypatch.setattr(originals_module, "PRESETS", {"tiny": preset(pixel_hash)})

    assert read_set(tmp_path / "some").name == "tiny"


@pytest.mark.parametrize(("pictures", "name"), [(1, "tiny"), (2, "tiny (not the preset)")])
def test_a_folder_named_like_a_preset_needs_its_number_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: int, name: str
) -> None:
    save(tmp_path / "tiny" / "a.png")
    monkeypatch.setattr(originals_module, "PRESETS", {"tiny": preset(None, pictures=pictures)})

    assert read_set(tmp_path / "tiny").name == name


def test_other_pixels_than_the_preset_s_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png")

    with pytest.raises(BenchmarkError, match="not the pixels of tiny"):
        read_set(tmp_path, preset=preset("0" * 64))


def test_the_first_pictures_are_no_preset(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / "set" / name)
    some = read_set(tmp_path / "set", limit=1)

    assert (some.name, [each.name for each in some.originals]) == ("set, first 1", ["a.png"])


def test_originals_are_read_as_they_are(tmp_path: Path) -> None:
    save(tmp_path / "sub" / "a.png", colour="#ff0033")
    (pixels,) = read_set(tmp_path)

    assert pixels[:, 0, 0].tolist() == pytest.approx([1, 0, 0.2])
    assert find_preset("kodak").pictures == 24


def test_the_meter_measures_as_the_metrics_do() -> None:
    generator = torch.Generator().manual_seed(0)
    original, one, other = torch.rand(3, 3, 16, 16, generator=generator)
    meter, _ = load_meter(find_measures(["ssim", "psnr"]), sides=[("a", 16, 16)])
    first, second, same = meter.compare(original, [one, other, original])

    assert first["psnr"] == pytest.approx(float(psnr(one[None], original[None])))
    assert second["ssim"] == pytest.approx(float(ssim(other[None], original[None])))
    assert same["psnr"] is None
    assert same["ssim"] == pytest.approx(1)


class MeanColour:
    """Maps a patch to its mean colour."""

    name = "alexnet"

    def __call__(self, patches: Tensor, /) -> Tensor:
        return patches.float().mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("measure", "backbone"), [("lpips", "alexnet"), ("lpips-vgg", "vgg16"), ("lpips-squeeze", "squeezenet")]
)
def test_each_lpips_is_measured_with_its_own_network(tmp_path: Path, measure: str, backbone: Backbone) -> None:
    wanted: set[Backbone] = {"alexnet", backbone}
    files = [save_random_backbone(tmp_path, each) for each in wanted]
    original, picture = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    meter, missing = load_meter(
        find_measures([measure, "fd-alexnet256"]), sides=[("a", 256, 512)] * 2, lpips_backbones=files
    )
    assert not missing
    (values,) = meter.compare(original, [picture])

    (file,) = [file for file in files if file.name.startswith(backbone)]
    direct = load_lpips(backbone, backbone_file=file)(2 * picture[None] - 1, 2 * original[None] - 1)
    assert values == {measure: pytest.approx(float(direct), rel=1e-4)}
    assert meter.networks[measure] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert set(meter.networks) == {measure, "fd-alexnet256"}


def test_backbones_that_do_not_fit_the_measures_are_told(tmp_path: Path) -> None:
    alexnet, other = (save_random_backbone(tmp_path, "alexnet", seed) for seed in (0, 1))
    squeezenet = save_random_backbone(tmp_path, "squeezenet")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"features.0.weight": torch.zeros(1)}, foreign)
    sides = [("a", 64, 64)]

    def reasons(*files: Path, measures: str = "psnr,lpips") -> list[str]:
        meter, missing = load_meter(find_measures(measures.split(",")), sides=sides, lpips_backbones=files)
        assert meter.ids[0] == "psnr"
        return [each.reason.replace(f"{tmp_path}/", "") for each in missing]

    given = "given with --lpips-backbone holds"
    none = "none of torchvision's alexnet, vgg16 and squeezenet1_1"
    assert reasons(squeezenet) == [f"'squeezenet-0.safetensors' {given} squeezenet; the metrics asked for take alexnet"]
    told = f"'foreign.safetensors' {given} {none}; the metrics asked for take alexnet and squeezenet"
    assert reasons(foreign, measures="psnr,lpips,lpips-squeeze") == [told] * 2
    assert reasons(alexnet, other) == [
        "'alexnet-0.safetensors' and 'alexnet-1.safetensors' both hold alexnet; give one --lpips-backbone"
    ]
    assert reasons(alexnet, squeezenet, measures="psnr,lpips,lpips-squeeze") == []
    assert reasons(squeezenet, measures="psnr") == []


def test_distances_between_sets_leave_small_pictures_out() -> None:
    meter = Meter(find_measures(["fd-alexnet256"]), extractors={"fd-alexnet256": MeanColour()})
    sides = [meter.statistics(), meter.statistics()]
    for shift, side in zip((0.0, 0.2), sides, strict=True):
        for level in (0.2, 0.4):
            side.add(torch.full((3, 256, 256), level + shift))
        side.add(torch.zeros(3, 16, 300))

    assert [part.patches for part in sides[0].parts.values()] == [2]
    assert sides[1].distances(sides[0]) == {"fd-alexnet256": pytest.approx(3 * 51**2, rel=1e-3)}


def test_too_small_pictures_are_named() -> None:
    sides = [("a", 300, 300), ("b", 100, 300), ("c", 9, 100)]
    meter, missing = load_meter(find_measures(["psnr", "ms-ssim", "fid256"]), sides=sides)

    assert meter.ids == ("psnr",)
    assert [each.reason for each in missing] == [
        "it takes pictures of at least 161 pixels a side; 'b' has 300×100, and 1 more are too small",
        "it takes at least 2 patches of 256×256 pixels; there is 1",
    ]


def test_originals_without_a_patch_are_told_of(tmp_path: Path) -> None:
    save(tmp_path / "a.png", size=(256, 260))
    save(tmp_path / "b.png")

    assert str(about_patches(read_set(tmp_path))).startswith("1 of 2 originals are below 256 pixels, the first 'b.png'")


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_items(jobs: int) -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if jobs > 1 and item == 1:
            later.wait(5)
        if item == 2:
            later.set()
        return item * item

    assert list(in_order(work, range(6), jobs=jobs)) == [0, 1, 4, 9, 16, 25]


def test_what_fails_at_once_is_not_tried_again() -> None:
    tried: list[int] = []

    def fail(item: int) -> int:
        tried.append(item)
        raise ValueError("never")

    with pytest.raises(ValueError, match="never"):
        list(in_order(fail, range(6), jobs=3))
    assert tried == [0]


def test_time_left_follows_the_kind_of_work() -> None:
    remaining = RemainingTime([("base", 2), ("peer", 2), ("steps", 1)])
    assert remaining.seconds() is None

    remaining.picture("base", 1.0)
    remaining.picture("peer", 9.0)
    assert remaining.seconds() == 1.0 + 9.0 + 5.0

    remaining.give_up("peer", 1)
    assert remaining.seconds() == 1.0 + 5.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.4, "3 s"), (89.0, "89 s"), (150.0, "2 min"), (3600.0, "60 min"), (7500.0, "2 h 05 min")]
)
def test_time_is_said_as_people_say_it(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def take(mib: int) -> mmap.mmap:
    """Memory that nobody had before, every page of it in use."""
    memory = mmap.mmap(-1, mib * 2**20)
    for place in range(0, len(memory), mmap.PAGESIZE):
        memory[place] = 1
    return memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process forget its earlier peak")
def test_peak_memory_of_this_process_is_that_since_then() -> None:
    earlier = PeakMemory("cpu")
    take(128).close()
    before = earlier.mib()
    memory = PeakMemory("cpu")
    without = memory.mib()
    take(64).close()
    peak = memory.mib()

    assert before is not None
    assert without is not None
    assert peak is not None
    assert before == pytest.approx(without + 128, abs=16)
    assert peak == pytest.approx(without + 64, abs=16)
