"""The gray protocol of JPEG restorers: luma as MATLAB makes it, a JPEG of one component, one plane measured."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from bench_stubs import BrighteningEnhancer, StubRestorer, StubSimulatingRestorer
from dirac_enhance import BenchmarkError
from dirac_enhance.bench.cells import Cell
from dirac_enhance.bench.feasible import check_peers, gray_codec
from dirac_enhance.bench.harness import BenchPlan, Harness
from dirac_enhance.bench.measures import find_measures
from dirac_enhance.bench.meter import Meter, load_meter
from dirac_enhance.bench.originals import OriginalSet, read_set
from dirac_enhance.bench.preparation import to_luma
from dirac_enhance.bench.restorers.catalogue import restorers
from dirac_enhance.bench.restorers.restorer import PeerSettings, Restoration, Restorer
from dirac_enhance.bench.results import LeftOut, Results, ResultsFolder
from dirac_enhance.metrics import psnr_b
from dirac_enhance_jpeg import JpegCodec
from plain_codec import PlainCodec

WIDTH, HEIGHT = 48, 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An original in colour and a gray one."""
    generator = torch.Generator().manual_seed(0)
    (tmp_path / "originals").mkdir()
    for name, mode in (("a.png", "RGB"), ("b.png", "L")):
        samples = torch.randint(0, 256, (4, 6, 3), generator=generator, dtype=torch.uint8)
        picture = Image.fromarray(samples.numpy()).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        picture.convert(mode).save(tmp_path / "originals" / name)
    return tmp_path / "originals"


def measure(originals: OriginalSet, results: Path, *, metrics: str = "psnr", **settings: Any) -> dict[str, Cell]:
    given: dict[str, Any] = {"codec": gray_codec(JpegCodec()), "rates": (20.0,), "gray": True, **settings}
    meter, unmeasured = load_meter(find_measures(metrics.split(",")), sides=originals.sides)
    assert not unmeasured
    names = tuple(original.name for original in originals.originals)
    results_folder = ResultsFolder(results, Results(originals.name, names, originals.pixel_hash))
    assert Harness(BenchPlan(**given), originals, meter, results_folder, tell=_refuse).run() == 0
    return {cell.key.peer or cell.key.method: cell for cell in results_folder.results.cells}


def _refuse(what: LeftOut) -> None:
    raise AssertionError(what)


def planes_of(folder: Path) -> list[numpy.typing.NDArray[numpy.uint8]]:
    """The originals of the protocol, (H, W), by a formula of their own."""
    rgb = numpy.asarray(Image.open(folder / "a.png")).astype(float)
    luma = 16 + rgb[..., 0] * 65.481 / 255 + rgb[..., 1] * 128.553 / 255 + rgb[..., 2] * 24.966 / 255
    return [numpy.floor(luma + 0.5).astype(numpy.uint8), numpy.asarray(Image.open(folder / "b.png"))]


def coded_of(plane: numpy.typing.NDArray[numpy.uint8], quality: int) -> bytes:
    coded = BytesIO()
    Image.fromarray(plane).save(coded, "JPEG", quality=quality)
    return coded.getvalue()


@pytest.mark.parametrize(
    ("colour", "level"),
    [((255, 0, 0), 81), ((0, 255, 0), 145), ((0, 0, 255), 41), ((255, 255, 0), 210), ((0, 255, 255), 170)],
)
def test_luma_is_that_of_matlab(colour: tuple[int, int, int], level: int) -> None:
    pixels = (torch.tensor(colour) / 255)[:, None, None].expand(3, 2, 2)

    assert torch.equal(to_luma(pixels), torch.full((3, 2, 2), level / 255))


def test_a_gray_picture_is_taken_as_it_is() -> None:
    pixels = (torch.arange(256) / 255)[None, None].expand(3, 2, 256)

    assert to_luma(pixels) is pixels


def test_the_plain_codec_is_a_jpeg_of_one_component(folder: Path, tmp_path: Path) -> None:
    cells = measure(read_set(folder, gray=True), tmp_path / "results", metrics="psnr,psnr-b")
    expected, bits = [], []
    for plane in planes_of(folder):
        coded = coded_of(plane, 20)
        decoded = numpy.asarray(Image.open(BytesIO(coded))).astype(float)
        expected.append(float(10 * numpy.log10(255**2 / numpy.mean((decoded - plane) ** 2))))
        bits.append(8 * len(coded) / plane.size)

    assert cells["base"].key.protocol == "jpeg-gray"
    assert cells["base"].metrics["psnr"].values == pytest.approx(expected, abs=1e-4)
    assert cells["base"].bpp.values == pytest.approx(bits)


