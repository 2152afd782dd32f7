"""VTM, the VVC reference software: finding its programs, and encoding and decoding with them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance import CodecOptionError, InvalidBitstreamError
from dirac_enhance_vtm.program import ProgramError, ProgramFailedError, run_program, temporary_folder

if TYPE_CHECKING:
    from dirac_enhance_vtm.first_picture import FirstPicture
    from dirac_enhance_vtm.planes import Plane, Planes

BUILD_DIR_VARIABLE = "DIRAC_VTM_BUILD_DIR"
CONFIG_VARIABLE = "DIRAC_VTM_CONFIG"
HOW_TO_GET = (
    "build it from https://vcgit.hhi.fraunhofer.de/jvet/VVCSoftware_VTM and name the folder with its programs in"
    f" codec option build-dir or in {BUILD_DIR_VARIABLE}"
)
_CONFIG_NAME = "encoder_intra_vtm.cfg"
_SUFFIXES = ("Static", "")  # as built on Linux, and elsewhere
_VERSION = re.compile(r"VTM (?:En|De)coder Version (\S+)")
_VERSION_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ReferenceSoftware:
    """A build of VTM.

    Args:
        build_dir: the folder with its programs.
        config: the encoder's configuration file, or None: that of VTM's source tree around `build_dir`.
    """

    build_dir: Path
    config: Path | None

    def program(self, kind: str) -> Path:
        """Return the path of `EncoderApp` or `DecoderApp`.

        Raises:
            CodecOptionError: if it is not in the folder.
        """
        for suffix in _SUFFIXES:
            path = self.build_dir / f"{kind}{suffix}"
            if path.is_file():
                return path.absolute()
        raise CodecOptionError(
            f"there is no {kind}Static in '{self.build_dir}', which codec option build-dir or {BUILD_DIR_VARIABLE}"
            f" names; {HOW_TO_GET}"
        )

    def config_file(self) -> Path:
        """Return the path of the encoder's configuration.

        Raises:
            CodecOptionError: if it is not a file, or none is named and none is in VTM's source tree.
        """
        beside = self.build_dir.parent / "cfg" / _CONFIG_NAME
        path = self.config or beside
        if not path.is_file():
            missing = f"there is no file '{path}'" if self.config else "VTM's encoder has no configuration"
            raise CodecOptionError(
                f"{missing}; name VTM's cfg/{_CONFIG_NAME} in codec option config or in {CONFIG_VARIABLE}"
            )
        return path.absolute()

    def encode(self, samples: Plane, *, bit_depth: int, qp: int, timeout: float) -> bytes:
        """Encode one picture in 4:4:4 with the arguments that CompressAI's benchmark gives VTM.

        Args:
            samples: (3, H, W) uint16.
            bit_depth: 8 or 10 bits of each are used.
            qp: 0 … 63.
            timeout: seconds that the encoder may take.

        Raises:
            CodecOptionError: if the encoder or its configuration is not there.
            ProgramError: if it fails.
        """
        encoder, config = self.program("EncoderApp"), self.config_file()
        _, height, width = samples.shape
        with temporary_folder() as folder:
            source, coded = folder / "source.yuv", folder / "coded.bin"
            source.write_bytes(samples.astype("u1" if bit_depth == 8 else "<u2").tobytes())
            command: list[str | Path] = [
                encoder,
                "-i",
                source,
                "-c",
                config,
                "-q",
                str(qp),
                "-o",
                os.devnull,
                "-b",
                coded,
            ]
            command += ["-wdt", str(width), "-hgt", str(height), "-fr", "1", "-f", "1"]
            command += ["--InputChromaFormat=444", f"--InputBitDepth={bit_depth}", "--ConformanceWindowMode=1"]
            run_program(command, folder=folder, timeout=timeout)
            return read_output(coded, of=encoder)

    def decode(self, picture: FirstPicture, *, timeout: float) -> Planes:
        """Decode a picture.

        Raises:
            CodecOptionError: if the decoder is not there.
            ProgramError: if it cannot be run, takes too long, or writes nothing.
            InvalidBitstreamError: if it fails, or writes something else than the picture.
        """
        from dirac_enhance_vtm.planes import read_planes

        try:
            decoder = self.program("DecoderApp")
        except CodecOptionError as error:
            raise CodecOptionError(f"{error}; --codec-option decoder=pyav does without") from error
        with temporary_folder() as folder:
            coded, decoded = folder / "coded.bin", folder / "decoded.yuv"
            coded.write_bytes(picture.stream)
            command: list[str | Path] = [decoder, "-b", coded, "-o", decoded, "-d", str(picture.bit_depth)]
            try:
                run_program(command, folder=folder, timeout=timeout)
            except ProgramFailedError as cause:
                raise InvalidBitstreamError(f"not a VVC picture that VTM decodes: {cause}") from cause
            content = read_output(decoded, of=decoder)
        return read_planes(content, picture)

    def version(self, kind: str) -> str:
        """Return the version that a program answers with; "of unknown version" if it answers something else.

        Raises:
            CodecOptionError: if it is not in the folder.
            ProgramError: if it cannot be run, or does not answer.
        """
        program = self.program(kind)
        with temporary_folder() as folder:
            answer = run_program([program, "--help"], folder=folder, timeout=_VERSION_SECONDS, success=(0, 1))
        found = _VERSION.search(answer)
        return found.group(1) if found else "of unknown version"


def find_reference_software(
    build_dir: str, config: str, *, environment: Mapping[str, str] = os.environ
) -> ReferenceSoftware | None:
    """Return the build of VTM that the options or else the environment name, or None if neither does."""
    folder = build_dir or environment.get(BUILD_DIR_VARIABLE)
    if not folder:
        return None
    named = config or environment.get(CONFIG_VARIABLE)
    return ReferenceSoftware(Path(folder).expanduser(), Path(named).expanduser() if named else None)


def read_output(path: Path, *, of: Path) -> bytes:
    """Return what a program wrote.

    Raises:
        ProgramError: if it wrote nothing.
    """
    content = path.read_bytes() if path.is_file() else b""
    if not content:
        raise ProgramError(f"{of.name} ended without an error and wrote nothing; is the disk full?")
    return content
