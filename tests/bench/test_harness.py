"""A benchmark from originals to results on disk, with an enhancer that brightens and peers that do nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from PIL import Image

from bench_runs import Bench, name_of_key
from bench_stubs import BrighteningEnhancer, MomentsExtractor, StubRestorer, StubSimulatingRestorer
from dirac_enhance import BenchmarkError, RateFactorError, RestorerError
from dirac_enhance.bench.cells import CellKey
from dirac_enhance.bench.feasible import check_peers
from dirac_enhance.bench.harness import BenchPlan
from dirac_enhance.bench.measures import find_measures
from dirac_enhance.bench.meter import Meter, load_meter
from dirac_enhance.bench.originals import OriginalSet, read_set
from dirac_enhance.bench.restorers.restorer import Absence, name_of
from dirac_enhance.bench.restorers.spandrel_network import SpandrelRestorer
from dirac_enhance.bench.results import LeftOut
from dirac_enhance.bench.results_table import tables_of
from dirac_enhance.bench.simulated_jpeg import decode, encode
from dirac_enhance.metrics import (
    PatchStatistics,
    frechet_distance_256,
    kernel_distance_256,
    load_lpips,
    psnr,
    round_to_8_bits,
)
from dirac_enhance_jpeg import JpegCodec
from plain_codec import PlainCodec
from random_backbones import save_random_backbone


def save_originals(folder: Path, *sizes: tuple[int, int]) -> Path:
    """Smooth originals of these widths and heights."""
    generator = torch.Generator().manual_seed(0)
    folder.mkdir()
    for name, (width, height) in zip("abc", sizes, strict=False):
        samples = torch.randint(64, 128, (height // 8, width // 8, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(samples.numpy()).resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two smooth originals of 48×32 and 32×48 pixels."""
    return save_originals(tmp_path / "originals", (48, 32), (32, 48))


@pytest.fixture
def bench(folder: Path, tmp_path: Path) -> Bench:
    return Bench(read_set(folder), tmp_path / "results")


def test_every_method_is_measured_at_every_rate(bench: Bench) -> None:
    failed = bench.run(
        rates=(20.0, 50.0), enhancer=BrighteningEnhancer(), steps=(100, 1, 85), samples=(1, 2), peers=(StubRestorer(),)
    )

    assert failed == 0
    names = ["jpeg", "steps 1", "steps 85", "steps 100"]
    names += [f"{name}, mean of 2" for name in names[1:]] + ["stub"]
    assert list(bench.cells) == [f"{name} at {rate}" for rate in (20, 50) for name in names]
    assert all(len(cell.metrics["psnr"].values) == len(cell.bpp.values) == 2 for cell in bench.cells.values())
    assert bench.cells["stub at 20"].metrics == bench.cells["jpeg at 20"].metrics


def test_a_mean_counts_each_picture_once(bench: Bench) -> None:
    bench.run()

    psnr = bench.cells["jpeg at 20"].metrics["psnr"]
    assert psnr.mean == pytest.approx(sum(cast(tuple[float, ...], psnr.values)) / 2, abs=1e-3)


def test_steps_and_samples_are_what_the_enhancer_made_on_the_way(bench: Bench) -> None:
    enhancer = BrighteningEnhancer()
    bench.run(enhancer=enhancer, steps=(1, 81, 90, 100), samples=(1, 3), metrics="psnr,ssim")

    # One level for each evaluation, and on average ten for three samples: the further from the base, the lower.
    psnr = {name: cast(float, cell.metrics["psnr"].mean) for name, cell in bench.cells.items()}
    assert psnr["steps 1 at 20"] == psnr["steps 81 at 20"] > psnr["steps 90 at 20"] > psnr["steps 100 at 20"]
    assert psnr["steps 100 at 20"] > psnr["steps 100, mean of 3 at 20"]
    evaluations = {name: cell.key.evaluations for name, cell in bench.cells.items()}
    assert (evaluations["steps 90 at 20"], evaluations["steps 100, mean of 3 at 20"]) == (2, 12)
    assert enhancer.walks == 2 * 3 * 2  # pictures, samples, and up to the late start and beyond


