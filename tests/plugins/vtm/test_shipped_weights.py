"""The weights that ship for VVC, through the command line, on a real stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import numpy.typing
from click.testing import CliRunner
from PIL import Image

from dirac_enhance import bundled_weights, load_host
from dirac_enhance.cli.group import build_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Stream


def test_they_change_a_decoded_picture_by_the_steps_asked_for(stream: Callable[[str], Stream], tmp_path: Path) -> None:
    source = tmp_path / "still.vvc"
    source.write_bytes(stream("intra444_8bit_64x64_qp32").data)
    shipped = bundled_weights("vtm")
    assert shipped is not None
    assert shipped.sha256 is not None
    digest = shipped.sha256[:12]

    def run(*arguments: str) -> numpy.typing.NDArray[numpy.float64]:
        target = tmp_path / f"{'-'.join(arguments)}.png"
        command = [*arguments, str(source), "--codec", "vtm", "-o", str(target)]
        result = CliRunner().invoke(build_group(load_host()), command)
        assert result.exit_code == 0, result.output
        if "enhance" in arguments:
            assert f"weights {digest}" in result.stderr
        with Image.open(target) as picture:
            assert picture.size == (64, 64)
            return numpy.array(picture).astype(numpy.float64)

    plain = run("decode")
    fidelity, realism = (run("enhance", "--verbose", "--device", "cpu", "--steps", steps) for steps in ("1", "100"))

    for one, other in ((fidelity, plain), (realism, plain), (realism, fidelity)):
        assert 0.1 < numpy.abs(one - other).mean() < 10  # levels of 255: another picture, and of the same thing
