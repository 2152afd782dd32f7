"""Mode `compressai`: the pixels are those of CompressAI's own VTM class, and it is what encodes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest
import torch
from PIL import Image

from dirac_enhance import InvalidBitstreamError, PluginError
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.colour import SampleFormat, to_pixels, to_samples
from dirac_enhance_vtm.compressai_bench import to_compressai_pixels
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.planes import Plane, Planes
from dirac_enhance_vtm.pyav import decode_by_pyav

if TYPE_CHECKING:
    from .conftest import Fake, Stream

Find = Callable[[str], "Stream"]
KODAK = Path(__file__).parents[4] / "shared" / "data" / "eval" / "kodak"
EIGHT_BITS = SampleFormat("bt709", "full", 8)

RUN_COMPRESSAI = """
import json, sys
from argparse import Namespace
from PIL import Image
from compressai.utils.bench.codecs import VTM
codec = VTM(Namespace(build_dir=sys.argv[1], config=sys.argv[2], rgb=False))
info, picture = codec.run(sys.argv[3], 37, metrics=[], return_rec=True)
picture.save(sys.argv[4])
"""


def test_pictures_and_streams_are_those_of_compressai(
    build_dir: Path, fake: Fake, stream: Find, tmp_path: Path
) -> None:
    """Decoding gives the same 8-bit picture, and the encoder is given the same samples with the same arguments."""
    given = stream("intra444_8bit_129x65").data
    planes = decode_by_pyav(find_first_picture(given)).to_eight_bits()
    assert planes.chroma is not None
    samples = b"".join(plane.astype("u1").tobytes() for plane in (planes.luma, *planes.chroma))
    log = tmp_path / "log"
    fake(
        "EncoderAppStatic",
        f"""
        import hashlib, json
        content = hashlib.sha256(open(argument("-i"), "rb").read()).hexdigest()
        options = [each for each in sys.argv[1:] if each not in (argument("-i"), argument("-b"))]
        open({str(log)!r}, "a").write(json.dumps([content, options]) + "\\n")
        open(argument("-b"), "wb").write({given!r})
        """,
    )
    fake("DecoderAppStatic", f"open(argument('-o'), 'wb').write({samples!r})")
    levels = numpy.random.default_rng(6).integers(0, 256, (65, 129, 3), dtype=numpy.uint8)
    source, decoded = tmp_path / "source.png", tmp_path / "decoded.png"
    Image.fromarray(levels).save(source)
    config = build_dir.parent / "cfg" / "encoder_intra_vtm.cfg"
    command = [sys.executable, "-c", RUN_COMPRESSAI, str(build_dir), str(config), str(source), str(decoded)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    codec = VtmCodec(build_dir=str(build_dir), mode="compressai", decoder="pyav")
    pixels = torch.from_numpy(levels).permute(2, 0, 1) / 255

    base, coded = codec.decode(given), codec.encode(pixels, rate_factor=37)

    theirs = torch.from_numpy(numpy.array(Image.open(decoded))).permute(2, 0, 1)
    assert torch.equal((base.pixels * 255).round().to(torch.uint8), theirs)
    assert coded == given
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert first == second
    assert hashlib.sha256(_truncate(levels)).hexdigest() == first[0]


def _truncate(levels: numpy.typing.NDArray[numpy.uint8]) -> bytes:
    red, green, blue = torch.from_numpy(levels).permute(2, 0, 1).float() / 255
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    planes = torch.stack((luma, 0.5 * (blue - luma) / (1 - 0.0722) + 0.5, 0.5 * (red - luma) / (1 - 0.2126) + 0.5))
    return (planes.clamp(0, 1) * 255).to(torch.uint8).numpy().tobytes()


def test_the_conversions_alone_cost_what_was_measured() -> None:
    """On all of Kodak 43.7 dB where Y, Cb, Cr and then R, G, B are truncated, and 53.0 dB where they are rounded."""
    files = sorted(KODAK.glob("*.png"))[::4]
    if not files:
        pytest.skip(f"needs the pictures of {KODAK}")
    truncated, rounded = [], []
    for file in files:
        with Image.open(file) as picture:
            levels = numpy.array(picture.convert("RGB"))
        height, width, _ = levels.shape
        samples = numpy.frombuffer(_truncate(levels), numpy.uint8).reshape(3, height, width).astype(numpy.uint16)
        truncated.append(_psnr(to_compressai_pixels(_planes(samples)), levels))
        samples = to_samples(torch.from_numpy(levels).permute(2, 0, 1) / 255, EIGHT_BITS)
        rounded.append(_psnr(to_pixels(_planes(samples), EIGHT_BITS), levels))

    assert numpy.mean(truncated) == pytest.approx(43.7, abs=0.3)
    assert numpy.mean(rounded) == pytest.approx(53.0, abs=0.3)


def _planes(samples: Plane) -> Planes:
    return Planes(samples[0], (samples[1], samples[2]), bit_depth=8)


def _psnr(pixels: torch.Tensor, levels: numpy.typing.NDArray[numpy.uint8]) -> float:
    difference = (pixels * 255).round().permute(1, 2, 0).double().numpy() - levels
    return float(10 * numpy.log10(255**2 / numpy.mean(difference**2)))


def test_truncation_darkens_what_rounding_keeps(stream: Find) -> None:
    data = stream("intra444_8bit_129x65").data

    rounded, truncated = VtmCodec().decode(data), VtmCodec(mode="compressai").decode(data)

    assert -1.0 < float((truncated.pixels - rounded.pixels).mean()) * 255 < -0.2


def test_subsampled_chroma_is_refused(stream: Find) -> None:
    with pytest.raises(InvalidBitstreamError, match=r"not in 4:4:4; codec option mode=compressai"):
        VtmCodec(mode="compressai").decode(stream("intra420").data)


def test_a_failure_within_compressai_is_an_error_here_and_leaves_nothing(build_dir: Path, fake: Fake) -> None:
    fake("EncoderAppStatic", "print('out of luck'); sys.exit(9)")
    fake("DecoderAppStatic", "")
    codec = VtmCodec(build_dir=str(build_dir), mode="compressai")

    with pytest.raises(PluginError, match="failed with exit code 1: out of luck"):
        codec.encode(torch.zeros(3, 8, 8), rate_factor=37)