def test_blocking_is_looked_for_in_the_one_plane(folder: Path, tmp_path: Path) -> None:
    cells = measure(read_set(folder, gray=True), tmp_path / "results", metrics="psnr-b")
    plane = planes_of(folder)[0]
    decoded = numpy.array(Image.open(BytesIO(coded_of(plane, 20))))
    one, other = (torch.from_numpy(each.copy())[None, None] / 255 for each in (decoded, plane))

    value = cells["base"].metrics["psnr-b"].values[0]
    assert value == pytest.approx(float(psnr_b(one, other)), abs=1e-4)
    three = float(psnr_b(one.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))
    assert value != pytest.approx(three, abs=1e-4)  # the luma of colour has another range


class TintingRestorer(StubRestorer):
    """Adds a colour without luminance to what it decodes."""

    def restore(self, data: bytes) -> Restoration:
        restored = super().restore(data)
        return replace(restored, pixels=restored.pixels + torch.tensor([2.0, -4.0, 2.0])[:, None, None] / 255)


def test_what_restorers_add_in_colour_is_averaged(folder: Path, tmp_path: Path) -> None:
    cells = measure(
        read_set(folder, gray=True), tmp_path / "results", peers=(TintingRestorer("tinting"),),
        enhancer=BrighteningEnhancer(), steps=(1,),
    )  # fmt: skip

    assert cells["tinting"].metrics["psnr"].values == pytest.approx(cells["base"].metrics["psnr"].values, abs=1e-4)
    assert cells["steps"].metrics["psnr"] != cells["base"].metrics["psnr"]
    assert {cell.key.protocol for cell in cells.values()} == {"jpeg-gray"}


def test_colour_is_told_of_and_is_another_set(folder: Path, tmp_path: Path) -> None:
    gray = read_set(folder, gray=True)
    measure(gray, tmp_path / "results")

    assert gray.remarks[0].startswith("1 of 2 originals in colour, the first 'a.png': their luma is measured")
    with pytest.raises(BenchmarkError, match="pass another folder with -o"):
        measure(read_set(folder), tmp_path / "results", gray=False, codec=JpegCodec())


def test_a_set_of_gray_pictures_is_one_set(folder: Path) -> None:
    (folder / "a.png").unlink()
    gray = read_set(folder, gray=True)

    assert gray.pixel_hash == read_set(folder).pixel_hash
    assert gray.remarks == ()


def test_lpips_takes_gray_pictures_for_colour_ones() -> None:
    class ThreePlanes:
        """Stands in for LPIPS, and takes no gray pictures either."""

        def features(self, pictures: Tensor) -> tuple[Tensor, ...]:
            assert pictures.shape[1] == 3
            return (pictures,)

        def distance(self, one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> Tensor:
            return (one[0] - other[0]).abs().mean(dim=(1, 2, 3))

    lpips: Any = {"lpips": ThreePlanes()}
    meter = Meter(find_measures(["lpips"]), lpips=lpips)

    (values,) = meter.compare(torch.zeros(1, 32, 32), [torch.full((1, 32, 32), 0.25)])
    assert values == {"lpips": 0.5}


def test_peers_for_colour_alone_are_left_out_in_a_line() -> None:
    peers = (StubRestorer(), StubRestorer("colourful", colour_only="it paints"), StubSimulatingRestorer())
    present, left_out = check_peers(peers, codec=gray_codec(JpegCodec()), gray=True)

    assert [peer.id for peer in present] == ["stub"]
    assert left_out == [
        LeftOut("colourful", "not in gray: it paints"),
        LeftOut("simulating", "not in gray: it codes colour pictures itself"),
    ]


def test_the_peers_that_restore_gray_files_are_those_that_can() -> None:
    named = [each for each in restorers(PeerSettings()) if isinstance(each, Restorer)]

    assert [each.id for each in named if each.colour_only] == ["ar-cnn", "fbcnn", "jpeg2png"]


def test_other_codecs_have_no_gray_tables() -> None:
    with pytest.raises(BenchmarkError, match="the gray tables are those of JPEG, not of codec 'plain'; leave out --gr"):
        gray_codec(PlainCodec())
