"""`dirac-enhance bench --streams`: coded files made beforehand, up to tables, and what it says of bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

Run = Callable[..., Result]
_PLAIN = ("bench", "originals", "--streams", "streams", "--metrics", "psnr", "--device", "cpu")


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two originals, one with JPEG files of two qualities, and one with a file of the lower."""
    monkeypatch.chdir(tmp_path)
    records = []
    for folder in ("originals", "streams"):
        Path(folder).mkdir()
    for name, rates in (("a", (10, 40)), ("b", (10,))):
        picture = Image.linear_gradient("L").resize((48, 32)).convert("RGB")
        picture.save(f"originals/{name}.png")
        for rate in rates:
            picture.save(f"streams/{name}{rate}.jpg", quality=rate)
            records.append(json.dumps({"image": f"{name}.png", "rate": rate, "file": f"{name}{rate}.jpg"}))
    Path("streams/results.jsonl").write_text("\n".join(records))


def test_streams_are_benched_tabled_and_reported(run: Run) -> None:
    result = run(*_PLAIN, "--steps", "1")

    assert result.exit_code == 0, result.output
    assert "left out: rate 40: 1 of 2 originals have a stream" in result.stderr
    assert result.stdout.splitlines()[0].endswith("protocol codec")
    contents = json.loads(Path("results/results.json").read_text())
    assert [(cell["rate"], cell["method"]) for cell in contents["cells"]] == [(10, "base"), (10, "steps")]
    assert len({cell["streams_sha256"] for cell in contents["cells"]} - {None}) == 1
    assert "streams_sha256" in Path("results/results.csv").read_text().splitlines()[0]
    assert "| jpeg | 10 | " in run("bench", "--table", "results/results.json").stdout
    assert run("report", "results/results.json", "-o", "page.html").exit_code == 0


def test_rates_choose_among_the_streams(run: Run) -> None:
    result = run(*_PLAIN, "--steps", "", "--rates", "40")

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].startswith("originals, 1 with streams, 1 images")


@pytest.mark.parametrize(
    ("arguments", "break_it", "message"),
    [
        ((), lambda: Path("streams/results.jsonl").unlink(), "Error: cannot read 'streams/results.jsonl': "),
        ((), lambda: Path("originals/b.png").unlink(), "Error: 'originals' lacks b.png, of which there are streams"),
        (("--rates", "20"), lambda: None, "Error: 'streams/results.jsonl' lists no streams at 20"),
        (("--gray",), lambda: None, "Error: streams are measured as they are; leave out"),
        (
            (),
            lambda: Path("streams/a10.jpg").write_bytes(b"no JPEG"),
            "left out: rate 10, base: a.png at 10: not a who",
        ),
    ],
)
def test_bad_input_is_one_line(
    run: Run, arguments: tuple[str, ...], break_it: Callable[[], object], message: str
) -> None:
    break_it()
    result = run(*_PLAIN, "--steps", "", *arguments)

    assert result.exit_code == 1
    assert len([line for line in result.stderr.splitlines() if message in line]) == 1
    assert "Traceback" not in result.stderr
