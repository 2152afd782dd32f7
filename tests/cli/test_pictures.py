"""What goes into `dirac-enhance FILE…` and comes out: decoded pixels, standard streams, depth, and absurd pictures."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from click.testing import Result
from PIL import Image, ImageCms

Run = Callable[..., Result]


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _picture(path: Path, size: tuple[int, int] = (56, 40), **options: Any) -> Path:
    samples = numpy.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
    Image.fromarray(samples).save(path, **options)
    return path


def _error(result: Result) -> str:
    assert result.exit_code == 1
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert "Traceback" not in result.output
    return error


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".bmp", ".ppm", ".webp"])
def test_decoded_pixels_are_enhanced_without_a_codec(run: Run, tmp_path: Path, suffix: str) -> None:
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    source = _picture(tmp_path / f"frame{suffix}", **options)

    result = run(source, "--enhancer", "jpeg", "--steps", "1", "--verbose")

    assert result.exit_code == 0
    assert "codec jpeg, rate factor unknown, 56×40" in result.stderr
    with Image.open(source) as before, Image.open(tmp_path / "frame.enhanced.png") as enhanced:
        assert enhanced.size == (56, 40)
        assert not numpy.array_equal(numpy.array(before.convert("RGB")), numpy.array(enhanced))


def test_same_pixels_give_the_same_picture_whatever_file_holds_them(run: Run, photo: Path, tmp_path: Path) -> None:
    results = []
    with Image.open(photo) as decoded:
        for suffix in (".png", ".bmp", ".tiff"):
            decoded.save(tmp_path / f"screen{suffix}")
            run(tmp_path / f"screen{suffix}", "--enhancer", "jpeg", "--overwrite")
            with Image.open(tmp_path / "screen.enhanced.png") as enhanced:
                results.append(numpy.array(enhanced))

    assert numpy.array_equal(results[0], results[1])
    assert numpy.array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.jpg", "--enhancer", "jpeg"], r"photo.jpg': a JPEG file is still coded, expected decoded pixels"),
        (["frame.png", "--enhancer", "vvc"], "unknown codec 'vvc'; known codecs: jpeg"),
        (["frame.png", "--enhancer", "jpeg", "--codec", "jpeg"], "for which no codec runs; leave out --codec"),
        (["frame.png", "--enhancer", "jpeg", "--codec-option", "subsampling=4:4:4"], "leave out --codec and"),
        (["frame.png"], "the file's content is of no known codec"),
        (["frame.jpg", "--enhancer", "jpeg", "--max-pixels", "2239"], "claims 56×40 pixels; expected at most 2,239"),
        (["photo.jpg", "--max-pixels", "2239"], "claims 56×40 pixels; expected at most 2,239: raise --max-pixels"),
        (["photo.jpg", "--depth", "16", "-o", "x.jpg"], "'x.jpg' cannot hold 16 bits per sample; end its name in .png"),
        (["photo.jpg", "--depth", "16", "-o", "x.webp"], "'x.webp' cannot hold 16 bits per sample"),
    ],
)
def test_what_does_not_go_together_is_one_clear_line(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(photo.parent)
    _picture(Path("frame.png"))
    Path("frame.jpg").write_bytes(Path("frame.png").read_bytes())  # a wrong suffix does not matter
    before = _files(photo.parent)

    assert message in _error(run(*arguments))
    assert _files(photo.parent) == before


def test_wrong_suffix_does_not_matter(run: Run, photo: Path) -> None:
    photo.rename(photo.with_name("photo.png"))

    assert run(photo.with_name("photo.png"), "--steps", "1").exit_code == 0


def test_standard_input_goes_to_standard_output(run: Run, photo: Path) -> None:
    run(photo)
    result = run("-", content=photo.read_bytes())

    assert result.exit_code == 0
    assert result.stdout_bytes == photo.with_name("photo.enhanced.png").read_bytes()


def test_standard_input_may_hold_decoded_pixels(run: Run, tmp_path: Path) -> None:
    content = _picture(tmp_path / "frame.ppm").read_bytes()

    result = run("-", "--enhancer", "jpeg", "--depth", "16", "--steps", "1", "--verbose", content=content)

    assert result.exit_code == 0
    assert result.stdout_bytes[24:26] == bytes((16, 2))  # 16 bits, RGB


def test_standard_input_may_go_to_a_file_or_folder(run: Run, photo: Path) -> None:
    content = photo.read_bytes()
    photo.unlink()

    assert run("-", "-o", photo.parent / "x.webp", "--steps", "1", content=content).exit_code == 0
    assert run("-", "-o", f"{photo.parent}/", "--steps", "1", content=content).exit_code == 0
    assert _files(photo.parent) == ["stdin.png", "x.webp"]


def test_file_may_go_to_standard_output(run: Run, photo: Path) -> None:
    result = run(photo, "-o", "-", "--steps", "1")

    assert Image.open(io.BytesIO(result.stdout_bytes)).size == (56, 40)
    assert _files(photo.parent) == ["photo.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "standard input is empty; expected a picture"),
        (b"plain text", "standard input: the file's content is of no known codec"),
        (b"\xff\xd8\xff\xe0", "standard input: not a whole JPEG"),
    ],
)
def test_standard_input_without_a_picture(run: Run, content: bytes, message: str) -> None:
    result = run("-", content=content)

    assert message in _error(result)
    assert result.stdout == ""


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_terminal_is_neither_read_nor_written(photo: Path, stream: str) -> None:
    leader, terminal = os.openpty()
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | {stream: terminal}
    source = "-" if stream == "stdin" else str(photo)
    try:
        command = [sys.executable, "-m", "dirac_enhance", source, "-o", "-"]
        finished = subprocess.run(command, **streams, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(leader)
        os.close(terminal)

    name = {"stdin": "input", "stdout": "output"}[stream]
    assert finished.returncode == 1
    assert f"Error: standard {name} is a terminal or closed; " in finished.stderr.decode()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bits_in_and_out(run: Run, tmp_path: Path, suffix: str) -> None:
    import cv2

    ramp = numpy.linspace(0, 65535, 40 * 56, dtype=numpy.uint16).reshape(40, 56)
    cv2.imwrite(str(tmp_path / f"frame{suffix}"), numpy.stack([ramp, ramp // 2, ramp // 3], axis=-1))

    result = run(tmp_path / f"frame{suffix}", "--enhancer", "jpeg", "--depth", "16", "-o", tmp_path / f"out{suffix}")

    assert result.exit_code == 0
    written = cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED)
    assert (str(written.dtype), written.shape) == ("uint16", (40, 56, 3))
    assert len(numpy.unique(written)) > 3 * 256  # more levels than 8 bits have


def test_stripped_results_keep_the_colour_profile_alone(run: Run, photo: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    with Image.open(photo) as picture:
        picture.save(photo, quality=20, exif=tags, icc_profile=profile, dpi=(300, 300))

    assert run(photo, "--strip-metadata", "--steps", "1").exit_code == 0

    with Image.open(photo.with_name("photo.enhanced.png")) as picture:
        assert set(picture.info) == {"icc_profile"}


def test_source_keeps_its_bytes_permissions_and_times(run: Run, photo: Path) -> None:
    photo.chmod(0o640)
    os.utime(photo, ns=(1_000_000_000, 2_000_000_000))
    content, before = photo.read_bytes(), photo.stat()
    os.utime(photo, ns=(1_000_000_000, 2_000_000_000))

    assert run(photo, "--steps", "1").exit_code == 0

    after = photo.stat()
    assert photo.read_bytes() == content
    assert (after.st_mode, after.st_mtime_ns, after.st_ino) == (before.st_mode, before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
def test_smallest_and_longest_pictures(run: Run, tmp_path: Path, size: tuple[int, int]) -> None:
    for name, options in (("coded.jpg", ()), ("decoded.png", ("--enhancer", "jpeg"))):
        result = run(_picture(tmp_path / name, size=size), *options, "--steps", "1", "-o", tmp_path / f"{name}.out.png")

        assert result.exit_code == 0
        with Image.open(tmp_path / f"{name}.out.png") as picture:
            assert picture.size == size


@pytest.mark.parametrize("options", [{"save_all": True}, {"save_all": True, "lossless": True}])
def test_animated_file_is_one_clear_line(run: Run, tmp_path: Path, options: dict[str, Any]) -> None:
    suffix = ".webp" if "lossless" in options else ".png"
    second = Image.new("RGB", (56, 40))
    source = _picture(tmp_path / f"moving{suffix}", append_images=[second], **options)

    assert "an animated" in _error(run(source, "--enhancer", "jpeg"))
    assert _files(tmp_path) == [source.name]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_name_that_is_no_utf_8_is_read_and_written(run: Run, photo: Path) -> None:
    source = Path(os.fsdecode(os.fsencode(photo.parent) + b"/caf\xe9.jpg"))
    photo.rename(source)

    result = run(source, "--steps", "1")

    assert result.exit_code == 0
    assert sorted(os.listdir(os.fsencode(photo.parent))) == [b"caf\xe9.enhanced.png", b"caf\xe9.jpg"]  # noqa: PTH208


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_device_is_refused_at_once(run: Run, device: str) -> None:
    assert "is a device or pipe; expected a file, or - to read" in _error(run(device, "-o", "x.png"))


def test_unreadable_file_is_one_clear_line(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # permissions do not stop root

    assert "cannot read" in _error(run(photo))


def test_read_only_folder_is_refused_before_anything_is_decoded(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = SimpleNamespace(access=lambda *_: False, W_OK=os.W_OK, X_OK=os.X_OK)  # permissions do not stop root
    monkeypatch.setattr("dirac_enhance.atomic.os", refusing)
    monkeypatch.setattr("dirac_enhance.pipeline.decode_file", None)

    assert "is not writable" in _error(run(photo))
    assert _files(photo.parent) == ["photo.jpg"]


def test_full_disk_is_one_clear_line_and_leaves_nothing(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)

    assert "photo.enhanced.png': No space left on device" in _error(run(photo, "--steps", "1"))
    assert _files(photo.parent) == ["photo.jpg"]


def test_absurd_exif_and_broken_profile_are_warned_of_and_the_picture_enhanced(run: Run, photo: Path) -> None:
    absurd = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff\x09\0\0\0"
    with Image.open(photo) as picture:
        picture.save(photo, quality=20, exif=absurd, icc_profile=b"junk" * 50)

    result = run(photo, "--steps", "1")

    assert result.exit_code == 0
    warned = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(warned) == 2
    target = photo.with_name("photo.enhanced.png")
    assert warned[0] == f"Warning: '{target}': the source's colour profile is not one for RGB pictures and is left out"
    assert warned[1] == f"Warning: '{target}': the EXIF block is damaged and is left out"


def test_warning_of_a_decoder_names_the_file(run: Run, tmp_path: Path) -> None:
    source = _picture(tmp_path / "pages.tiff", save_all=True, append_images=[Image.new("L", (4, 4))])

    result = run(source, "--enhancer", "jpeg", "--steps", "1")

    assert f"Warning: '{source}': the TIFF file has several pages; the first is read\n" in result.stderr