def test_finished_cells_are_not_measured_again(bench: Bench) -> None:
    enhancer, peer = BrighteningEnhancer(), StubRestorer()
    bench.run(enhancer=enhancer, steps=(100,), peers=(peer,))
    first = bench.read()
    bench.states.clear()

    bench.run(enhancer=enhancer, steps=(100,), peers=(peer,))

    assert (enhancer.walks, peer.calls, bench.states) == (2, 2, [])
    assert bench.read() == first


@pytest.mark.parametrize(
    ("changed", "walks"),
    [
        ({"enhancer": BrighteningEnhancer("b" * 64)}, 0),  # of the first network
        ({"metrics": "psnr,ssim"}, 2),
        ({"steps": (100, 90)}, 2),
        ({"rates": (20.0, 30.0)}, 2),
    ],
)
def test_what_has_changed_is_measured_and_nothing_is_lost(bench: Bench, changed: dict[str, Any], walks: int) -> None:
    enhancer = BrighteningEnhancer()
    settings: dict[str, Any] = {"enhancer": enhancer, "steps": (100,)}
    bench.run(**settings)
    before = bench.read().cells

    bench.run(**settings | changed)

    assert enhancer.walks == 2 + walks
    after = {cell.key: cell for cell in bench.read().cells}
    assert all(after[cell.key].metrics["psnr"] == cell.metrics["psnr"] for cell in before)
    assert len(after) > len(before) or "metrics" in changed


