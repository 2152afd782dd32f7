"""`dirac-enhance codecs` and `dirac-enhance networks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner, Result

from dirac_enhance import CodecHost, WeightsFile
from dirac_enhance.cli.group import build_group
from random_weights import save_random_weights

Run = Callable[..., Result]


def test_codecs_tells_everything_of_a_codec(run: Run) -> None:
    assert run("codecs").stdout == (
        "jpeg (dirac-enhance 1.0)\n"
        "  suffixes  .jpg .jpeg .jpe .jfif .mpo\n"
        "  coding    decodes; encodes at whole rate factors 1 to 100, higher is better\n"
        "  option    subsampling=4:2:0  resolution of the chroma planes when encoding (one of 4:2:0, 4:2:2, 4:4:4)\n"
        "  option    gray=False  encode the luma alone, as a file of one component (bool)\n"
        "  option    max-pixels=200000000  pixels of the largest picture that is decoded (int)\n"
        "  weights   jpeg.safetensors: random numbers\n"
        "            late start 80, log-snr spacing, 3 evaluations\n"
        "\n"
        "Failed to load:\n"
        "  broken (dist-broken 0.3): ImportError: no module named 'reference_binary'\n"
    )


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        (None, "none; train some with `dirac-enhance train --codec jpeg`, or pass --weights FILE"),
        (WeightsFile(Path("gone.safetensors")), "gone.safetensors, not usable: cannot read the weights"),
    ],
)
def test_codecs_tells_what_is_wrong_with_weights(host: CodecHost, weights: WeightsFile | None, line: str) -> None:
    changed = {"jpeg": replace(host.codecs["jpeg"], weights=weights)}

    result = CliRunner().invoke(build_group(replace(host, codecs=changed)), ["codecs"])

    assert result.exit_code == 0
    assert f"  weights   {line}" in result.stdout


def test_codecs_tells_where_weights_end_their_trajectory(host: CodecHost, tmp_path: Path) -> None:
    weights = save_random_weights(tmp_path / "jpeg.safetensors", end_timestep=10)
    changed = {"jpeg": replace(host.codecs["jpeg"], weights=weights)}

    result = CliRunner().invoke(build_group(replace(host, codecs=changed)), ["codecs"])

    assert "            late start 80, log-snr spacing, 2 evaluations down to t = 10\n" in result.stdout


def test_no_codecs_at_all_is_said(host: CodecHost) -> None:
    empty = replace(host, codecs=MappingProxyType({}), failures=MappingProxyType({}))

    assert "No codecs." in CliRunner().invoke(build_group(empty), ["codecs"]).stdout


def test_networks_tells_size_cost_and_reach(run: Run) -> None:
    result = run("networks")

    assert result.exit_code == 0
    heading, *rows = (line.split() for line in result.stdout.splitlines())
    assert heading == ["network", "parameters", "MMAC/pixel", "stride", "reach"]
    table = {row[0]: row[1:] for row in rows}
    assert table["paper"][0] == "108,418,435"
    assert table["paper"][3] == "all"
    assert int(table["small"][3]) <= 128
    assert all(float(row[1]) > 0 for row in table.values())
    assert len({len(line) for line in result.stdout.splitlines()}) == 1
