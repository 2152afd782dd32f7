"""SamplingSettings: how an enhancer samples, as one value that travels from the command line to the enhancer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from dirac_enhance.diffusion.trajectory import Spacing


class TrajectoryKeywords(TypedDict, total=False):
    """The settings that say where the network is evaluated, as keywords; see `SamplingSettings`."""

    steps: int
    late_start: int | None
    spacing: Spacing | None
    evaluations: int | None
    end_timestep: int | None


class SampleKeywords(TrajectoryKeywords, total=False):
    """The settings of one sample, as keywords."""

    seed: int
    eta: float
    thresholding: bool


class SamplingKeywords(SampleKeywords, total=False):
    """All settings, as keywords."""

    samples: int


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How an enhancer samples; None stands for the default of its weights. `plan_trajectory` explains the first five.

    Args:
        steps: where on the trajectory to stop: 1 highest fidelity, 100 highest realism.
        late_start: positions skipped at the beginning.
        spacing: of the evaluations; "log-snr" if only `evaluations` or `end_timestep` is given.
        evaluations: how many there are in log-SNR spacing.
        end_timestep: of the last of them.
        seed: of the noise.
        samples: how many independent samples to average; sample k is the same whatever their number.
        eta: 0 for DDIM, 1 for ancestral sampling.
        thresholding: whether residuals are kept in the range of the picture's rate factor, where both are known.
    """

    steps: int = 100
    late_start: int | None = None
    spacing: Spacing | None = None
    evaluations: int | None = None
    end_timestep: int | None = None
    seed: int = 0
    samples: int = 1
    eta: float = 0.0
    thresholding: bool = True

    def trajectory_keywords(self) -> TrajectoryKeywords:
        """The settings that say where the network is evaluated, by name."""
        return {
            "steps": self.steps,
            "late_start": self.late_start,
            "spacing": self.spacing,
            "evaluations": self.evaluations,
            "end_timestep": self.end_timestep,
        }


DEFAULTS = SamplingSettings()
"""The weights' own defaults, seed 0, one sample."""
