"""`dirac-enhance bench`: from a folder to tables and plots, and what it says of bad input."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from PIL import Image

from dirac_enhance import CodecHost
from dirac_enhance.bench.protocols import PROTOCOLS
from processes import kill_9, start_python, wait_until
from random_backbones import save_random_backbone

Run = Callable[..., Result]
_PLAIN = ("--steps", "", "--metrics", "psnr", "--rates", "20", "--device", "cpu")


def save(path: Path, *, width: int = 48, height: int = 32, mode: str = "RGB") -> None:
    path.parent.mkdir(exist_ok=True)
    samples = torch.randint(60, 140, (4, 4, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    picture = Image.fromarray(samples.numpy()).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    picture.save(path)


@pytest.fixture
def originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one original, below the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing-cached"))
    save(tmp_path / "originals" / "a.png")
    return Path("originals")


def results_of(folder: str = "results") -> dict[str, Any]:
    contents: dict[str, Any] = json.loads(Path(folder, "results.json").read_text(encoding="utf-8"))
    return contents


def test_a_run_prints_a_table_and_writes_json_and_csv(run: Run, originals: Path) -> None:
    result = run("bench", originals, "--rates", "10,40", "--steps", "1,100", "--metrics", "psnr", "--device", "cpu")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("originals, 1 images (pixels ")
    assert lines[1].split() == ["codec", "rate", "bpp", "method", "evals", "PSNR,", "dB", "s/MP"]
    assert [line.split()[1] for line in lines[2:8]] == ["10"] * 3 + ["40"] * 3
    assert lines[-1] == "results/results.json results/results.csv"
    assert [cell["steps"] for cell in results_of()["cells"]] == [None, 1, 100] * 2
    assert "rate 10, base (1 of 4, about " in result.stderr
    (run_of_it,) = results_of()["runs"]
    assert run_of_it["command"][:1] == ["dirac-enhance"]
    assert run_of_it["date"].endswith("+00:00")
    assert {"torch", "torchvision", "lpips", "pytorch-msssim", "torch-fidelity"} <= set(run_of_it["versions"])
    assert set(run_of_it["machine"]) == {"system", "cores", "python"}
    assert run_of_it["networks"] == {}


def test_a_run_goes_on_where_it_was(run: Run, originals: Path) -> None:
    run("bench", originals, *_PLAIN)
    again = run("bench", originals, *_PLAIN, "--rates", "20,50")

    assert "rate 50, base (1 of 1" in again.stderr
    assert "rate 20" not in again.stderr
    assert [cell["rate"] for cell in results_of()["cells"]] == [20, 50]


def test_published_figures_stand_beside_ours_in_the_same_protocol(run: Run, tmp_path: Path, originals: Path) -> None:
    for index in range(29):
        save(tmp_path / "live1" / f"{index:02}.png", width=16 + index % 2, height=16)
    result = run("bench", "live1", *_PLAIN, "--rates", "10", "--peer", "published", "--metrics", "psnr,ssim-8x8")

    assert result.exit_code == 0, result.output
    cells = results_of()["cells"]
    assert [cell["method"] for cell in cells[:2]] == ["base", "published"]
    assert {cell["protocol"] for cell in cells} == {"jpeg-colour"}
    assert "QGAC (published)" in result.stdout
    assert "27.62†" in result.stdout
    assert "† remembered, not verified: check before quoting." in result.stdout
    assert originals.is_dir()


def test_published_figures_are_added_to_a_table_of_an_earlier_run(run: Run, originals: Path) -> None:
    run("bench", originals, *_PLAIN, "--rates", "10")
    contents = results_of() | {"set": results_of()["set"] | {"name": "live1"}}
    Path("live1.json").write_text(json.dumps(contents))

    assert "(published)" not in run("bench", "--table", "live1.json").stdout
    result = run("bench", "--table", "live1.json", "--peer", "published")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "| jpeg | 10 |  | QGAC (published) | 27.62† |" in result.stdout


def test_gray_figures_stand_beside_the_published_gray_ones(run: Run, tmp_path: Path, originals: Path) -> None:
    for index in range(5):
        save(tmp_path / "classic5" / f"{index}.png", mode="L")
    result = run(
        "bench", "classic5", "--gray", "--rates", "10", "--steps", "1", "--metrics", "psnr,ssim,psnr-b",
        "--peer", "published", "--peer", "jpeg2png", "--device", "cpu",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "left out: jpeg2png: " in result.stderr
    assert not (originals / "results").exists()
    lines = result.stdout.splitlines()
    assert lines[0].endswith("protocol jpeg-gray")
    assert any(line.split()[:1] == ["jpeg"] and "QGAC (published)" in line for line in lines)
    assert {cell["protocol"] for cell in results_of()["cells"]} == {"jpeg-gray"}
    assert {cell["method"] for cell in results_of()["cells"]} == {"base", "steps", "published"}


def test_simulated_jpeg_is_measured_in_a_table_of_its_own(run: Run, originals: Path) -> None:
    result = run("bench", originals, *_PLAIN, "--simulated-jpeg")

    assert result.exit_code == 0, result.output
    assert [(cell["codec"], cell["protocol"]) for cell in results_of()["cells"]] == [
        ("simulated-jpeg", "ddrm-jpeg"),
        ("jpeg", "jpeg-colour"),
    ]
    real, simulated = (part for part in result.stdout.split("\n\n") if part.startswith("originals, "))
    assert "simulated-jpeg" not in real
    assert "jpeg-colour" not in simulated


def test_nothing_published_is_said(run: Run, originals: Path) -> None:
    result = run("bench", originals, *_PLAIN, "--peer", "published")

    assert "nothing was published on 'originals' in the protocol jpeg-colour" in result.stderr


def test_figures_that_are_known_of_and_stand_in_no_table_are_told_of(run: Run, originals: Path) -> None:
    run("bench", originals, *_PLAIN)
    contents = results_of() | {"set": results_of()["set"] | {"name": "imagenet-val1k"}}
    Path("val1k.json").write_text(json.dumps(contents))
    result = run("bench", "--table", "val1k.json", "--peer", "published")

    assert result.exit_code == 0
    assert result.stderr == (
        "published on 'imagenet-val1k' in the protocol ddrm-jpeg, but not at hand: DDRM, DDRM (A), QGAC"
        " (arXiv 2209.11888)\n"
    )
    assert run("bench", "--table", "val1k.json").stderr == ""


def test_absent_peers_are_listed_and_the_rest_goes_on(
    run: Run, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    result = run("bench", originals, *_PLAIN, "--peer", "jpeg2png", "--peer", "spandrel:no.pth")

    assert result.exit_code == 0
    assert "left out: jpeg2png: absent: there is no program 'jpeg2png'; build " in result.stderr
    assert "left out: spandrel:no.pth: absent: " in result.stderr
    assert [each["what"] for each in results_of()["left_out"]] == ["jpeg2png", "spandrel:no.pth"]


def test_a_crashing_peer_takes_one_line_and_exit_code_1(run: Run, originals: Path) -> None:
    peer = f"command:{sys.executable} -S -c raise(OSError('broken')) {{input}} {{output}}"
    result = run("bench", originals, *_PLAIN, "--peer", peer)

    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("left out")]
    assert "broken" in line
    assert [cell["method"] for cell in results_of()["cells"]] == ["base"]


def test_a_hanging_peer_is_stopped_at_the_time_limit_set(run: Run, originals: Path) -> None:
    peer = f"command:{sys.executable} -S -c 'import time; time.sleep(60)' {{input}} {{output}}"
    result = run("bench", originals, *_PLAIN, "--peer", peer, "--peer-time-limit", "0.5")

    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("left out")]
    assert line.endswith("did not end within 0.5 s and was stopped; raise --peer-time-limit SECONDS")


def test_a_missing_backbone_leaves_its_metric_out(run: Run, originals: Path) -> None:
    result = run("bench", originals, *_PLAIN, "--metrics", "psnr,lpips,fid256")

    assert result.exit_code == 0, result.output
    assert "left out: lpips: no alexnet weights at " in result.stderr
    assert "pass their path with --lpips-backbone FILE" in result.stderr
    assert "left out: fid256: it takes pictures of at least 256 pixels a side; 'a.png' has 48×32" in result.stderr
    assert list(results_of()["cells"][0]["metrics"]) == ["psnr"]


def test_backbones_are_named_in_the_run_and_not_mixed(run: Run, tmp_path: Path, originals: Path) -> None:
    one, other = (save_random_backbone(tmp_path, "squeezenet", seed) for seed in (0, 1))
    settings = (*_PLAIN, "--metrics", "lpips-squeeze", "--lpips-backbone")
    assert run("bench", originals, *settings, one).exit_code == 0
    result = run("bench", originals, *settings, other, "--rates", "50")

    (listed,) = results_of()["runs"]
    assert listed["networks"] == {"lpips-squeeze": hashlib.sha256(one.read_bytes()).hexdigest()}
    assert result.exit_code == 1
    assert "has lpips-squeeze measured with the network of sha256 " in result.stderr
    assert run("bench", originals, *settings, other, "--rates", "50", "-o", "others").exit_code == 0
    both = run("bench", "--table", "results/results.json", "others/results.json")
    assert "lpips-squeeze was measured with several networks, of sha256 " in both.stderr


def test_missing_inception_weights_leave_fid_out(run: Run, tmp_path: Path, originals: Path) -> None:
    save(tmp_path / originals / "a.png", width=512, height=256)
    save(tmp_path / originals / "small.png")
    result = run("bench", originals, *_PLAIN, "--metrics", "psnr,kid256")

    assert "left out: kid256: no InceptionV3 weights at " in result.stderr
    assert "with --inception-weights FILE" in result.stderr


def test_no_metric_at_all_is_an_error(run: Run, originals: Path) -> None:
    result = run("bench", originals, *_PLAIN, "--metrics", "ms-ssim")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: none of the metrics can be measured here: ms-ssim: it takes pictures of")
    assert not Path("results").exists()


def test_unusual_originals_are_told_of_in_a_line_each(run: Run, tmp_path: Path, originals: Path) -> None:
    save(tmp_path / originals / "b.png", mode="L")
    save(tmp_path / originals / "c.png", mode="RGBA", width=64)
    (tmp_path / originals / "d.png").write_bytes(b"no picture")
    result = run("bench", originals, *_PLAIN)

    assert result.exit_code == 0
    told = result.stderr.splitlines()[:4]
    assert told[0].startswith("left out: 'originals/d.png'")
    assert told[1] == "1 of 3 originals grayscale, the first 'b.png': measured as RGB of three equal channels"
    assert told[2].startswith("1 of 3 originals with alpha, the first 'c.png': alpha is dropped")
    assert told[3] == "originals of 2 sizes, from 48×32 to 64×32: each picture counts once in a mean"
    assert results_of()["images"] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["empty"], 1, "no pictures in 'empty'; expected files such as"),
        (["nowhere"], 1, "there is no folder 'nowhere' of original pictures"),
        (["unreadable"], 1, "no picture in 'unreadable' can be read"),
        (["originals", "empty"], 2, "2 paths given; expected one folder, or --table or --plot with files"),
        (["originals", "--metrics", "psnr,vmaf"], 1, "unknown metric 'vmaf'; expected some of psnr, psnr-b"),
        (["originals", "--metrics", ""], 1, "no metric given"),
        (["originals", "--rates", "five"], 2, "'five' is not a valid float"),
        (["originals", "--rates", "0"], 1, "rate factor 0"),
        (["originals", "--steps", "0"], 2, "0 is not in the range 1<=x<=100"),
        (["originals", "--codec", "gif"], 1, "gif"),
        (["originals", "--peer", "nobody"], 1, "unknown peer 'nobody'"),
        (["originals", "--peer-time-limit", "0"], 2, "0.0 is not in the range x>0"),
        (["originals", "--preset", "kodak"], 1, "'originals' holds 1 pictures, but kodak has 24"),
        (["originals", "--gray", "--simulated-jpeg"], 1, "simulated JPEG codes colour; leave out"),
        (["originals", "--gray", "--codec", "webp"], 1, "webp"),
        (["--table", "originals/a.png"], 1, "give results.json of a run"),
    ],
)
def test_wrong_input_is_one_line(
    run: Run, tmp_path: Path, originals: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "unreadable").mkdir()
    (tmp_path / "unreadable" / "a.png").write_bytes(b"no picture")
    result = run("bench", *_PLAIN, *arguments)

    assert result.exit_code == exit_code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert originals.is_dir()
    assert not Path("results").exists()


def test_a_damaged_results_file_is_left_as_it_is(run: Run, originals: Path) -> None:
    Path("results").mkdir()
    Path("results", "results.json").write_text('{"format": "something else"}')
    result = run("bench", originals, *_PLAIN)

    assert result.exit_code == 1
    assert "'results/results.json': format 'something else' given; expected 'dirac-enhance bench'" in result.stderr
    assert Path("results", "results.json").read_text() == '{"format": "something else"}'


def test_tables_of_two_protocols_are_printed_apart(run: Run, originals: Path) -> None:
    run("bench", originals, *_PLAIN)
    contents = results_of()
    for cell in contents["cells"]:
        cell["protocol"] = "ddrm-jpeg"
    Path("other.json").write_text(json.dumps(contents))
    result = run("bench", "--table", "results/results.json", "other.json")

    assert result.exit_code == 0
    assert result.stderr == "figures of the protocols 'jpeg-colour', 'ddrm-jpeg' cannot be compared: a table for each\n"
    first, second = result.stdout.split("\n\n**")
    assert first.startswith("**originals, 1 images (pixels ")
    assert "| jpeg | 20 | " in first
    assert PROTOCOLS["ddrm-jpeg"].measuring in second


def test_an_unreadable_file_among_results_is_told_of_and_the_rest_is_shown(run: Run, originals: Path) -> None:
    run("bench", originals, *_PLAIN)
    result = run("bench", "--table", "results/results.json", "missing.json")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot read 'missing.json': ")
    assert "| jpeg | 20 | " in result.stdout


def test_plots_are_drawn_from_results(run: Run, originals: Path, host: CodecHost) -> None:
    assert "jpeg" in host.codecs
    run("bench", originals, "--rates", "10,40", "--steps", "1,100", "--metrics", "psnr", "--device", "cpu")
    contents = results_of()
    for index, cell in enumerate(contents["cells"]):
        cell["metrics"]["lpips"] = {"mean": 0.3 - 0.02 * index, "values": [0.3 - 0.02 * index]}
    Path("results", "results.json").write_text(json.dumps(contents))
    result = run("bench", "--plot", "results/results.json", "-o", "plots")

    names = ["rate-distortion", "rate-perception", "distortion-perception"]
    assert result.stdout.splitlines() == [f"plots/{name}.png" for name in names]
    for name in names:
        with Image.open(f"plots/{name}.png") as picture:
            assert picture.size == (900, 660)


def test_a_run_that_is_killed_outright_goes_on(run: Run, tmp_path: Path, originals: Path) -> None:
    killer = tmp_path / "killer"
    started = tmp_path / "started"
    killer.write_text(f"#!{sys.executable} -S\nimport time\nopen({str(started)!r}, 'w').close()\ntime.sleep(5)\n")
    killer.chmod(0o755)
    peer = f"command:{killer} {{input}} {{output}}"
    arguments = ["bench", str(originals.absolute()), *_PLAIN, "--peer", peer, "-o", str(tmp_path / "results")]
    process = start_python("-m", "dirac_enhance", *arguments)
    wait_until(started.exists, process)
    kill_9(process)

    assert [cell["method"] for cell in results_of()["cells"]] == ["base"]
    killer.write_text(f'#!{sys.executable} -S\nraise SystemExit("no more")\n')
    assert run(*arguments).stderr.splitlines()[0].endswith("ended with status 1: no more")
    assert [cell["method"] for cell in results_of()["cells"]] == ["base"]