def test_a_killed_run_keeps_what_was_finished_and_goes_on(bench: Bench) -> None:
    with pytest.raises(KeyboardInterrupt):
        bench.run(rates=(20.0, 50.0), peers=(StubRestorer(failure=KeyboardInterrupt()),))  # type: ignore[arg-type]
    assert list(bench.cells) == ["jpeg at 20"]
    bench.states.clear()

    bench.run(rates=(20.0, 50.0), peers=(StubRestorer(),))

    assert list(bench.cells) == ["jpeg at 20", "stub at 20", "jpeg at 50", "stub at 50"]
    assert bench.states[-1].total == 3 * 2
    assert not list(bench.results.glob(".*"))


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (RestorerError("stub left no picture"), "stub left no picture"),
        (ZeroDivisionError("division by zero"), "stub failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_crashing_peer_is_told_of_and_the_rest_goes_on(bench: Bench, failure: Exception, reason: str) -> None:
    good = StubRestorer("good")
    failed = bench.run(rates=(20.0, 50.0), peers=(StubRestorer(failure=failure), good))

    assert failed == 2
    assert bench.told == [LeftOut("rate 20, stub", reason), LeftOut("rate 50, stub", reason)]
    assert list(bench.cells) == ["jpeg at 20", "good at 20", "jpeg at 50", "good at 50"]
    assert bench.read().left_out == tuple(bench.told)


def test_pictures_that_a_codec_fails_on_stop_that_part_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = JpegCodec.encode

    def fail_at_20(self: JpegCodec, pixels: torch.Tensor, *, rate_factor: float) -> bytes:
        if rate_factor == 20:
            raise TypeError("a plugin's mistake")
        return encode(self, pixels, rate_factor=rate_factor)

    monkeypatch.setattr(JpegCodec, "encode", fail_at_20)

    assert bench.run(rates=(20.0, 50.0)) == 1
    assert [each.reason for each in bench.told] == ["TypeError: a plugin's mistake"]
    assert list(bench.cells) == ["jpeg at 50"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a stretch of work")
def test_every_method_has_its_peak_memory(bench: Bench) -> None:
    bench.run(enhancer=BrighteningEnhancer(), steps=(100,), peers=(StubRestorer(),))

    peaks = {name: cell.peak_memory_mib for name, cell in bench.cells.items()}
    assert peaks["stub at 20"] == 66.0  # the larger of two pictures'
    assert all((peaks[name] or 0) > 66 for name in ("jpeg at 20", "steps 100 at 20"))  # torch is in this process


def test_jobs_change_nothing_but_the_time(bench: Bench, folder: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"enhancer": BrighteningEnhancer(), "steps": (1, 100), "peers": (StubRestorer(),)}
    bench.run(**settings)
    other = Bench(read_set(folder), tmp_path / "others")
    other.run(jobs=3, **settings)

    assert {name: cell.metrics for name, cell in other.cells.items()} == {
        name: cell.metrics for name, cell in bench.cells.items()
    }


def restored_pairs(originals: OriginalSet, *, levels: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Each original as JPEG of quality 20 in 8 bits, some levels brighter, and the original; (1, 3, H, W) each."""
    codec = JpegCodec()
    decoded = ((each, codec.decode(codec.encode(each, rate_factor=20)).pixels) for each in originals)
    return [(round_to_8_bits(pixels + levels / 255)[None], each[None]) for each, pixels in decoded]


def test_lpips_is_that_of_the_backbone_given(bench: Bench, tmp_path: Path) -> None:
    file = save_random_backbone(tmp_path)
    meter, _ = load_meter(find_measures(["lpips"]), sides=bench.originals.sides, lpips_backbones=[file])
    bench.run(meter=meter, enhancer=BrighteningEnhancer(), steps=(100,))

    lpips = load_lpips("alexnet", backbone_file=file)
    for name, levels in (("jpeg", 0), ("steps 100", 4)):
        direct = [float(lpips(2 * a - 1, 2 * b - 1)) for a, b in restored_pairs(bench.originals, levels=levels)]
        assert bench.cells[f"{name} at 20"].metrics["lpips"].values == pytest.approx(direct, rel=1e-4)


def test_distances_between_sets_are_those_of_what_was_measured(tmp_path: Path) -> None:
    originals = read_set(save_originals(tmp_path / "originals", (256, 256), (256, 256)))  # a patch each: the fewest
    bench = Bench(originals, tmp_path / "results")
    extractors = {"fid256": MomentsExtractor(2), "kid256": MomentsExtractor(2), "fd-alexnet256": MomentsExtractor(1)}
    bench.run(
        meter=Meter(find_measures(extractors), extractors={**extractors}),
        enhancer=BrighteningEnhancer(),
        steps=(100,),
    )

    for name, levels in (("jpeg", 0), ("steps 100", 4)):
        sets = {each: (PatchStatistics(each), PatchStatistics(each)) for each in extractors.values()}
        for pair in restored_pairs(originals, levels=levels):
            for both in sets.values():
                for statistics, picture in zip(both, pair, strict=True):
                    statistics.add(picture)
        metrics = bench.cells[f"{name} at 20"].metrics
        direct = {
            "fid256": frechet_distance_256(*sets[extractors["fid256"]]),
            "kid256": kernel_distance_256(*sets[extractors["kid256"]]).mean,
            "fd-alexnet256": frechet_distance_256(*sets[extractors["fd-alexnet256"]]),
        }
        assert {measure: metrics[measure].mean for measure in metrics} == pytest.approx(direct, rel=1e-4)
        assert len({round(value, 6) for value in direct.values()}) == 3
        assert not any(values.values for values in metrics.values())


def test_progress_counts_pictures_and_estimates_what_is_left(bench: Bench) -> None:
    bench.run(rates=(20.0, 50.0))

    assert [(state.done, state.total) for state in bench.states if not state.part_done] == [(n, 4) for n in range(1, 5)]
    assert [state.title for state in bench.states if state.part_done] == ["rate 20, base", "rate 50, base"]
    assert bench.states[0].seconds_left is not None
    assert bench.states[-1].seconds_left == 0


def test_two_protocols_are_kept_apart(bench: Bench) -> None:
    bench.run(peers=(StubSimulatingRestorer(),))

    protocols = {name_of_key(cell.key): cell.key.protocol for cell in bench.read().cells}
    assert protocols == {"simulated-jpeg": "ddrm-jpeg", "simulating": "ddrm-jpeg", "jpeg": "jpeg-colour"}
    simulating = bench.cells["simulating at 20"]
    assert (simulating.bpp.mean, simulating.bpp.values) == (None, ())


def test_our_enhancer_stands_beside_simulated_jpeg_where_asked(bench: Bench) -> None:
    assert bench.run(simulated_jpeg=True, enhancer=BrighteningEnhancer(), steps=(100,)) == 0

    cells = bench.cells
    assert {name: cell.key.protocol for name, cell in cells.items()} == {
        "simulated-jpeg at 20": "ddrm-jpeg",
        "simulated steps 100 at 20": "ddrm-jpeg",
        "jpeg at 20": "jpeg-colour",
        "steps 100 at 20": "jpeg-colour",
    }
    simulated = cells["simulated-jpeg at 20"]
    first = next(iter(bench.originals))
    expected = decode(encode(first, quality=20)).clamp(0, 1)
    assert simulated.metrics["psnr"].values[0] == pytest.approx(float(psnr(expected[None], first[None])), abs=1e-4)
    assert simulated.metrics != cells["jpeg at 20"].metrics
    assert (simulated.bpp.mean, simulated.seconds_per_megapixel) == (None, None)
    assert [table.protocol.id for table in tables_of([bench.read()])] == ["jpeg-colour", "ddrm-jpeg"]


def test_jpeg_is_simulated_beside_jpeg_only() -> None:
    codec = SimpleNamespace(id="webp", rate_range=JpegCodec().rate_range)

    with pytest.raises(BenchmarkError, match="simulated JPEG is measured beside codec 'jpeg', not 'webp'"):
        BenchPlan(codec=codec, rates=(20.0,), simulated_jpeg=True)


def test_results_of_other_originals_are_left_alone(bench: Bench, folder: Path) -> None:
    bench.run()
    before = (bench.results / "results.json").read_bytes()
    (folder / "b.png").unlink()
    other = Bench(read_set(folder), bench.results)

    with pytest.raises(BenchmarkError, match=r"has results of 'originals', 2 images.*; these are .*1 images.* -o"):
        other.run()
    assert (bench.results / "results.json").read_bytes() == before


def test_a_rate_out_of_range_is_refused_before_anything_runs(bench: Bench) -> None:
    with pytest.raises(RateFactorError):
        bench.run(rates=(20.0, 500.0))
    assert not bench.results.exists()


def test_peers_that_cannot_run_are_listed_with_what_to_get() -> None:
    absent = StubRestorer("absent", absence=Absence("there is no program 'x'", "build it"))
    here = StubRestorer("here")

    present, left_out = check_peers([absent, here], codec=JpegCodec())

    assert present == (here,)
    assert left_out == [LeftOut("absent", "absent: there is no program 'x'; build it")]


def test_peers_restore_jpeg_alone() -> None:
    left_out = [LeftOut("stub", "it restores JPEG, not pictures of codec 'plain'")]

    assert check_peers([StubRestorer()], codec=PlainCodec()) == ((), left_out)


def test_a_peer_s_file_of_another_content_is_another_cell(tmp_path: Path) -> None:
    file = tmp_path / "network.pth"
    plan = BenchPlan(JpegCodec(), (20.0,), peers=(SpandrelRestorer(file),))
    keys = []
    for content in (b"one", b"two"):
        file.write_bytes(content)
        keys += [key for _, method in plan.methods() for key in method.keys if key.method == "peer"]

    assert keys[0].peer == keys[1].peer == "spandrel:network.pth"
    assert keys[0] != keys[1]


def test_results_name_no_folder_of_a_peer() -> None:
    assert name_of(SpandrelRestorer(Path("/home/me/fbcnn.pth"))) == "spandrel:fbcnn.pth"


def test_the_file_is_as_documented(bench: Bench) -> None:
    bench.run(enhancer=BrighteningEnhancer(), steps=(100,))
    contents = json.loads((bench.results / "results.json").read_text())

    assert (contents["format"], contents["version"]) == ("dirac-enhance bench", 2)
    assert contents["set"] == {"name": "originals", "images": 2, "pixel_hash": bench.originals.pixel_hash}
    assert contents["images"] == ["a.png", "b.png"]
    page = (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    documented = page.partition("## bench")[2].partition("## Peers")[0]
    assert not [key for key in (*contents, *contents["cells"][1]) if f"`{key}`" not in documented]
    (run,) = contents["runs"]
    assert [cell["run"] for cell in contents["cells"]] == [0, 0]
    assert not [key for key in run if f"`{key}`" not in documented]


def test_the_csv_has_a_row_of_means_for_each_cell(bench: Bench) -> None:
    bench.run(rates=(20.0, 50.0))
    head, *rows = (bench.results / "results.csv").read_text().splitlines()

    assert len(rows) == 2
    row = dict(zip(head.split(","), rows[0].split(","), strict=True))
    assert float(row["psnr"]) == bench.cells["jpeg at 20"].metrics["psnr"].mean
    assert (row["set"], row["rate"], row["peer"], row["run"]) == ("originals", "20.0", "", "0")


def test_equal_keys_are_equal_whatever_they_came_from() -> None:
    assert CellKey("jpeg", 20.0, "base", "jpeg-colour") == CellKey("jpeg", 20, "base", "jpeg-colour")
