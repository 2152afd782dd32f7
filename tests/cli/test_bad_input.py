"""Bad input to `dirac-enhance FILE…`: one clear line, the right exit code, nothing written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image

from dirac_enhance import CodecHost, Enhancer, RegisteredCodec, WeightsFile

Run = Callable[..., Result]


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _errors(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("Error: ")]


def _check_single_error(result: Result, message: str, *, exit_code: int = 1) -> None:
    assert result.exit_code == exit_code
    assert result.stdout == ""
    (error,) = _errors(result)
    assert re.search(message, error), error


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jpg", None, r"there is no file '.*missing\.jpg'"),
        ("empty.jpg", b"", r"'.*empty\.jpg' is empty"),
        ("notes.jpg", b"plain text", r"notes\.jpg': the file's content is of no known codec; known codecs: jpeg"),
        ("picture.png", b"\x89PNG\r\n\x1a\n", r"of no known codec; known codecs: jpeg"),
        ("start.jpg", b"\xff\xd8\xff\xe0", r"start\.jpg': not a whole JPEG"),
    ],
)
def test_file_that_is_no_picture(run: Run, tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    _check_single_error(run(tmp_path / name), message)
    assert _files(tmp_path) == ([] if content is None else [name])


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated_file_is_refused(run: Run, photo: Path, jpeg_bytes: bytes, share: float) -> None:
    photo.write_bytes(jpeg_bytes[: int(share * len(jpeg_bytes))])

    _check_single_error(run(photo), r"photo\.jpg': not a whole JPEG")
    assert _files(photo.parent) == ["photo.jpg"]


def test_folder_as_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()

    _check_single_error(
        run(tmp_path / "album"), r"album' is a folder; pass --recursive for all pictures in it, or name"
    )
    assert _files(tmp_path) == ["album"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--codec", "jpg"], r"unknown codec 'jpg', did you mean 'jpeg'\? known codecs: jpeg"),
        (["--codec", "vvc"], r"unknown codec 'vvc'; known codecs: jpeg"),
        (["--codec", "broken"], r"plugin from dist-broken 0\.3 failed: ImportError: no module named"),
        (["--codec-option", "speed=9"], r"unknown option 'speed' of codec 'jpeg'; its options: subsampling"),
        (["--codec-option", "subsampling=9"], r"'subsampling' is one of 4:2:0, 4:2:2, 4:4:4, not '9'"),
        (["-o", "{folder}/missing/x.png"], r"there is no folder '.*missing'; create it first"),
        (["-o", "{folder}/x.bmp"], r"cannot be written as '\.bmp'; end the output's name in one of \.png"),
        (["--weights", "{folder}/none.safetensors"], r"none\.safetensors': there is no such file"),
        (["--weights", "{folder}/photo.jpg"], r"photo\.jpg' cannot be used: it is truncated or no safetensors file"),
    ],
)
def test_setting_that_cannot_be(run: Run, photo: Path, options: list[str], message: str) -> None:
    result = run(photo, *(option.format(folder=photo.parent) for option in options))

    _check_single_error(result, message)
    assert _files(photo.parent) == ["photo.jpg"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_missing_cuda(run: Run, photo: Path) -> None:
    _check_single_error(run(photo, photo.with_name("b.jpg"), "-o", photo.parent, "--device", "cuda"), "no GPU")
    assert _files(photo.parent) == ["photo.jpg"]


def test_damaged_weights(run: Run, photo: Path, weights: WeightsFile) -> None:
    damaged = photo.parent / "damaged.safetensors"
    damaged.write_bytes(weights.path.read_bytes()[:-100])

    _check_single_error(run(photo, "--weights", damaged), r"damaged\.safetensors' cannot be used")


def test_codec_without_weights(run: Run, host: CodecHost, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered = host.codecs["jpeg"]
    codecs = {"jpeg": RegisteredCodec(registered.codec, None, "dirac-enhance", "1.0")}
    monkeypatch.setattr(type(host), "codec_for", lambda *_: codecs["jpeg"])
    monkeypatch.setattr("dirac_enhance.weights.bundled_weights", lambda _: None)

    _check_single_error(run(photo), "no enhancer weights for codec 'jpeg'; train one with `dirac-enhance train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'FILE...'"),
        (["photo.jpg", "--steps", "0"], "0 is not in the range 1<=x<=100"),
        (["photo.jpg", "--steps", "101"], "101 is not in the range"),
        (["photo.jpg", "--late-start", "100"], "100 is not in the range 0<=x<=99"),
        (["photo.jpg", "--codec-option", "speed"], "'speed' has no '='; expected KEY=VALUE"),
        (["photo.jpg", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["photo.jpg", "--no-such-option"], "No such option"),
        (["photo.jpg", "photo.jpeg", "-o", "results"], "would both be written to 'results/photo.png'"),
    ],
)
def test_usage_error_exits_with_2(run: Run, arguments: list[str], message: str) -> None:
    result = run("enhance", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_bad_file_among_several_is_reported_and_the_rest_goes_on(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"plain text")
    (tmp_path / "results").mkdir()

    result = run(tmp_path / "bad.jpg", photo, tmp_path / "missing.jpg", "-o", tmp_path / "results")

    assert result.exit_code == 1
    assert len(_errors(result)) == 2
    assert result.stderr.splitlines()[-1] == "1 enhanced, 0 skipped, 2 failed"
    assert result.stdout == f"{tmp_path / 'results' / 'photo.png'}\n"
    assert _files(tmp_path / "results") == ["photo.png"]


def test_ctrl_c_ends_with_130_and_leaves_nothing(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Enhancer, "enhance_batch", interrupt)

    result = run(photo)

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "Interrupted."
    assert _files(photo.parent) == ["photo.jpg"]


def test_name_with_line_breaks_and_stray_bytes_stays_one_line(run: Run, tmp_path: Path) -> None:
    result = run(tmp_path / "two\nlines \udcff.jpg")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "two lines \ufffd.jpg" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "exit_code"),
    [
        (("--weights", "none.safetensors"), "there is no such file", 1),
        (("--codec", "jpeg", "--codec-option", "foo=1"), "unknown option 'foo' of codec 'jpeg'", 1),
        (("--codec", "jpeg", "--codec-option", "subsampling=5:1:1"), "subsampling", 1),
        (("--tile", "1"), "--tile", 2),
    ],
)
def test_wrong_settings_are_named_before_a_result_that_is_there(
    run: Run, photo: Path, arguments: tuple[str, ...], message: str, exit_code: int
) -> None:
    photo.with_name("photo.enhanced.png").write_bytes(b"old")

    _check_single_error(run(photo, *arguments), re.escape(message), exit_code=exit_code)


def test_a_slip_in_a_command_s_name_is_no_file(run: Run, photo: Path) -> None:
    _check_single_error(
        run("enhanse", photo), "no command 'enhanse'; did you mean 'enhance'?".replace("?", r"\?"), exit_code=2
    )
    assert _files(photo.parent) == ["photo.jpg"]


def test_a_picture_of_no_codec_is_told_of_decoded_pixels(run: Run, photo: Path) -> None:
    frame = photo.with_name("frame.png")
    with Image.open(photo) as picture:
        picture.save(frame)

    _check_single_error(run(frame), "of no known codec.* for decoded pixels pass .* --enhancer ID")
