"""WeightsFile: find an enhancer's weights, verify their sha256, read their metadata and tensors."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dirac_enhance.atomic import write_atomically
from dirac_enhance.errors import WeightsChecksumError, WeightsError
from dirac_enhance.weights_metadata import WeightsMetadata

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LoadedWeights", "WeightsFile", "WeightsMetadata", "bundled_weights", "find_weights", "save_weights"]

METADATA_KEY = "dirac_enhance"
"""Where a safetensors file holds the metadata: one key, since safetensors writes several in random order."""

BUNDLED_PACKAGE = "dirac_enhance_weights"
MANIFEST = "manifest.json"

_LONGEST_HEADER = 100_000_000
"""What the safetensors format allows, in bytes; a damaged length field must not become an allocation."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedWeights:
    """Weights in memory.

    Args:
        metadata: what they are for.
        state_dict: tensors of the network by name, on the CPU.
        sha256: of the whole file, in hexadecimal.
    """

    metadata: WeightsMetadata
    state_dict: Mapping[str, Tensor]
    sha256: str


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A safetensors file of enhancer weights, and the sha256 it must have.

    Args:
        path: of the file.
        sha256: in hexadecimal; None if nobody vouches for the file.
    """

    path: Path
    sha256: str | None = None

    @classmethod
    def write(cls, path: Path, content: bytes) -> WeightsFile:
        """Write a file atomically, replacing what was there.

        Raises:
            OSError: if its folder is missing, not writable or full.
        """
        write_atomically(path, content, overwrite=True)
        return cls(path, hashlib.sha256(content).hexdigest())

    def read(self, *, instead: str = "pass another --weights FILE") -> tuple[bytes, str]:
        """Return the file's content and its sha256 in hexadecimal, which is the one expected.

        Args:
            instead: what the user is told to do where the file cannot be used.

        Raises:
            WeightsChecksumError: if the sha256 differs from the one expected.
            WeightsError: if the file is missing or cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except OSError as cause:
            raise self._unreadable(cause, instead) from cause
        sha256 = hashlib.sha256(content).hexdigest()
        if self.sha256 is not None and sha256 != self.sha256:
            raise WeightsChecksumError(
                f"'{self.path}' has sha256 {sha256}, but {self.sha256} was expected; "
                f"reinstall with `pip install --force-reinstall dirac-enhance`, or {instead}"
            )
        return content, sha256

    def load(self) -> LoadedWeights:
        """Read the whole file; the bytes whose checksum is verified are the ones that are used.

        Raises:
            WeightsChecksumError: if the sha256 differs from the one expected.
            WeightsError: if the file is missing, damaged or no enhancer weights.
        """
        content, sha256 = self.read()
        return LoadedWeights(self._metadata(BytesIO(content), len(content)), self._tensors(content), sha256)

    def verify(self) -> str:
        """Return the sha256 of the file, in hexadecimal, having checked all that can be checked without torch.

        Raises:
            WeightsChecksumError: if the sha256 differs from the one expected.
            WeightsError: if the file is missing, damaged or no enhancer weights.
        """
        content, sha256 = self.read()
        self._metadata(BytesIO(content), len(content))
        return sha256

    def metadata(self) -> WeightsMetadata:
        """Read the file's header only, and without torch; the checksum is not verified.

        Raises:
            WeightsError: if the file is missing, damaged or no enhancer weights.
        """
        try:
            with self.path.open("rb") as file:
                return self._metadata(file, self.path.stat().st_size)
        except OSError as cause:
            raise self._unreadable(cause, "pass another --weights FILE") from cause

    def _metadata(self, file: BinaryIO, size: int) -> WeightsMetadata:
        try:
            return WeightsMetadata.from_json(_read_header(file, size))
        except WeightsError as error:
            raise WeightsError(f"'{self.path}' cannot be used: {error}") from error

    def _tensors(self, content: bytes) -> dict[str, Tensor]:
        import safetensors
        import safetensors.torch

        try:
            return safetensors.torch.load(content)
        except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as cause:
            raise WeightsError(f"'{self.path}' cannot be used: its tensors are damaged ({cause})") from cause

    def _unreadable(self, cause: OSError, instead: str) -> WeightsError:
        reason = "there is no such file" if isinstance(cause, FileNotFoundError) else cause.strerror
        return WeightsError(f"cannot read the weights '{self.path}': {reason}; {instead}")


def _read_header(file: BinaryIO, size: int) -> str:
    """Return our metadata in a safetensors file: 8 bytes of length, a JSON header of that length, then the tensors.

    Raises:
        WeightsError: if the file is not as long as it says, or has no such metadata.
    """
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, _LONGEST_HEADER):
        raise WeightsError(f"it is truncated or no safetensors file ({size} bytes)")
    try:
        header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        expected = 8 + length + max(ends, default=0)
        metadata = header.get("__metadata__", {}).get(METADATA_KEY)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as cause:
        raise WeightsError("it is no safetensors file, or its header is damaged") from cause
    if size != expected:
        raise WeightsError(f"it is truncated or damaged: {size} bytes, {expected} expected")
    if not isinstance(metadata, str):
        raise WeightsError("it holds no enhancer; expected a file made by `dirac-enhance export`")
    return metadata


def bundled_weights(codec_id: str) -> WeightsFile | None:
    """Return the weights shipped for a codec, or None if there are none; neither torch nor the file itself is opened.

    Raises:
        WeightsError: if the manifest is damaged.
    """
    try:
        folder = importlib.resources.files(BUNDLED_PACKAGE)
        manifest = json.loads(folder.joinpath(MANIFEST).read_text(encoding="utf-8"))
        rows = {row["codec_id"]: row for row in manifest["weights"]}
        if codec_id not in rows:
            return None
        return WeightsFile(Path(str(folder.joinpath(rows[codec_id]["file"]))), rows[codec_id]["sha256"])
    except (ModuleNotFoundError, FileNotFoundError):
        return None
    except (ValueError, TypeError, KeyError) as cause:
        raise WeightsError(
            f"the manifest of {BUNDLED_PACKAGE} is damaged ({type(cause).__name__}: {cause}); "
            "reinstall with `pip install --force-reinstall dirac-enhance`"
        ) from cause


def find_weights(codec_id: str, weights: Path | WeightsFile | None = None) -> WeightsFile:
    """Return the weights given, or those shipped for a codec.

    Raises:
        WeightsError: if none are given and none are shipped.
    """
    if isinstance(weights, WeightsFile):
        return weights
    file = bundled_weights(codec_id) if weights is None else WeightsFile(weights)
    if file is None:
        raise WeightsError(
            f"no enhancer weights for codec '{codec_id}'; train one with `dirac-enhance train --codec {codec_id}` "
            "or pass --weights FILE"
        )
    return file


def save_weights(path: Path, state_dict: Mapping[str, Tensor], metadata: WeightsMetadata) -> WeightsFile:
    """Write a weights file atomically, replacing what was there; same tensors and metadata, same bytes.

    Args:
        path: of the file.
        state_dict: tensors of the network by name, on any device.
        metadata: what they are for.

    Returns:
        The file with its sha256.
    """
    import safetensors.torch

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state_dict.items()}
    return WeightsFile.write(path, safetensors.torch.save(tensors, metadata={METADATA_KEY: metadata.to_json()}))
