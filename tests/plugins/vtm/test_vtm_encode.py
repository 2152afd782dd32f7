"""VtmCodec as an encoder: what VTM is given, and what is said when it fails; programs in Python stand in for it."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from dirac_enhance import (
    CodecOptionError,
    EncodingCodec,
    InvalidBitstreamError,
    InvalidImageError,
    PluginError,
    RateFactorError,
)
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.colour import SampleFormat, to_samples
from processes import PATIENCE, needs_signals, start_python, wait_until

if TYPE_CHECKING:
    from .conftest import Fake, Stream

Find = Callable[[str], "Stream"]


def some_pixels(height: int = 64, width: int = 64) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def writes(data: bytes) -> str:
    return f'open(argument("-b"), "wb").write({data!r})\n'


@pytest.fixture
def codec(build_dir: Path) -> VtmCodec:
    return VtmCodec(build_dir=str(build_dir), timeout=60.0)


@pytest.mark.parametrize(("depth", "dtype"), [(8, "u1"), (10, "<u2")])
def test_the_encoder_is_given_what_compressai_gives_it_and_rounded_samples(
    depth: int, dtype: str, codec: VtmCodec, fake: Fake, stream: Find, tmp_path: Path
) -> None:
    given = stream("intra444_8bit_129x65").data
    seen = tmp_path / "seen.json"
    fake(
        "EncoderAppStatic",
        f"""
        import json
        source = open(argument("-i"), "rb").read().hex()
        json.dump([sys.argv[1:], source, os.getcwd(), sorted(os.listdir("."))], open({str(seen)!r}, "w"))
        """
        + writes(given),
    )
    pixels = some_pixels(65, 129)

    coded = codec.with_options(input_depth=depth).encode(pixels, rate_factor=37)

    assert coded == given
    arguments, source, folder, files = json.loads(seen.read_text())
    assert arguments == [
        *("-i", f"{folder}/source.yuv", "-c", str(tmp_path / "vtm" / "cfg" / "encoder_intra_vtm.cfg")),
        *("-q", "37", "-o", os.devnull, "-b", f"{folder}/coded.bin", "-wdt", "129", "-hgt", "65", "-fr", "1"),
        *("-f", "1", "--InputChromaFormat=444", f"--InputBitDepth={depth}", "--ConformanceWindowMode=1"),
    ]
    assert files == ["source.yuv"]
    samples = numpy.frombuffer(bytes.fromhex(source), dtype).reshape(3, 65, 129)
    assert numpy.array_equal(samples, to_samples(pixels, SampleFormat("bt709", "full", depth)))


def test_luma_and_chroma_are_rounded_not_truncated() -> None:
    pixels = some_pixels()
    red, green, blue = (pixels.double() * 255).numpy()
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    exact = numpy.stack((luma, (blue - luma) / 1.8556 + 127.5, (red - luma) / 1.5748 + 127.5))

    samples = to_samples(pixels, SampleFormat("bt709", "full", 8))

    assert float(numpy.abs(samples - exact).max()) <= 0.5001
    assert abs(float((samples - exact).mean())) < 0.02


def test_it_is_an_encoding_codec_whose_rate_factor_is_the_qp(codec: VtmCodec) -> None:
    assert isinstance(codec, EncodingCodec)
    assert (codec.rate_range.minimum, codec.rate_range.maximum) == (0, 63)
    assert not codec.rate_range.higher_is_better
    assert [codec.rate_range.place(fraction) for fraction in (0, 0.5, 1)] == [22, 34, 45]


@pytest.mark.parametrize("rate_factor", [-1, 64, 30.5, float("nan")])
def test_rate_factors_out_of_range_are_refused(rate_factor: float, codec: VtmCodec) -> None:
    with pytest.raises(RateFactorError, match="expected a whole number from 0 to 63"):
        codec.encode(some_pixels(), rate_factor=rate_factor)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(1, 8, 8), "VVC takes float pixels"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "VVC takes float pixels"),
        (torch.zeros(3, 0, 8), "VVC takes float pixels"),
        (torch.full((3, 8, 8), float("nan")), "not finite"),
    ],
)
def test_what_is_no_picture_is_refused(pixels: Tensor, message: str, codec: VtmCodec) -> None:
    with pytest.raises(InvalidImageError, match=message):
        codec.encode(pixels, rate_factor=30)


HANGS = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(os.path.join({marks!r}, "pids"), "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('a'); print(' the  reason \\n'); sys.exit(3)", r"failed with exit code 3: the reason$"),
        ("sys.exit('on standard error')", "exit code 1: on standard error"),
        ("sys.exit(2)", "exit code 2: it printed nothing"),
        ("sys.stdout.buffer.write(bytes(range(256)) * 50); sys.exit(4)", "exit code 4: "),
        ("print('abc', flush=True); os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV: abc"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL: it printed nothing"),
        ("", "ended without an error and wrote nothing; is the disk full"),
        ("open(argument('-b'), 'wb')", "wrote nothing"),
        ("open(argument('-b'), 'wb').write(b'garbage')", "does not decode: not a VVC byte stream.*is the disk full"),
    ],
    ids=["exit code", "stderr", "silent", "garbage", "crash", "killed", "no output", "empty output", "wrong output"],
)
def test_an_encoder_that_fails_is_reported_in_one_line(body: str, message: str, codec: VtmCodec, fake: Fake) -> None:
    fake("EncoderAppStatic", body)

    with pytest.raises(PluginError, match=message) as caught:
        codec.encode(some_pixels(), rate_factor=37)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_an_encoder_that_wrote_half_a_stream_is_reported(codec: VtmCodec, fake: Fake, stream: Find) -> None:
    fake("EncoderAppStatic", writes(stream("intra444_8bit_64x64_qp32").data[:391]))

    with pytest.raises(PluginError, match=r"does not decode.*is the disk full"):
        codec.encode(some_pixels(), rate_factor=37)


def test_an_encoder_that_coded_another_size_is_reported(codec: VtmCodec, fake: Fake, stream: Find) -> None:
    fake("EncoderAppStatic", writes(stream("intra444_8bit_7x5").data))

    with pytest.raises(PluginError, match="made 7×5 pixels of 64×64"):
        codec.encode(some_pixels(), rate_factor=37)


def test_an_encoder_that_hangs_is_stopped_with_its_children(codec: VtmCodec, fake: Fake, tmp_path: Path) -> None:
    fake("EncoderAppStatic", HANGS.format(marks=str(tmp_path)))

    with pytest.raises(PluginError, match="stopped after 3 seconds; allow it more with --codec-option timeout"):
        codec.with_options(timeout=3.0).encode(some_pixels(), rate_factor=37)

    assert_ended(*(tmp_path / "pids").read_text().split())


def test_an_encoder_that_prints_without_end_is_stopped(codec: VtmCodec, fake: Fake) -> None:
    fake("EncoderAppStatic", "while True: sys.stdout.write('x' * 1000)")

    with pytest.raises(PluginError, match=r"stopped after 0\.5 seconds"):
        codec.with_options(timeout=0.5).encode(some_pixels(), rate_factor=37)


@needs_signals
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "\nInterrupted.\n"),
        (signal.SIGTERM, "Ended by SIGTERM.\n"),
        (signal.SIGHUP, "Ended by SIGHUP.\n"),
    ],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_an_interruption_stops_the_encoder_and_leaves_nothing(
    number: signal.Signals, said: str, build_dir: Path, fake: Fake, tmp_path: Path, temporary: Path
) -> None:
    fake("EncoderAppStatic", HANGS.format(marks=str(tmp_path)))
    source, coded, pids = tmp_path / "source.png", tmp_path / "coded.vvc", tmp_path / "pids"
    Image.new("RGB", (8, 8)).save(source)
    command = ("encode", source, "--codec", "vtm", "--codec-option", f"build-dir={build_dir}", "--rate-factor", 30)
    process = start_python("-m", "dirac_enhance", *command, "-o", coded)
    wait_until(lambda: pids.exists() and pids.read_text().count(" "), process)
    assert list(temporary.iterdir())

    process.send_signal(number)
    _, printed = process.communicate(timeout=PATIENCE)

    assert (process.returncode, printed) == (128 + number, said)
    assert_ended(*pids.read_text().split())
    assert not list(temporary.iterdir())
    assert not coded.exists()


@needs_signals
@pytest.mark.parametrize("to_all", [False, True], ids=["to the command", "to its group"])
def test_a_signal_ends_the_encoders_of_every_process_that_makes_pairs(
    to_all: bool,
    build_dir: Path,
    fake: Fake,
    tmp_path: Path,
    temporary: Path,
) -> None:
    marks, originals = tmp_path / "marks", tmp_path / "originals"
    marks.mkdir()
    originals.mkdir()
    Image.new("RGB", (32, 32)).save(originals / "black.png")
    fake("EncoderAppStatic", f"open(os.path.join({str(marks)!r}, str(os.getpid())), 'w')\ntime.sleep(600)")
    command = ("make-pairs", originals, "--codec", "vtm", "--codec-option", f"build-dir={build_dir}", "--jobs", 2)
    settings = ("-o", tmp_path / "pairs", "--count", 4, "--crop-size", 32)
    process = start_python("-m", "dirac_enhance", *command, *settings, alone=True)
    wait_until(lambda: len(list(marks.iterdir())) == 2, process)

    (os.killpg if to_all else os.kill)(process.pid, signal.SIGTERM)
    _, printed = process.communicate(timeout=PATIENCE)

    assert (process.returncode, printed) == (128 + signal.SIGTERM, "Ended by SIGTERM.\n")
    assert_ended(*(mark.name for mark in marks.iterdir()))
    assert not list(temporary.iterdir())


def assert_ended(*pids: str) -> None:
    """Check that these processes are gone, or wait to be collected by whoever adopted them."""
    for pid in pids:
        status = Path(f"/proc/{pid}/status")
        for _ in range(100):
            if not status.exists() or "\nState:\tZ" in status.read_text():
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"process {pid} still runs")


def test_a_program_that_cannot_be_started_is_named(codec: VtmCodec, fake: Fake) -> None:
    program = fake("EncoderAppStatic", "")

    program.chmod(0o644)
    with pytest.raises(PluginError, match=r"cannot run '.*EncoderAppStatic': Permission denied; .*chmod \+x"):
        codec.encode(some_pixels(), rate_factor=37)

    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\xff" + bytes(60))
    program.chmod(0o755)
    with pytest.raises(PluginError, match=r"cannot run '.*': Exec format error; it must be built for this machine"):
        codec.encode(some_pixels(), rate_factor=37)


def test_missing_programs_and_configurations_are_named(build_dir: Path, fake: Fake, codec: VtmCodec) -> None:
    with pytest.raises(CodecOptionError, match=r"VTM, .*, is not configured; build it from https://.*build-dir"):
        VtmCodec().encode(some_pixels(), rate_factor=37)
    with pytest.raises(CodecOptionError, match=r"there is no EncoderAppStatic in '.*'; build it|, which codec option"):
        codec.encode(some_pixels(), rate_factor=37)
    fake("EncoderAppStatic", "")
    with pytest.raises(CodecOptionError, match=r"no file '/nowhere.cfg'; name VTM's cfg/encoder_intra_vtm.cfg"):
        codec.with_options(config="/nowhere.cfg").encode(some_pixels(), rate_factor=37)
    (build_dir.parent / "cfg" / "encoder_intra_vtm.cfg").unlink()
    with pytest.raises(CodecOptionError, match="encoder has no configuration; name"):
        codec.encode(some_pixels(), rate_factor=37)


def test_the_environment_configures_what_the_options_do_not(
    build_dir: Path, fake: Fake, stream: Find, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = stream("intra444_8bit_64x64_qp32").data
    (tmp_path / "own.cfg").write_text("")
    fake("EncoderAppStatic", "assert argument('-c').endswith('own.cfg')\n" + writes(given))
    monkeypatch.setenv("DIRAC_VTM_BUILD_DIR", str(build_dir))
    monkeypatch.setenv("DIRAC_VTM_CONFIG", str(tmp_path / "own.cfg"))

    assert VtmCodec().encode(some_pixels(), rate_factor=32) == given
    with pytest.raises(CodecOptionError, match="/elsewhere"):
        VtmCodec(build_dir="/elsewhere").encode(some_pixels(), rate_factor=32)


def test_a_full_disk_is_named(codec: VtmCodec, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fake("EncoderAppStatic", "")
    monkeypatch.setattr(Path, "write_bytes", fail)

    with pytest.raises(PluginError, match=r"temporary folder '.*temporary': No space left on device; set TMPDIR"):
        codec.encode(some_pixels(), rate_factor=37)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("print('ERROR: no'); sys.exit(1)", InvalidBitstreamError, "not a VVC picture that VTM decodes: .*ERROR: no"),
        ("os.abort()", InvalidBitstreamError, "killed by SIGABRT"),
        ("", PluginError, "wrote nothing"),
        ("open(argument('-o'), 'wb').write(bytes(100))", InvalidBitstreamError, "wrote 100 bytes; expected 24576"),
        ("time.sleep(600)", PluginError, "stopped after 1 seconds"),
    ],
    ids=["exit code", "crash", "no output", "wrong output", "hang"],
)
def test_a_decoder_that_fails_is_reported_in_one_line(
    body: str, error: type[Exception], message: str, build_dir: Path, fake: Fake, stream: Find
) -> None:
    fake("DecoderAppStatic", body)

    with pytest.raises(error, match=message):
        VtmCodec(build_dir=str(build_dir), timeout=1.0).decode(stream("intra444_8bit_64x64_qp32").data)


def test_a_decoder_that_is_asked_for_and_not_there_is_named(build_dir: Path, stream: Find) -> None:
    data = stream("intra444_8bit_7x5").data

    with pytest.raises(CodecOptionError, match="not configured"):
        VtmCodec(decoder="vtm").decode(data)
    with pytest.raises(CodecOptionError, match=r"no DecoderAppStatic in .*decoder=pyav does without"):
        VtmCodec(build_dir=str(build_dir)).decode(data)
