"""CommandRestorer: a program that reads one JPEG file and writes one image file."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dirac_enhance import BenchmarkError, RestorerError
from dirac_enhance.bench.protocols import Base
from dirac_enhance.bench.restorers.exchange import decode_jpeg, read_restored
from dirac_enhance.bench.restorers.process import run_program
from dirac_enhance.bench.restorers.restorer import DEFAULT_TIME_LIMIT, Absence, PeerSettings, Restoration

INPUT, OUTPUT = "{input}", "{output}"


@dataclass(frozen=True, slots=True)
class CommandRestorer:
    """A restorer that is one command line.

    Args:
        id: as typed after `--peer`.
        method: as tables name it.
        command: program and arguments, `{input}` and `{output}` standing for the files' absolute paths; empty where
            the peer defines none and none was given.
        get: what to get where it is absent.
        output_suffix: ".png" or ".jpg", what the program writes.
        colour_only: as for `Restorer`.
        time_limit: seconds for one picture.
    """

    id: str
    method: str
    command: tuple[str, ...]
    get: str
    output_suffix: str = ".png"
    colour_only: str = ""
    time_limit: float = DEFAULT_TIME_LIMIT

    @property
    def base(self) -> Base:
        """Real JPEG files."""
        return "libjpeg"

    def command_line(self, jpeg_file: Path, restored_file: Path) -> list[str]:
        """The program and its arguments for these files."""
        places = {INPUT: str(jpeg_file), OUTPUT: str(restored_file)}
        return [argument.replace(INPUT, places[INPUT]).replace(OUTPUT, places[OUTPUT]) for argument in self.command]

    def available(self) -> Absence | None:
        """Look for the program on the PATH."""
        if not self.command:
            return Absence("no command line is set for it", self.get)
        if shutil.which(self.command[0]) is None:
            return Absence(f"there is no program '{self.command[0]}'", self.get)
        return None

    def restore(self, data: bytes) -> Restoration:
        """Run the program on one JPEG file; as `Restorer.restore`.

        Raises:
            RestorerError: if it is absent, fails, takes too long, or leaves no picture of the right size.
            InvalidBitstreamError: if `data` is no JPEG file.
        """
        absence = self.available()
        if absence is not None:
            raise RestorerError(f"{self.id} cannot run: {absence}")
        decoded = decode_jpeg(data)
        with tempfile.TemporaryDirectory(prefix="dirac-peer-") as name:
            folder = Path(name)
            jpeg_file, restored_file = folder / "picture.jpg", folder / f"restored{self.output_suffix}"
            jpeg_file.write_bytes(data)
            cost = run_program(
                self.command_line(jpeg_file, restored_file),
                restorer_id=self.id,
                folder=folder,
                time_limit=self.time_limit,
            )
            restored = read_restored(restored_file, restorer_id=self.id, height=decoded.height, width=decoded.width)
        return Restoration(restored, cost.seconds, cost.peak_memory_mib)


def jpeg2png(settings: PeerSettings) -> CommandRestorer:
    """Total generalised variation under the JPEG's quantisation bins, 50 iterations; three components only.

    victorvde/jpeg2png:jpeg2png.c@04054a2. `-q` hides the progress bar; all else is its default.
    """
    return CommandRestorer(
        id="jpeg2png",
        method="jpeg2png",
        command=("jpeg2png", INPUT, "-o", OUTPUT, "-q"),
        get="build https://github.com/victorvde/jpeg2png with `make` and put jpeg2png on the PATH",
        colour_only="it reads JPEG files of three components only",
        time_limit=settings.time_limit,
    )


def jpeg_quantsmooth(settings: PeerSettings, *, quality: int = 3) -> CommandRestorer:
    """Smoothing of the coefficients within their quantisation bins; it writes a JPEG of quality 100.

    ilyakurdyukov/jpeg-quantsmooth:README.md@048312e, jpegqs 1.20210408 in Debian. 3 is its default, 6 its best;
    `--info 0` prints nothing.
    """
    suffix = "" if quality == 3 else f"-{quality}"
    return CommandRestorer(
        id=f"jpeg-quantsmooth{suffix}",
        method=f"jpeg-quantsmooth -q {quality}",
        command=("jpegqs", "--quality", str(quality), "--info", "0", INPUT, OUTPUT),
        get=(
            "install Debian's package jpegqs (`apt install jpegqs`), or build"
            " https://github.com/ilyakurdyukov/jpeg-quantsmooth"
        ),
        output_suffix=".jpg",
        time_limit=settings.time_limit,
    )


def qgac(settings: PeerSettings) -> CommandRestorer:
    """Quantization-guided artifact correction (Ehrlich et al., arXiv 2004.09320), by the command line you give it.

    Its repository, gitlab.com/Queuecumber/quantization-guided-ac, is built on Queuecumber/torchjpeg@03e01c4, which
    reads coefficients and has no network. No command of its own that restores one file is known to us, so none is
    assumed here.

    Raises:
        BenchmarkError: if the command line given lacks `{input}` or `{output}`.
    """
    template = (settings.commands or {}).get("qgac")
    return CommandRestorer(
        id="qgac",
        method="QGAC",
        command=_read_template(template) if template else (),
        get=(
            "clone https://gitlab.com/Queuecumber/quantization-guided-ac with its weights, install torchjpeg, and set"
            " DIRAC_PEER_QGAC to a command line of yours that restores one file, with {input} and {output}: no command"
            " of its own is known"
        ),
        time_limit=settings.time_limit,
    )


def own_command(template: str, settings: PeerSettings) -> CommandRestorer:
    """Any program: `command:mytool {input} {output}`, which writes a PNG.

    Raises:
        BenchmarkError: if the template lacks `{input}` or `{output}`.
    """
    arguments = _read_template(template)
    return CommandRestorer(
        id=f"command:{template}",
        method=Path(arguments[0]).name,
        command=arguments,
        get="put it on the PATH, or give its absolute path",
        time_limit=settings.time_limit,
    )


def _read_template(template: str) -> tuple[str, ...]:
    expected = f"expected one with {INPUT} and {OUTPUT}, as 'mytool {INPUT} {OUTPUT}'"
    try:
        arguments = tuple(shlex.split(template))
    except ValueError as cause:
        raise BenchmarkError(f"command '{template}' cannot be read ({cause}); {expected}") from cause
    if not all(any(place in argument for argument in arguments) for place in (INPUT, OUTPUT)):
        raise BenchmarkError(f"command '{template}' given; {expected}")
    return arguments
