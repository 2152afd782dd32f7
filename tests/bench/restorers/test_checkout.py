"""Peers that are research scripts: exact command lines, the folders they expect, and luminance-only results."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from dirac_enhance import BaseReconstruction, RestorerError, load_host
from dirac_enhance.bench.restorers.checkout import CheckoutRestorer, ar_cnn, dncnn3, fbcnn
from dirac_enhance.bench.restorers.restorer import PeerSettings, Restorer

SIZE = (40, 24)

# Each leaves what it was given behind with all samples one higher, and a record of how it was run.
INVERTING_SCRIPT = """
import json, os, sys
from PIL import Image
source, target = {source!r}, {target!r}
if "--dir" in sys.argv:
    source = os.path.join(sys.argv[sys.argv.index("--dir") + 1], source)
    target = os.path.join(sys.argv[sys.argv.index("--output") + 1], target)
picture = Image.open(source)
json.dump(dict(argv=sys.argv, folder=os.getcwd(), mode=picture.mode, weights=os.path.isfile({weights!r})),
          open({record!r}, "w"))
os.makedirs(os.path.dirname(target), exist_ok=True)
picture.point(lambda sample: min(sample + 1, 255)).save(target)
"""


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    folder = tmp_path / "peers"
    folder.mkdir()
    return folder


def settings(checkouts: Path | None, python: str = sys.executable) -> PeerSettings:
    return PeerSettings(checkouts=checkouts, python=python, time_limit=60)


def install(checkouts: Path, restorer: CheckoutRestorer, *, source: str, target: str) -> Path:
    """Fill a checkout with empty weights and a script that brightens; return where it leaves its record."""
    record = checkouts.parent / "record.json"
    script, *weights = restorer.needs
    for name in weights:
        path = checkouts / restorer.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    code = INVERTING_SCRIPT.format(source=source, target=target, weights=weights[0], record=str(record))
    (checkouts / restorer.repository / script).write_text(code)
    return record


def decoded(data: bytes) -> BaseReconstruction:
    return load_host().codec("jpeg").codec.decode(data)


def read_record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text())
    return record


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (fbcnn, ["python3", "/peers/FBCNN/main_test_fbcnn_color_real.py"]),
        (dncnn3, ["python3", "/peers/KAIR/main_test_dncnn3_deblocking.py"]),
        (
            ar_cnn,
            ["python3", "/peers/PyTorch-ARCNN/run.py", "--dir", "/scratch/in", "--output", "/scratch/out",
             "--batch_size", "1", "--quality", "20"],
        ),
    ],
)  # fmt: skip
def test_the_command_line_is_exactly_this(make: Any, expected: list[str]) -> None:
    restorer = make(settings(Path("/peers"), "python3"))

    assert restorer.command_line(Path("/scratch"), rate_factor=17.0) == expected
    assert isinstance(restorer, Restorer)
    assert restorer.base == "libjpeg"


@pytest.mark.parametrize(("rate_factor", "quality"), [(5.0, 10), (24.0, 20), (26.0, 30), (95.0, 40), (None, 40)])
def test_ar_cnn_takes_the_weights_of_the_nearest_quality(rate_factor: float | None, quality: int) -> None:
    assert ar_cnn(settings(Path("/p"))).command_line(Path("/w"), rate_factor=rate_factor)[-1] == str(quality)


def test_fbcnn_finds_the_jpeg_and_its_weights_where_its_script_looks(checkouts: Path, jpeg_bytes: bytes) -> None:
    restorer = fbcnn(settings(checkouts))
    record_file = install(
        checkouts, restorer, source="testsets/Real/picture.jpg", target="test_results/Real_fbcnn_color/picture.png"
    )

    pixels = restorer.restore(jpeg_bytes).pixels

    record = read_record(record_file)
    assert record["argv"] == [str(checkouts / "FBCNN" / "main_test_fbcnn_color_real.py")]
    assert record["mode"] == "RGB"
    assert record["weights"], "model_zoo is where the script runs"
    assert torch.equal(pixels, (decoded(jpeg_bytes).pixels + 1 / 255).mul(255).round().clamp(0, 255) / 255)
    assert not list((checkouts / "FBCNN").glob("test*")), "the checkout is left as it was"


def test_a_relative_folder_of_checkouts_is_found(
    checkouts: Path, jpeg_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkouts.parent)
    restorer = fbcnn(settings(Path(checkouts.name)))
    install(checkouts, restorer, source="testsets/Real/picture.jpg", target="test_results/Real_fbcnn_color/picture.png")

    assert restorer.restore(jpeg_bytes).pixels.shape == (3, SIZE[1], SIZE[0])


def test_ar_cnn_runs_in_its_checkout_on_a_folder_of_ours(checkouts: Path, jpeg_bytes: bytes) -> None:
    restorer = ar_cnn(settings(checkouts))
    record_file = install(checkouts, restorer, source="picture.jpg", target="picture.png")

    pixels = restorer.restore(jpeg_bytes).pixels

    record = read_record(record_file)
    assert record["folder"] == str(checkouts / "PyTorch-ARCNN")
    assert record["argv"][-2:] == ["--quality", "20"], "the JPEG's own quality"
    assert pixels.shape == (3, SIZE[1], SIZE[0])


def test_dncnn3_is_given_the_luminance_and_the_chroma_is_kept(checkouts: Path, jpeg_bytes: bytes) -> None:
    restorer = dncnn3(settings(checkouts))
    record_file = install(
        checkouts, restorer, source="testsets/bsd68/picture.png", target="results/bsd68_dncnn3/picture.png"
    )

    pixels = restorer.restore(jpeg_bytes).pixels

    assert read_record(record_file)["mode"] == "L"
    base = decoded(jpeg_bytes).pixels
    change = (pixels - base) * 255
    inner = ((base > 0.02) & (base < 0.98)).all(dim=0)  # elsewhere clamping changes the chroma
    assert (change.amax(dim=0) - change.amin(dim=0))[inner].max() < 1e-3, "R, G and B move together"
    assert (change[:, inner] - 1).abs().max() <= 0.5 + 1e-3, "by one level, as far as 8 bits can say"


def test_dncnn3_on_a_grayscale_jpeg_gives_grayscale(checkouts: Path) -> None:
    buffer = io.BytesIO()
    ramp = numpy.tile(numpy.arange(40, 40 + 4 * SIZE[0], 4, dtype=numpy.uint8), (SIZE[1], 1))
    Image.fromarray(ramp).save(buffer, "JPEG", quality=30)
    restorer = dncnn3(settings(checkouts))
    install(checkouts, restorer, source="testsets/bsd68/picture.png", target="results/bsd68_dncnn3/picture.png")

    pixels = restorer.restore(buffer.getvalue()).pixels

    assert torch.allclose(pixels, decoded(buffer.getvalue()).pixels + 1 / 255, atol=1e-6)


@pytest.mark.parametrize("make", [fbcnn, dncnn3, ar_cnn])
def test_an_absent_checkout_says_what_to_get(make: Any, checkouts: Path, jpeg_bytes: bytes) -> None:
    nowhere, empty = make(settings(None)), make(settings(checkouts))

    assert "set DIRAC_PEERS to one, and clone https://github.com/" in str(nowhere.available())
    absence = empty.available()
    assert absence is not None
    assert absence.reason == f"there is no '{checkouts / empty.repository / empty.needs[0]}'"
    with pytest.raises(RestorerError, match=rf"^{empty.id} cannot run: there is no '"):
        empty.restore(jpeg_bytes)


@pytest.mark.parametrize("make", [fbcnn, dncnn3, ar_cnn])
def test_missing_weights_are_named(make: Any, checkouts: Path) -> None:
    restorer = make(settings(checkouts))
    install(checkouts, restorer, source="", target="")
    assert restorer.available() is None
    weights = checkouts / restorer.repository / restorer.needs[-1]
    weights.unlink()

    absence = restorer.available()

    assert absence is not None
    assert absence.reason == f"there is no '{weights}'"


def test_a_missing_interpreter_is_named(checkouts: Path) -> None:
    restorer = fbcnn(settings(checkouts, "python-of-another-time"))
    install(checkouts, restorer, source="", target="")

    assert str(restorer.available()).startswith("there is no interpreter 'python-of-another-time'")


def test_a_script_that_fails_is_told_by_its_last_line(checkouts: Path, jpeg_bytes: bytes) -> None:
    restorer = fbcnn(settings(checkouts))
    install(checkouts, restorer, source="", target="")
    (checkouts / "FBCNN" / restorer.needs[0]).write_text("import no_such_module_anywhere")

    with pytest.raises(RestorerError, match=r"fbcnn ended with status 1: ModuleNotFoundError: .*no_such_module"):
        restorer.restore(jpeg_bytes)
