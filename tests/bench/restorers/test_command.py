"""Peers that are one program: their exact command lines, and what becomes of each way to fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from dirac_enhance import BenchmarkError, InvalidBitstreamError, RestorerError
from dirac_enhance.bench.restorers.command import (
    CommandRestorer,
    jpeg2png,
    jpeg_quantsmooth,
    own_command,
    qgac,
)
from dirac_enhance.bench.restorers.exchange import decode_jpeg
from dirac_enhance.bench.restorers.restorer import PeerSettings, Restorer

MakeProgram = Callable[[str, str], Path]
SETTINGS = PeerSettings(time_limit=20)
IN, OUT = Path("/in.jpg"), Path("/out.png")
SIZE = (40, 24)


def program(name: str = "peer", *, output_suffix: str = ".png", time_limit: float = 20) -> CommandRestorer:
    return CommandRestorer(
        id="peer",
        method="Peer",
        command=(name, "{input}", "{output}"),
        get="build it",
        output_suffix=output_suffix,
        time_limit=time_limit,
    )


def saved(folder: Path, suffix: str = ".png", size: tuple[int, int] = SIZE) -> Path:
    samples = numpy.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
    path = folder / f"result{suffix}"
    Image.fromarray(samples).save(path)
    return path


def copying(source: Path) -> str:
    return f"import shutil, sys; shutil.copy({str(source)!r}, sys.argv[-1])"


@pytest.mark.parametrize(
    ("restorer", "expected"),
    [
        (jpeg2png(SETTINGS), ["jpeg2png", "/in.jpg", "-o", "/out.png", "-q"]),
        (jpeg_quantsmooth(SETTINGS), ["jpegqs", "--quality", "3", "--info", "0", "/in.jpg", "/out.png"]),
        (jpeg_quantsmooth(SETTINGS, quality=6), ["jpegqs", "--quality", "6", "--info", "0", "/in.jpg", "/out.png"]),
        (own_command("my tool '{input}' --to={output}", SETTINGS), ["my", "tool", "/in.jpg", "--to=/out.png"]),
    ],
)
def test_the_command_line_is_exactly_this(restorer: CommandRestorer, expected: list[str]) -> None:
    assert restorer.command_line(IN, OUT) == expected
    assert isinstance(restorer, Restorer)
    assert restorer.base == "libjpeg"


def test_qgac_has_no_command_of_its_own_and_takes_the_one_it_is_given() -> None:
    assert qgac(SETTINGS).command == ()
    assert "no command of its own is known" in str(qgac(SETTINGS).available())
    given = qgac(PeerSettings(commands={"qgac": "python 'my restore.py' {input} {output}"}))
    assert given.command_line(IN, OUT) == ["python", "my restore.py", "/in.jpg", "/out.png"]
    assert given.base == "libjpeg"


def test_the_program_gets_the_jpeg_and_its_picture_comes_back(
    make_program: MakeProgram, tmp_path: Path, jpeg_bytes: bytes
) -> None:
    picture, record = saved(tmp_path), tmp_path / "record.json"
    code = (
        "import json, sys\n"
        f"json.dump([sys.argv[1:], open(sys.argv[1], 'rb').read().hex()], open({str(record)!r}, 'w'))\n"
        + copying(picture).replace("sys.argv[-1]", "sys.argv[3]")
    )
    make_program("jpeg2png", code)

    pixels = jpeg2png(SETTINGS).restore(jpeg_bytes).pixels

    arguments, given = json.loads(record.read_text())
    assert [Path(arguments[0]).name, arguments[1], Path(arguments[2]).name, arguments[3]] == [
        "picture.jpg", "-o", "restored.png", "-q",
    ]  # fmt: skip
    assert bytes.fromhex(given) == jpeg_bytes
    assert not Path(arguments[0]).exists(), "the working folder is removed"
    assert pixels.dtype == torch.float32
    assert numpy.array_equal((pixels * 255).round().byte().permute(1, 2, 0), numpy.array(Image.open(picture)))


def test_a_jpeg_that_a_program_leaves_is_not_turned_by_its_orientation(
    make_program: MakeProgram, tmp_path: Path, jpeg_bytes: bytes
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.fromarray(numpy.zeros((SIZE[1], SIZE[0], 3), dtype=numpy.uint8)).save(path, exif=exif)
    make_program("jpegqs", copying(path))

    assert jpeg_quantsmooth(SETTINGS).restore(jpeg_bytes).pixels.shape == (3, SIZE[1], SIZE[0])


@pytest.mark.skipif(shutil.which("jpegqs") is None, reason="jpegqs is not installed (Debian's package jpegqs)")
def test_jpegqs_itself_restores_a_jpeg(jpeg_bytes: bytes) -> None:
    base = decode_jpeg(jpeg_bytes).pixels
    restored = jpeg_quantsmooth(SETTINGS).restore(jpeg_bytes).pixels

    assert restored.shape == base.shape
    assert 0 < (restored - base).abs().mean() < 0.05, "it smooths, and leaves the picture what it is"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; print('only 3 component jpegs are supported'); sys.exit(1)",
         "peer ended with status 1: only 3 component jpegs are supported"),
        ("import os; os.kill(os.getpid(), 11)", "peer was ended by signal 11: it printed nothing"),
        ("raise MemoryError('of 9 GB')", "peer ended with status 1: MemoryError: of 9 GB"),
        ("pass", "peer ended without an error but left no 'restored.png'"),
        ("import sys; open(sys.argv[2], 'w').write('garbage')", "peer left a 'restored.png' that is no picture"),
        ("import sys; open(sys.argv[2], 'w')", "peer left a 'restored.png' that is no picture"),
        ("import os, sys; os.mkdir(sys.argv[2])", "left no 'restored.png'"),
    ],
    ids=["crash", "signal", "exception", "nothing", "garbage", "empty", "folder"],
)  # fmt: skip
def test_a_failure_is_told_in_one_line(make_program: MakeProgram, jpeg_bytes: bytes, code: str, message: str) -> None:
    make_program("peer", code)

    with pytest.raises(RestorerError) as raised:
        program().restore(jpeg_bytes)

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_picture_of_another_size_is_refused(make_program: MakeProgram, tmp_path: Path, jpeg_bytes: bytes) -> None:
    make_program("peer", copying(saved(tmp_path, size=(80, 48))))

    with pytest.raises(RestorerError, match=r"peer left a picture of 80×48 pixels; expected 40×24"):
        program().restore(jpeg_bytes)


def test_a_program_that_hangs_is_stopped_with_its_children(
    make_program: MakeProgram, tmp_path: Path, jpeg_bytes: bytes
) -> None:
    started = tmp_path / "child"
    make_program(
        "peer",
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)",
    )
    start = time.monotonic()

    with pytest.raises(RestorerError, match=r"peer did not end within 1\.5 s and was stopped; raise --peer-time-limit"):
        program(time_limit=1.5).restore(jpeg_bytes)

    assert time.monotonic() - start < 15
    assert _ends(int(started.read_text()))


def _ends(process_id: int) -> bool:
    """Whether a process that was killed ends soon."""
    for _attempt in range(100):
        if not _is_running(process_id):
            return True
        time.sleep(0.05)
    return False


def _is_running(process_id: int) -> bool:
    """Whether a process runs; one that has ended but was not reaped by its new parent does not."""
    try:
        os.kill(process_id, 0)
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # gone, or no /proc to ask
        return False


def test_an_interruption_stops_the_program(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jpeg_bytes: bytes
) -> None:
    started = tmp_path / "program"
    make_program("peer", f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    wait = subprocess.Popen.wait

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is None:
            return wait(process)
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)

    with pytest.raises(KeyboardInterrupt):
        program().restore(jpeg_bytes)

    assert _ends(int(started.read_text()))


def test_a_program_that_asks_gets_no_answer(make_program: MakeProgram, jpeg_bytes: bytes) -> None:
    make_program("peer", "input('overwrite? ')")

    with pytest.raises(RestorerError, match="EOFError"):
        program().restore(jpeg_bytes)


def test_an_absent_program_says_what_to_get(make_program: MakeProgram, jpeg_bytes: bytes) -> None:
    del make_program  # the PATH is empty
    for restorer, words in (
        (jpeg2png(SETTINGS), ("no program 'jpeg2png'", "https://github.com/victorvde/jpeg2png")),
        (jpeg_quantsmooth(SETTINGS), ("no program 'jpegqs'", "Debian's package jpegqs")),
        (qgac(SETTINGS), ("no command line is set", "gitlab.com/Queuecumber/quantization-guided-ac")),
    ):
        absence = restorer.available()
        assert absence is not None
        assert all(word in str(absence) for word in words)
        with pytest.raises(RestorerError, match=f"{restorer.id} cannot run: "):
            restorer.restore(jpeg_bytes)


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell what a process took")
def test_what_a_program_took_is_its_own(make_program: MakeProgram, tmp_path: Path, jpeg_bytes: bytes) -> None:
    ballast = torch.ones(2**26)  # 256 MiB of this process, which a program that it starts directly is charged for
    made = {}
    for mebibytes in (0, 100):
        use = f"held = bytearray(b'x' * {mebibytes} * 2**20)\nimport time; time.sleep(0.2)\n"
        path = make_program("peer", use + copying(saved(tmp_path)))
        made[mebibytes] = program().restore(jpeg_bytes)
        path.unlink()

    small, large = (each.peak_memory_mib for each in made.values())
    assert small is not None
    assert large is not None
    assert small < 60 < ballast.nbytes / 2**20
    assert 90 < large - small < 250
    assert all(each.seconds is not None and each.seconds > 0.2 for each in made.values())


def test_a_present_program_is_available(make_program: MakeProgram) -> None:
    make_program("peer", "pass")

    assert program().available() is None


def test_a_program_that_cannot_be_started_is_told(make_program: MakeProgram, jpeg_bytes: bytes) -> None:
    make_program("peer", "pass").write_bytes(b"\x7fELF, but broken")

    with pytest.raises(RestorerError, match="peer cannot be started: 'peer'"):
        program().restore(jpeg_bytes)


def test_a_program_is_found_as_seen_from_here(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jpeg_bytes: bytes
) -> None:
    make_program("peer", copying(saved(tmp_path)))
    monkeypatch.chdir(tmp_path)

    assert program("bin/peer").restore(jpeg_bytes).pixels.shape == (3, SIZE[1], SIZE[0])


def test_what_is_no_jpeg_is_refused_before_the_program_runs(make_program: MakeProgram, tmp_path: Path) -> None:
    make_program("peer", f"open({str(tmp_path / 'ran')!r}, 'w')")

    with pytest.raises(InvalidBitstreamError):
        program().restore(b"no JPEG")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("template", ["mytool", "mytool {input}", "{output}", ""])
def test_an_own_command_names_both_files(template: str) -> None:
    with pytest.raises(BenchmarkError, match=r"expected one with \{input\} and \{output\}"):
        own_command(template, SETTINGS)


def test_an_own_command_that_cannot_be_split_is_told() -> None:
    with pytest.raises(BenchmarkError, match="cannot be read"):
        own_command("mytool '{input} {output}", SETTINGS)
