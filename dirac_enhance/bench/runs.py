"""Runs: which command measured cells, when, on which machine, with which libraries and which networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command, as the header of a results file has it.

    Args:
        command: its line; absolute paths as seen from the working folder.
        date: when it began, ISO 8601 in UTC; None of a run whose results were written as version 1.
        device: what the networks ran on: `cpu`, `threads`, `gpu`, `jobs`.
        machine: `system`, `cores`, `python`; empty as `date` is None.
        versions: library → version.
        networks: measure's id → sha256 of the file of weights that it measures with; of version 1 none are known.
    """

    command: tuple[str, ...] = ()
    date: str | None = None
    device: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)

    @property
    def device_name(self) -> str:
        """The GPU, or else the CPU and how many threads it ran."""
        gpu, cpu = self.device.get("gpu"), self.device.get("cpu", "an unknown CPU")
        return str(gpu) if gpu else f"{cpu}, {self.device.get('threads', '?')} threads"

    def to_json(self) -> dict[str, Any]:
        """As an object of a results file."""
        return asdict(self) | {"command": list(self.command)}


def parse_run(contents: Mapping[str, Any]) -> Run:
    """Read a run from an object of a results file; the header of version 1 is one.

    Raises:
        KeyError, TypeError, AttributeError: if it is none.
    """
    date = contents.get("date")
    return Run(
        command=tuple(map(str, contents["command"])),
        date=None if date is None else str(date),
        device=dict(contents["device"].items()),
        machine=dict(contents.get("machine", {}).items()),
        versions=dict(contents["versions"].items()),
        networks={str(name): str(sha256) for name, sha256 in contents.get("networks", {}).items()},
    )
