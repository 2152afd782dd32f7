"""plugins/example-webp as its authors and users meet it: installed by pip, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from PIL import Image

from code_blocks import command_lines, shell_lines, text_of
from dirac_enhance import WeightsFile
from dirac_enhance.networks.catalogue import NETWORKS
from random_weights import save_random_weights

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "plugins" / "README.md"
EXAMPLE = ROOT / "plugins" / "example-webp"
TRAINING = (
    *("--network", "tiny", "--crop-size", 32, "--batch-size", 2, "--iterations", 3, "--workers", 0),
    *("--lpips-weight", 0, "--hide-rate", "--device", "cpu"),
)


def run(
    folder: Path, *arguments: object, installed: Path | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, what is installed in `installed` beside what this process finds, and input."""
    searched = [str(installed)] if installed else []
    path = os.pathsep.join([*searched, str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        input=typed,
        text=True,
        check=False,
    )


def pip_install(source: Path, target: Path) -> None:
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    done = run(source, "-m", "pip", "install", "--quiet", *offline, "--target", target, source)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, since pip builds in the folder it is given."""
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", ".*")
    return Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "example-webp", ignore=ignored))


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip_install(source, target)
    return target


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn pictures of 96×80 pixels as PNG, and one of 40×32 as WebP beside them."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "photos").mkdir()
    generator = numpy.random.default_rng(0)
    for number in range(2):
        colours = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=numpy.uint8))
        colours.resize((96, 80), Image.Resampling.BICUBIC).save(folder / "photos" / f"{number}.png")
    colours.resize((40, 32), Image.Resampling.BICUBIC).save(folder / "photo.webp", quality=20)
    return folder


@pytest.fixture(scope="module")
def weights(installed: Path, photographs: Path) -> Path:
    """Weights after three iterations, exported with other sampling defaults than those of training."""
    (photographs / "exported").mkdir()
    for arguments in (
        ("train", "--codec", "webp", "--data", "photos", "-o", "run", *TRAINING),
        ("export", "run", "-o", "exported", "--evaluations", "2"),
    ):
        done = run(photographs, "-m", "dirac_enhance", *arguments, installed=installed)
        assert done.returncode == 0, done.stderr
    return photographs / "exported" / "webp.safetensors"


def test_it_is_listed_beside_the_built_in_codecs(installed: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "dirac_enhance", "codecs", installed=installed)

    assert (done.returncode, done.stderr) == (0, "")
    assert "jpeg (dirac-enhance " in done.stdout
    assert done.stdout.partition("\nwebp ")[2] == (
        "(example-webp 0.1.0)\n"
        "  suffixes  .webp\n"
        "  coding    decodes; encodes at whole rate factors 0 to 100, higher is better\n"
        "  option    method=4  effort of the encoder, 0 is fastest (one of 0, 1, 2, 3, 4, 5, 6)\n"
        "  weights   none; train some with `dirac-enhance train --codec webp`, or pass --weights FILE\n"
        "\n"
    )


def test_it_is_found_by_its_entry_point_and_decodes_and_encodes(installed: Path, photographs: Path) -> None:
    code = """
from pathlib import Path
from dirac_enhance import load_host
host, data = load_host(), Path("photo.webp").read_bytes()
registered = host.codec_for(data, ".jpg")
base = registered.codec.decode(data)
coded = registered.codec.encode(base.pixels, rate_factor=90)
error = (registered.codec.decode(coded).pixels - base.pixels).abs().mean()
assert not host.failures, host.failures
print(registered.distribution, registered.codec.id, tuple(base.pixels.shape), bool(error < 0.02))
"""
    done = run(photographs, "-c", code, installed=installed)

    assert (done.returncode, done.stdout) == (0, "example-webp webp (3, 32, 40) True\n"), done.stderr


def test_it_trains_an_enhancer_whose_weights_enhance(installed: Path, photographs: Path, weights: Path) -> None:
    metadata = WeightsFile(weights).metadata()
    assert (metadata.codec_id, metadata.evaluations) == ("webp", 2)

    done = run(
        photographs, "-m", "dirac_enhance", "photo.webp", "-o", "a.png", "--weights", weights, installed=installed
    )

    assert (done.returncode, done.stdout) == (0, "a.png\n"), done.stderr
    with Image.open(photographs / "a.png") as enhanced:
        assert enhanced.size == (40, 32)


SMALL = {
    "--minutes 60": " ".join(map(str, (*TRAINING[:10], "--device", "cpu"))),
    "--lpips-backbone squeezenet1_1.pth": "--lpips-weight 0",
    "--count 2000 --jobs 8": "--count 6 --jobs 1 --crop-size 48",
}
"""What stands in for the guide's options, so that its commands take seconds and need no file from elsewhere."""

ONE_AFTER_THE_OTHER = """
import shlex, subprocess, sys
from dirac_enhance.cli.group import build_group
from dirac_enhance.host import load_host
for line in sys.stdin.read().splitlines():
    print("$", line, flush=True)
    program, *arguments = shlex.split(line)
    if program == "dirac-enhance":
        build_group(load_host()).main(arguments, prog_name=program, standalone_mode=False)
    else:
        subprocess.run([program, *arguments], check=True)
"""


def test_what_the_guide_has_people_type_works_line_by_line(installed: Path, photographs: Path, tmp_path: Path) -> None:
    """All but pip, which the other tests run without a network; in one process, since each start takes seconds."""
    lines = [line for line in shell_lines(GUIDE) if re.match(r"(dirac-enhance|pytest|mkdir|mv) ", line)]
    assert {*command_lines(GUIDE), "pytest example-webp"} < set(lines)
    for option, small in SMALL.items():
        assert any(option in line for line in lines), option
        lines = [line.replace(option, small) for line in lines]
    pytest_here = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    lines = [re.sub("^pytest", pytest_here, line) for line in lines]
    for name in ("photos", "photo.webp"):
        copy = shutil.copytree if (photographs / name).is_dir() else shutil.copy
        copy(photographs / name, tmp_path / name)
    shutil.copytree(EXAMPLE, tmp_path / "example-webp", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(EXAMPLE / "example_webp.py", tmp_path)
    told_the_rate = replace(NETWORKS["tiny"], rate_range=(1, 100))
    save_random_weights(tmp_path / "jpeg.safetensors", config=told_the_rate)

    done = run(tmp_path, "-c", ONE_AFTER_THE_OTHER, installed=installed, typed="\n".join(lines))

    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[2:] for line in done.stdout.splitlines() if line.startswith("$ ")] == lines
    assert "webp (example-webp 0.1.0)" in done.stdout
    assert "1 passed" in done.stdout
    with Image.open(tmp_path / "photo.enhanced.png") as enhanced:
        assert enhanced.size == (40, 32)
    assert len((tmp_path / "pairs" / "index.csv").read_text().splitlines()) == 7
    exported = WeightsFile(tmp_path / "example_webp" / "webp.safetensors").metadata()
    assert (exported.codec_id, exported.late_start, exported.evaluations) == ("webp", 80, 4)
    files = {path.name for path in (tmp_path / "example_webp").iterdir() if path.is_file()}
    assert files == {"__init__.py", "webp.safetensors", "webp.md", "manifest.json"}


def test_shipped_as_the_guide_says_its_weights_are_used_unasked(
    source: Path, photographs: Path, weights: Path, tmp_path: Path
) -> None:
    ship(source, weights)
    pip_install(source, tmp_path)

    done = run(photographs, "-m", "dirac_enhance", "photo.webp", "-o", "b.png", "-v", installed=tmp_path)

    assert (done.returncode, done.stdout) == (0, "b.png\n"), done.stderr
    assert "codec webp" in done.stderr
    assert f"weights {_sha256(weights)[:12]}" in done.stderr


def ship(source: Path, weights: Path) -> None:
    """Do what the guide says under "Ship the weights"."""
    package = source / "example_webp"
    package.mkdir()
    for file in (weights, weights.with_suffix(".md")):
        shutil.copy(file, package)
    module = source.joinpath("example_webp.py").rename(package / "__init__.py")
    hook = text_of(GUIDE, "example_webp/__init__.py, with weights").replace(
        "the sha256 in manifest.json", _sha256(weights)
    )
    changed = _replace(r"@hookimpl\n.*?(?=\n\n\n)", hook.rstrip(), module.read_text())
    changed = changed.replace("    check_options,\n", "    WeightsFile,\n    check_options,\n")
    module.write_text(changed.replace("from io import BytesIO\n", "from io import BytesIO\nfrom pathlib import Path\n"))
    project = source / "pyproject.toml"
    tool = text_of(GUIDE, "pyproject.toml, with weights")
    project.write_text(_replace(r"\[tool\.setuptools\]\n.*", tool, project.read_text()))


def _replace(pattern: str, replacement: str, text: str) -> str:
    changed, times = re.subn(pattern, lambda _: replacement, text, flags=re.DOTALL)
    assert times == 1
    return changed


def _sha256(weights: Path) -> str:
    (row,) = json.loads(weights.with_name("manifest.json").read_text())["weights"]
    return str(row["sha256"])
