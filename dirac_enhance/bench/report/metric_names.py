"""What a metric is called, which way it is better, and with how many digits it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dirac_enhance.bench.published_markdown import HEADINGS

_OWN_HEADINGS = {"ms_ssim": "MS-SSIM", "ssim_uniform_8x8": "SSIM, uniform 8×8"}


@dataclass(frozen=True, slots=True)
class MetricName:
    """A metric as the report shows it.

    Args:
        heading: its name, with its unit.
        better: which way it is better; None where that is unknown.
        digits: behind the point.
        axis: what its curve over the rate is called.
    """

    heading: str
    better: Literal["higher", "lower"] | None
    digits: int
    axis: Literal["distortion", "perception", "other"]


# The start of a metric's name → which way it is better, digits, axis; the first that fits counts.
_KINDS: tuple[tuple[str, Literal["higher", "lower"], int, Literal["distortion", "perception"]], ...] = (
    ("psnr", "higher", 2, "distortion"),
    ("ssim", "higher", 4, "distortion"),
    ("ms_ssim", "higher", 4, "distortion"),
    ("lpips", "lower", 3, "perception"),
    ("dists", "lower", 3, "perception"),
    ("fid_256_improvement", "higher", 1, "perception"),
    ("fid", "lower", 2, "perception"),
    ("fd", "lower", 2, "perception"),
    ("kid", "lower", 4, "perception"),
    ("kd", "lower", 4, "perception"),
    ("perceptual_distance", "lower", 1, "perception"),
    ("musiq", "higher", 2, "perception"),
    ("maniqa", "higher", 3, "perception"),
    ("clipiqa", "higher", 3, "perception"),
    ("inception_score", "higher", 1, "perception"),
    ("accuracy", "higher", 1, "perception"),
)


def describe_metric(name: str) -> MetricName:
    """Describe a metric by its name in results; one that is unknown is shown by that name."""
    key = name.lower().replace("-", "_")
    heading = HEADINGS.get(key) or _OWN_HEADINGS.get(key, name)
    for start, better, digits, axis in _KINDS:
        if key.startswith(start):
            return MetricName(heading, better, digits, axis)
    return MetricName(heading, None, 4, "other")
