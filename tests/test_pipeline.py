"""Files through the flow: what is refused and how, and that a plugin's mistakes are named as such."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pluggy
import pytest
import torch
from PIL import Image
from typing_extensions import Self

from dirac_enhance import (
    MAX_PIXELS,
    BaseReconstruction,
    CodecHost,
    CodecOption,
    CodecOptionError,
    DiracError,
    Enhancer,
    InvalidBitstreamError,
    InvalidImageError,
    OptionValue,
    PluginError,
    RegisteredCodec,
    UnknownCodecError,
    check_options,
    check_pixel_count,
)
from dirac_enhance.enhancer import Progress
from dirac_enhance.image import read_rgb
from dirac_enhance.pipeline import CodecChoice, decode_file, enhance_file
from dirac_enhance.sampling import SamplingSettings


@dataclass(frozen=True)
class ToyCodec:
    """Files of "TOY" and one byte of gray, decoded to 4×6 pixels; subclasses get it wrong."""

    id: str = "toy"
    file_suffixes: tuple[str, ...] = (".toy",)
    options: tuple[CodecOption, ...] = (CodecOption("brighter-by", float, 0.0, "added to each pixel"),)
    brighter_by: float = 0.0

    def with_options(self, **values: OptionValue) -> Self:
        return replace(self, **check_options(self.options, values))  # type: ignore[arg-type] # checked just now

    def detect(self, header: bytes) -> bool:
        return header.startswith(b"TOY")

    def decode(self, data: bytes) -> BaseReconstruction:
        if len(data) != 4:
            raise InvalidBitstreamError(f"{len(data)} bytes; a toy has 4")
        return BaseReconstruction(torch.full((3, 4, 6), data[3] / 255 + self.brighter_by), coded_bytes=4)


def _host(*codecs: ToyCodec) -> CodecHost:
    registered = {codec.id: RegisteredCodec(codec, None, "dist-toy", "1.5") for codec in codecs}
    manager = pluggy.PluginManager("dirac_enhance")
    return CodecHost(registered, {}, _manager=manager, _entry_points={})


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.toy"
    path.write_bytes(b"TOY\x33")
    return path


def test_file_is_decoded_by_the_codec_that_recognises_it(toy_file: Path) -> None:
    decoded = decode_file(toy_file, _host(ToyCodec()))

    assert decoded.codec.codec.id == "toy"
    assert torch.equal(decoded.base.pixels, torch.full((3, 4, 6), 0.2))


def test_options_are_read_from_text_and_set(toy_file: Path) -> None:
    decoded = decode_file(toy_file, _host(ToyCodec()), choice=CodecChoice(options={"brighter-by": "0.5"}))

    assert float(decoded.base.pixels.max()) == pytest.approx(0.7)


def test_file_goes_through_the_whole_flow(toy_file: Path, tmp_path: Path) -> None:
    class Inverting:
        def enhance_batch(
            self, bases: list[BaseReconstruction], sampling: SamplingSettings, *, progress: Progress
        ) -> list[torch.Tensor]:
            progress(1, 1)
            return [1 - base.pixels for base in bases]

        def evaluations(self, *, steps: int, **_: object) -> int:
            return steps

    sampling, steps = SamplingSettings(steps=3, samples=2), list[tuple[int, int]]()
    done = enhance_file(
        toy_file,
        tmp_path / "result.png",
        host=_host(ToyCodec()),
        load_enhancer_of=lambda _: cast(Enhancer, Inverting()),
        sampling=sampling,
        progress=lambda *step: steps.append(step),
    )

    assert (done.target, done.decoded.codec.codec.id, done.evaluations) == (tmp_path / "result.png", "toy", 6)
    assert steps == [(1, 1)]
    torch.testing.assert_close(read_rgb(done.target), torch.full((3, 4, 6), 0.8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"darker": "1"}, "unknown option 'darker' of codec 'toy'; its options: brighter-by"),
        ({"brighter-by": "much"}, "codec option 'brighter-by' takes a value of type float, not 'much'"),
    ],
)
def test_option_that_cannot_be_set_is_refused(toy_file: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(CodecOptionError, match=message):
        decode_file(toy_file, _host(ToyCodec()), choice=CodecChoice("toy", options))


def test_unrecognised_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"plain text")

    with pytest.raises(UnknownCodecError, match=r"notes\.txt': the file's content is of no known codec"):
        decode_file(tmp_path / "notes.txt", _host(ToyCodec()))


def test_unknown_codec_is_refused(toy_file: Path) -> None:
    with pytest.raises(UnknownCodecError, match=r"unknown codec 'toi'.*known codecs: toy"):
        decode_file(toy_file, _host(ToyCodec()), choice=CodecChoice("toi"))


def test_file_that_the_codec_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "long.toy").write_bytes(b"TOY and more")

    with pytest.raises(InvalidBitstreamError, match=r"long\.toy': 12 bytes; a toy has 4"):
        decode_file(tmp_path / "long.toy", _host(ToyCodec()))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.toy", r"there is no file '.*missing\.toy'"),
        ("folder", r"'.*folder' is a folder; name the files in it"),
        ("empty.toy", r"'.*empty\.toy' is empty"),
        ("pipe", r"'.*pipe' is a device or pipe; expected a file"),
        ("folder/../empty.toy/below.toy", r"cannot read '.*': Not a directory"),
        ("n" * 300, r"cannot read '.*': File name too long"),
        ("null\0byte", r"there is no file|cannot read"),
    ],
)
def test_what_is_no_readable_file_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.toy").touch()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InvalidImageError, match=message):
        decode_file(tmp_path / name, _host(ToyCodec()))


class _Raises(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        raise KeyError("quant_table")


class _ReturnsTensor(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        return torch.zeros(3, 4, 6)  # type: ignore[return-value] # the mistake under test


class _ReturnsNaN(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.full((3, 4, 6), float("nan")), coded_bytes=4)


class _Returns255(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.full((3, 4, 6), 255.0), coded_bytes=4)


class _ReturnsWrongShape(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.zeros(4, 6, 3), coded_bytes=4)


class _ReturnsBadAlpha(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        return BaseReconstruction(torch.zeros(3, 4, 6), coded_bytes=4, alpha=torch.full((4, 6), -1.0))


@pytest.mark.parametrize(
    ("codec", "fault"),
    [
        (_Raises(), r"failed: KeyError: 'quant_table'"),
        (_ReturnsTensor(), r"it decoded to Tensor, expected BaseReconstruction"),
        (_ReturnsNaN(), r"it decoded to pixels from nan to nan, expected 0 to 1"),
        (_Returns255(), r"it decoded to pixels from 255 to 255, expected 0 to 1"),
        (_ReturnsWrongShape(), r"pixels of shape \(4, 6, 3\)"),
        (_ReturnsBadAlpha(), r"it decoded to alpha from -1 to -1, expected 0 to 1"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ToyCodec) else "",
)
def test_broken_codec_is_named_with_its_distribution(toy_file: Path, codec: ToyCodec, fault: str) -> None:
    with pytest.raises(PluginError, match=rf"picture\.toy': codec 'toy' from dist-toy 1\.5 .*{fault}"):
        decode_file(toy_file, _host(codec))


@dataclass(frozen=True)
class _Sized(ToyCodec):
    """Refuses what is too large before it decodes."""

    options: tuple[CodecOption, ...] = (MAX_PIXELS,)
    max_pixels: int = 10

    def decode(self, data: bytes) -> BaseReconstruction:
        check_pixel_count(4, 6, maximum=self.max_pixels)
        return super().decode(data)


class _Bomb(ToyCodec):
    def decode(self, data: bytes) -> BaseReconstruction:
        raise Image.DecompressionBombError("Image size (9 pixels) exceeds limit of 8 pixels")


@pytest.mark.parametrize("codec", [ToyCodec(), _Sized()], ids=["size is checked afterwards", "size is checked first"])
def test_limit_on_pixels_holds_for_every_codec(toy_file: Path, codec: ToyCodec) -> None:
    assert decode_file(toy_file, _host(codec), choice=CodecChoice(max_pixels=24)).base.width == 6
    with pytest.raises(InvalidBitstreamError, match=r"picture\.toy': the file claims 6×4 pixels; expected at most 23:"):
        decode_file(toy_file, _host(codec), choice=CodecChoice(max_pixels=23))


def test_limit_given_as_an_option_of_the_codec_counts(toy_file: Path) -> None:
    with pytest.raises(InvalidBitstreamError, match="expected at most 23:"):
        decode_file(toy_file, _host(_Sized()), choice=CodecChoice(options={"max-pixels": "23"}))


def test_pillow_s_own_limit_is_no_fault_of_the_plugin(toy_file: Path) -> None:
    with pytest.raises(InvalidBitstreamError, match="claims too many pixels: Image size"):
        decode_file(toy_file, _host(_Bomb()))


def test_decoded_pixels_go_with_the_codec_whose_artefacts_they_carry(tmp_path: Path) -> None:
    Image.new("L", (6, 4), 51).save(tmp_path / "frame.png")

    decoded = decode_file(tmp_path / "frame.png", _host(ToyCodec()), choice=CodecChoice(enhancer_id="toy"))

    assert decoded.codec.codec.id == "toy"
    assert torch.equal(decoded.base.pixels, torch.full((3, 4, 6), 0.2))
    assert (decoded.base.rate_factor, decoded.base.metadata.grayscale) == (None, True)


def test_codec_s_own_library_error_passes_through(toy_file: Path) -> None:
    class NeedsBinary(ToyCodec):
        def decode(self, data: bytes) -> BaseReconstruction:
            raise DiracError("the reference binary is missing; install it")

    with pytest.raises(DiracError, match=r"^the reference binary is missing"):
        decode_file(toy_file, _host(NeedsBinary()))
