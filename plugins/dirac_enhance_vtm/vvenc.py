"""VVenC, Fraunhofer's VVC encoder, through FFmpeg: intra pictures in 4:2:0, in a fraction of a second."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from dirac_enhance import CodecOptionError, InvalidImageError
from dirac_enhance_vtm.program import run_program, temporary_folder
from dirac_enhance_vtm.reference_software import read_output

if TYPE_CHECKING:
    from dirac_enhance_vtm.planes import Plane

STREAM_BITS = 10
HOW_TO_GET = (
    "codec option ffmpeg names one, or ffmpeg on the PATH, or `pip install imageio-ffmpeg`, whose FFmpeg has VVenC"
)
_SECONDS_TO_ANSWER = 10.0


@dataclass(frozen=True, slots=True)
class Vvenc:
    """An FFmpeg that was built with VVenC.

    Args:
        ffmpeg: the program.
    """

    ffmpeg: Path

    def encode(self, samples: Plane, *, bit_depth: int, qp: int, timeout: float) -> bytes:
        """Encode one picture in 4:2:0 at 10 bits, all blocks at one QP, for squared error rather than for the eye.

        Args:
            samples: (3, H, W) uint16: Y, Cb and Cr in 4:4:4; H and W even.
            bit_depth: 8 or 10 bits of each are used; 8-bit ones are shifted left by two, as VTM does.
            qp: 0 … 63.
            timeout: seconds that the encoder may take.

        Raises:
            InvalidImageError: if a side is odd.
            ProgramError: if it fails.
        """
        _, height, width = samples.shape
        if height % 2 or width % 2:
            raise InvalidImageError(
                f"VVenC codes 4:2:0, which takes even sides, not {width}×{height}; crop, or use encoder=vtm"
            )
        shifted = samples << (STREAM_BITS - bit_depth)
        planes = (shifted[0], subsample(shifted[1]), subsample(shifted[2]))
        with temporary_folder() as folder:
            source, coded = folder / "source.yuv", folder / "coded.vvc"
            source.write_bytes(b"".join(plane.astype("<u2").tobytes() for plane in planes))
            command: list[str | Path] = [self.ffmpeg, "-hide_banner", "-loglevel", "error", "-f", "rawvideo"]
            command += ["-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}", "-r", "1", "-i", source]
            command += ["-frames:v", "1", "-c:v", "libvvenc", "-preset", "fast", "-qp", str(qp), "-qpa", "0"]
            command += ["-g", "1", "-threads", "1", "-vvenc-params", "IntraQPOffset=0", "-f", "vvc", coded]
            run_program(command, folder=folder, timeout=timeout)
            return read_output(coded, of=self.ffmpeg)

    def version(self) -> str:
        """Return what FFmpeg calls itself, in one line.

        Raises:
            CodecOptionError: if it was built without VVenC.
            ProgramError: if it cannot be run, or does not answer.
        """
        with temporary_folder() as folder:
            answer = run_program(
                [self.ffmpeg, "-hide_banner", "-h", "encoder=libvvenc"], folder=folder, timeout=_SECONDS_TO_ANSWER
            )
            if "Encoder libvvenc" not in answer:
                raise CodecOptionError(f"'{self.ffmpeg}' was built without VVenC; {HOW_TO_GET}")
            first, *_ = run_program([self.ffmpeg, "-version"], folder=folder, timeout=_SECONDS_TO_ANSWER).splitlines()
        return first.partition(" Copyright")[0]


def find_vvenc(ffmpeg: str) -> Vvenc:
    """Return the FFmpeg that the option names, or that is on the PATH, or that imageio-ffmpeg brings along.

    Raises:
        CodecOptionError: if there is none.
    """
    found = shutil.which(Path(ffmpeg).expanduser() if ffmpeg else "ffmpeg")
    if found:
        return Vvenc(Path(found).absolute())
    if ffmpeg:
        raise CodecOptionError(f"codec option ffmpeg is '{ffmpeg}', which is no program; {HOW_TO_GET}")
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return Vvenc(Path(get_ffmpeg_exe()))
    except (ImportError, RuntimeError) as cause:
        raise CodecOptionError(f"there is no FFmpeg, by which VVenC is called; {HOW_TO_GET}") from cause


def subsample(plane: Plane) -> Plane:
    """Halve a chroma plane, its samples then beside the left luma sample of two and between two lines, rounded.

    Args:
        plane: (2·h, 2·w) uint16.
    """
    wide = plane.astype(numpy.uint16)  # sums of eight samples of ten bits fit
    left = numpy.concatenate((wide[:, :1], wide[:, 1:-1:2]), axis=1)
    across = left + 2 * wide[:, ::2] + wide[:, 1::2]
    halved: Plane = (across[::2] + across[1::2] + 4) >> 3
    return halved
