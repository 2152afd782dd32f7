"""WeightsMetadata: what enhancer weights say about themselves, checked, and as the JSON their file holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from dirac_enhance.errors import WeightsError

FORMAT_VERSION = 1
"""Version of the metadata this module reads and writes."""

_ADDED = {"end_timestep": None}
"""Fields that the first files of this version lack, and what that means; older readers ignore them."""


@dataclass(frozen=True, slots=True)
class WeightsMetadata:
    """What an enhancer's weights say about themselves.

    Args:
        codec_id: whose residuals they were trained on.
        network: the network's config, as `UNetConfig.to_dict()` has it.
        schedule: name and constants of the noise schedule, as `SCHEDULES` has them; no name means linear.
        trained_timesteps: lowest and highest timestep seen in training.
        late_start: default late start, 0 … 99.
        spacing: default spacing of the evaluations.
        evaluations: default number of evaluations in log-SNR spacing; None to leave it to that spacing.
        end_timestep: default timestep at which log-SNR spacing ends; None, or a file without it, for that spacing's.
        thresholds: rows of a rate factor and the limit on a residual's magnitude there; None for no thresholding.
        training: how they were trained; for the card, read by no code.
        format_version: of this metadata.

    Raises:
        WeightsError: if a value is not of its kind or range.
    """

    codec_id: str
    network: Mapping[str, Any]
    schedule: Mapping[str, Any]
    trained_timesteps: tuple[int, int]
    late_start: int
    spacing: Literal["paper", "log-snr"]
    evaluations: int | None
    end_timestep: int | None = None
    thresholds: tuple[tuple[float, float], ...] | None = None
    training: Mapping[str, Any] | None = None
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        _check_version(self.format_version)
        fault = next((name for name, fits in _check(self).items() if not fits), None)
        if fault:
            raise WeightsError(f"its {fault} {getattr(self, fault)!r} cannot be; export the weights anew")

    def to_json(self) -> str:
        """Return all fields as one JSON object."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({name: dict(v) if isinstance(v, Mapping) else v for name, v in values.items()})

    @classmethod
    def from_json(cls, text: str) -> WeightsMetadata:
        """Rebuild metadata from `to_json`; unknown fields are ignored, and those in `_ADDED` may be missing.

        Raises:
            WeightsError: if fields are missing or cannot be.
        """
        try:
            values = _ADDED | json.loads(text)
            _check_version(values["format_version"])  # first, since another version may have other fields
            return cls(**{field.name: _freeze(values[field.name]) for field in fields(cls)})
        except KeyError as cause:
            raise WeightsError(
                f"its metadata has no {cause}; expected a file made by `dirac-enhance export`"
            ) from cause
        except (ValueError, TypeError, RecursionError) as cause:
            raise WeightsError(f"its metadata is damaged: {cause}") from cause


def _check_version(version: object) -> None:
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"its format is {version!r}, and this dirac-enhance reads {FORMAT_VERSION}; update dirac-enhance, "
            "or export the weights anew"
        )


def _check(metadata: WeightsMetadata) -> dict[str, bool]:
    """Say of each field whether it is of its kind and range; what was read from a file may be anything."""
    m: Any = metadata
    trained, rows = m.trained_timesteps, m.thresholds
    return {
        "codec_id": isinstance(m.codec_id, str) and m.codec_id != "",
        "network": isinstance(m.network, Mapping),
        "schedule": isinstance(m.schedule, Mapping)
        and all(isinstance(v, str) if key == "name" else _is_number(v) for key, v in m.schedule.items()),
        "trained_timesteps": _is_row(trained, int) and 0 <= trained[0] <= trained[1],
        "late_start": type(m.late_start) is int and 0 <= m.late_start < 100,
        "spacing": m.spacing in ("paper", "log-snr"),
        "evaluations": m.evaluations is None or (type(m.evaluations) is int and m.evaluations >= 1),
        "end_timestep": m.end_timestep is None
        or (type(m.end_timestep) is int and m.end_timestep >= 0 and m.spacing == "log-snr"),
        "thresholds": rows is None
        or (isinstance(rows, tuple) and rows != () and all(_is_row(row, float) and 0 < row[1] <= 1 for row in rows)),
        "training": m.training is None or isinstance(m.training, Mapping),
    }


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_row(value: object, kind: type[int] | type[float]) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not all(_is_number(number) for number in value):
        return False
    return kind is float or all(isinstance(number, int) for number in value)


def _freeze(value: Any) -> Any:
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value
