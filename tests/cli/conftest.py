"""A command line over the JPEG codec with tiny random weights, and small files to feed it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy
import pluggy
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageCms

from dirac_enhance import CodecHost, PluginFailure, RegisteredCodec, WeightsFile
from dirac_enhance.cli.group import build_group
from dirac_enhance_jpeg import JpegCodec
from random_weights import save_random_weights

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsFile:
    """Weights of the tiny network, random down to its last layer, so that it changes pictures."""
    return save_random_weights(tmp_path_factory.mktemp("weights") / "jpeg.safetensors", evaluations=3)


@pytest.fixture
def host(weights: WeightsFile) -> CodecHost:
    """The JPEG codec, and a plugin that failed."""
    failure = PluginFailure("dist-broken", "0.3", ImportError("no module named 'reference_binary'"))
    return CodecHost(
        codecs={"jpeg": RegisteredCodec(JpegCodec(), weights, "dirac-enhance", "1.0")},
        failures={"broken": failure},
        _manager=pluggy.PluginManager("dirac_enhance"),
        _entry_points=MappingProxyType({}),
    )


@pytest.fixture
def run(host: CodecHost) -> Run:
    """Run a command line, with `content` on its standard input; an exception that is no clean exit fails the test."""

    def invoke(*arguments: str | Path, content: bytes | None = None) -> Result:
        result = CliRunner().invoke(build_group(host), [str(argument) for argument in arguments], input=content)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture(scope="session")
def jpeg_bytes() -> bytes:
    """A 56×40 JPEG of quality 20."""
    rows, columns = numpy.mgrid[0:40, 0:56]
    samples = numpy.stack([rows * 6, columns * 4, (rows * columns) % 256], axis=-1).astype(numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", quality=20)
    return buffer.getvalue()


@pytest.fixture
def photo(tmp_path: Path, jpeg_bytes: bytes) -> Path:
    """That JPEG as a file, alone in its folder."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg_bytes)
    return path


@pytest.fixture(scope="session")
def swapped_profile() -> bytes:
    """A profile called "Swap built-in" whose red is sRGB's green, and the reverse."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")  # the tag table names them first
    places = slice(red + 4, red + 12), slice(green + 4, green + 12)
    profile[places[0]], profile[places[1]] = profile[places[1]], profile[places[0]]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))
