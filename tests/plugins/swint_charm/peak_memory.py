"""A process that decodes files it must refuse, and prints by how many MiB each raised its peak memory."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import torch

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_swint_charm import SwintCharmCodec


def peak() -> float:
    """Return the largest resident memory so far in MiB; `getrusage` would count the parent's, too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def fill_up() -> list[torch.Tensor]:
    """Take memory until there is as much in use as there ever was, so that more of it shows."""
    before, taken = peak(), list[torch.Tensor]()
    while peak() < before + 1:
        taken.append(torch.ones(2**20, dtype=torch.uint8))
    return taken


def main(weights: str, sound: Path, *refused: Path) -> None:
    """Decode a sound file, then the others; print a line for each, and one for 64 MiB that are taken on purpose."""
    codec = SwintCharmCodec(weights=weights, device="cpu")
    codec.decode(sound.read_bytes())
    taken = fill_up()
    for path in refused:
        before = peak()
        with suppress(InvalidBitstreamError):
            codec.decode(path.read_bytes())
            sys.exit(f"{path} was decoded")
        print(peak() - before)  # noqa: T201
    before = peak()
    taken.append(torch.ones(2**26, dtype=torch.uint8))
    print(peak() - before)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
