"""Picture settings: how the figures of results were made, so that a report's pictures are made alike."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dirac_enhance import DiracWarning
from dirac_enhance.bench.cells import CellKey
from dirac_enhance.bench.preparation import Preparation
from dirac_enhance.bench.presets import PRESETS
from dirac_enhance.bench.results import Results
from dirac_enhance.sampling import DEFAULTS, SamplingSettings

_Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a cell says of the walk that it was made on; None stands for the default of the weights.

    Args:
        spacing: of the evaluations.
        evaluations: of log-SNR spacing.
        late_start: positions skipped.
        eta: of the noise added on the way.
        seed: of the noise.
    """

    spacing: str | None
    evaluations: int | None
    late_start: int | None
    eta: float
    seed: int

    @classmethod
    def of(cls, key: CellKey) -> Trajectory:
        """Read it from the key of one of our cells."""
        evaluations = key.trajectory_evaluations if key.spacing == "log-snr" else None
        return cls(key.spacing, evaluations, key.late_start, key.eta, key.seed)

    def __str__(self) -> str:
        parts = (
            f"{self.spacing} spacing" if self.spacing else "",
            f"{self.evaluations} evaluations" if self.evaluations else "",
            "" if self.late_start is None else f"late start {self.late_start}",
            f"η {self.eta:g}",
            f"seed {self.seed}",
        )
        return ", ".join(part for part in parts if part)


def preparation_of(files: Sequence[Results]) -> Preparation:
    """Return how the originals of results were prepared: as their preset says, else as they are.

    Warns:
        DiracWarning: if the results are of sets that were prepared in several ways; then they are taken as they are.
    """
    found = dict.fromkeys(_preparation(file.set_name) for file in files)
    if len(found) > 1:
        _warn("the figures are of originals prepared in several ways; the pictures are made of the files as they are")
        return Preparation.AS_IT_IS
    return next(iter(found), Preparation.AS_IT_IS)


def _preparation(set_name: str) -> Preparation:
    """Of a set by its name, which says where only the first pictures of a preset were measured."""
    preset = PRESETS.get(set_name.partition(", first ")[0])
    return Preparation.AS_IT_IS if preset is None else preset.preparation


def codec_options_of(files: Sequence[Results], codec: str, *, given: Mapping[str, str]) -> dict[str, str]:
    """Return the options to set of a codec: those given, else those of the figures.

    Warns:
        DiracWarning: if those given are of no figure, or none are given and the figures have several.
    """
    known = dict.fromkeys(key.codec_options for key in _own_keys(files, codec))
    wanted: _Options = tuple(sorted(given.items()))
    if given:
        if known and wanted not in known:
            _warn(f"the pictures are made with {_name(wanted)}, but the figures with {_names(known)}")
        return dict(given)
    chosen: _Options = next(iter(known), ())
    if len(known) > 1:
        _warn(f"the figures are made with {_names(known)}; the pictures with {_name(chosen)}")
    return dict(chosen)


def sampling_of(
    files: Sequence[Results],
    codec: str,
    *,
    codec_options: Mapping[str, str],
    weights_sha256: str,
    seed: int | None = None,
) -> SamplingSettings:
    """Return how to sample: as the figures of these options and weights were made, or else others of this codec.

    Args:
        files: results.
        codec: id of it.
        codec_options: set of it.
        weights_sha256: of the enhancer.
        seed: of the noise; None for that of the figures.

    Returns:
        Spacing, evaluations, late start, η and seed; steps and samples are the usual ones.

    Warns:
        DiracWarning: if the figures were made in several ways.
    """
    keys = [key for key in _own_keys(files, codec) if key.method == "steps"]
    keys = [key for key in keys if key.codec_options == tuple(sorted(codec_options.items()))] or keys
    keys = [key for key in keys if key.weights_sha256 == weights_sha256] or keys
    found = dict.fromkeys(map(Trajectory.of, keys))
    chosen = next(iter(found), Trajectory(None, None, None, DEFAULTS.eta, DEFAULTS.seed))
    if len(found) > 1:
        _warn(f"the figures are made with {'; with '.join(map(str, found))}: the pictures with the first of these")
    return SamplingSettings(
        late_start=chosen.late_start,
        spacing=chosen.spacing,  # type: ignore[arg-type] # text of a file; an unknown one is refused when it is used
        evaluations=chosen.evaluations,
        eta=chosen.eta,
        seed=chosen.seed if seed is None else seed,
    )


def _own_keys(files: Sequence[Results], codec: str) -> list[CellKey]:
    """The keys of the codec and of its enhancer."""
    keys = (cell.key for file in files for cell in file.cells)
    return [key for key in keys if key.codec == codec and key.method in ("base", "steps")]


def _name(options: _Options) -> str:
    return ", ".join(f"{name}={text}" for name, text in options) or "no codec options"


def _names(known: Iterable[_Options]) -> str:
    return "; with ".join(map(_name, known))


def _warn(text: str) -> None:
    warnings.warn(text, DiracWarning, stacklevel=3)
