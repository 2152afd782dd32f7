"""Restorer: what a benchmark needs of a peer, whichever way the peer runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.protocols import Base

if TYPE_CHECKING:
    from torch import Tensor

CHECKOUTS_VARIABLE = "DIRAC_PEERS"
PYTHON_VARIABLE = "DIRAC_PEERS_PYTHON"

DEFAULT_TIME_LIMIT = 600.0
"""Seconds for one picture, starting the program included: a diffusion restorer on a CPU takes minutes."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a restorer cannot run here.

    Args:
        reason: what is missing.
        get: what to get, and from where.
    """

    reason: str
    get: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.get}"


@dataclass(frozen=True, slots=True, eq=False)
class Restoration:
    """A picture that a restorer made, and what that took.

    Args:
        pixels: (3, H, W) float32 in [0, 1], in coded orientation, of the file's height and width; grayscale repeated.
        seconds: of its program with its start, or of its network; None where unknown.
        peak_memory_mib: of its program, or of this process or the GPU while its network ran; None where unknown.
    """

    pixels: Tensor
    seconds: float | None = None
    peak_memory_mib: float | None = None


@runtime_checkable
class Restorer(Protocol):
    """A peer that takes a JPEG file; its pictures stand in tables whose protocol has the same base."""

    @property
    def id(self) -> str:
        """As typed after `--peer`."""
        ...

    @property
    def method(self) -> str:
        """As tables name it."""
        ...

    @property
    def base(self) -> Base:
        """What codes the pictures it takes; `Protocol.base` of every table it may stand in."""
        ...

    @property
    def colour_only(self) -> str:
        """Why it takes no JPEG of one component, or not as its authors measured it; empty if it does."""
        ...

    def available(self) -> Absence | None:
        """Say what is missing, or None if it can run; quick, and without running it."""
        ...

    def restore(self, data: bytes) -> Restoration:
        """Restore one JPEG file.

        Raises:
            RestorerError: if it is absent, fails, takes too long, or leaves no picture of the right size.
            InvalidBitstreamError: if `data` is no JPEG file.
        """
        ...


@runtime_checkable
class SimulatingRestorer(Protocol):
    """A peer that codes originals itself, by `simulated_jpeg`, and cannot take a file: another base, another method.

    It has no `restore`, so that no caller can feed it a real JPEG by mistake.
    """

    @property
    def id(self) -> str:
        """As typed after `--peer`."""
        ...

    @property
    def method(self) -> str:
        """As tables name it."""
        ...

    @property
    def base(self) -> Base:
        """As for `Restorer`; "simulated-jpeg"."""
        ...

    def available(self) -> Absence | None:
        """Say what is missing, or None if it can run."""
        ...

    def restore_originals(self, originals: Sequence[Tensor], *, quality: int) -> list[Restoration]:
        """Code and restore pictures in one run of the program, which loads its network once.

        Args:
            originals: (3, H, W) float32 in [0, 1], each of the size it was trained for.
            quality: 1…100, of its own simulated JPEG.

        Returns:
            As many pictures of the same shape and range, in the same order; the memory is that of the run.

        Raises:
            RestorerError: as for `Restorer.restore`; or if an original has another size.
        """
        ...


AnyRestorer = Restorer | SimulatingRestorer


def name_of(restorer: AnyRestorer) -> str:
    """As results name a restorer: by its id, of a file the name alone, since records name no one's folders."""
    kind, colon, rest = restorer.id.partition(":")
    return f"{kind}:{rest.rpartition('/')[2]}" if colon and kind == "spandrel" else restorer.id


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Where peers are, and how they run.

    Args:
        checkouts: folder with one sub-folder for each checkout, named like its repository; None if there is none.
        python: interpreter that has what the checkouts import.
        time_limit: seconds for one picture.
        device: torch device of networks that run in this process; programs choose for themselves.
        commands: restorer id → command line with `{input}` and `{output}`, for peers that define none of their own.
    """

    checkouts: Path | None = None
    python: str = sys.executable
    time_limit: float = DEFAULT_TIME_LIMIT
    device: str = "cpu"
    commands: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.time_limit > 0:
            raise BenchmarkError(f"a time limit of {self.time_limit:g} seconds given; expected one above 0")

    def checkout(self, name: str) -> Path | None:
        """Return the absolute folder of a checkout, there or not; None if no folder of checkouts is set."""
        return None if self.checkouts is None else (self.checkouts / name).absolute()


def peer_settings_from_environment() -> PeerSettings:
    """Read `DIRAC_PEERS`, `DIRAC_PEERS_PYTHON` and `DIRAC_PEER_<ID>` (a command line; the id in capitals)."""
    prefix = "DIRAC_PEER_"
    folder = os.environ.get(CHECKOUTS_VARIABLE)
    return PeerSettings(
        checkouts=Path(folder).expanduser() if folder else None,
        python=os.environ.get(PYTHON_VARIABLE) or sys.executable,
        commands={
            name.removeprefix(prefix).lower(): value for name, value in os.environ.items() if name.startswith(prefix)
        },
    )
