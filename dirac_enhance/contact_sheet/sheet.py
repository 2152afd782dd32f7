"""A file to its contact sheet: decoded, enhanced to each step, crops chosen, drawn and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.codec import ImageMetadata
from dirac_enhance.contact_sheet.crops import choose_crops
from dirac_enhance.contact_sheet.drawing import Heading, Version, column_width, draw_sheet
from dirac_enhance.errors import InvalidImageError, SamplingError
from dirac_enhance.image import AS_NEW_FILE, OutputSettings, check_output, write_image
from dirac_enhance.picture import upright
from dirac_enhance.pipeline import DETECTED, CodecChoice, Decoded, decode_file
from dirac_enhance.sampling import DEFAULTS, SamplingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance.codec import BaseReconstruction
    from dirac_enhance.enhancer import Enhancer, Progress
    from dirac_enhance.host import CodecHost, RegisteredCodec
    from dirac_enhance.window import Window

MOST_STEPS = 12
"""Columns of enhanced pictures at most."""

MOST_CROPS = 8
"""Rows of crops at most."""

_AUTOMATIC_CROPS = 2
_CROP_SHAPE = (4, 3)


@dataclass(frozen=True, slots=True)
class SheetSettings:
    """What a contact sheet shows.

    Args:
        steps: where on the trajectory to stop, 1 … 100, as in `Enhancer.enhance`; shown once each, in rising order;
            none for 1, the first beyond late start, and 100.
        crops: windows of the upright picture; none to choose those where the versions differ most.
        zoom: how often pixels of crops are repeated across and down.

    Raises:
        SamplingError: if there are more steps than `MOST_STEPS`.
        InvalidImageError: if there are more than `MOST_CROPS` crops.
    """

    steps: tuple[int, ...] = ()
    crops: tuple[Window, ...] = ()
    zoom: int = 2

    def __post_init__(self) -> None:
        if len(set(self.steps)) > MOST_STEPS:
            raise SamplingError(f"{len(set(self.steps))} different steps given; expected 1 to {MOST_STEPS}")
        if len(self.crops) > MOST_CROPS:
            raise InvalidImageError(f"{len(self.crops)} crops given; expected at most {MOST_CROPS}")


def _ignore_progress(_done: int, _total: int) -> None:
    pass


def write_contact_sheet(
    source: Path,
    target: Path,
    *,
    host: CodecHost,
    load_enhancer_of: Callable[[RegisteredCodec], Enhancer],
    settings: SheetSettings,
    choice: CodecChoice = DETECTED,
    sampling: SamplingSettings = DEFAULTS,
    output: OutputSettings = AS_NEW_FILE,
    progress: Progress = _ignore_progress,
) -> dict[int, int]:
    """Write one picture that shows a file as decoded and as enhanced to several steps, whole and in crops.

    Colours stay in the source's profile, which the sheet carries; transparent parts are shown mid-grey.

    Args:
        source: a coded picture.
        target: where the sheet goes; its suffix names the format.
        host: the codecs to choose from.
        load_enhancer_of: called with the codec of the file.
        settings: what to show.
        choice: of the codec.
        sampling: how to sample; `steps` and `samples` are not used.
        output: how to write the sheet.
        progress: called after each network evaluation.

    Returns:
        As `repeated_steps`.

    Raises:
        DiracError: of the kind that fits; then nothing was written.
    """
    check_output(target, output=output)
    decoded = decode_file(source, host, choice=choice)
    base = decoded.base
    _check_crops(settings.crops, upright(base.pixels, base.metadata.orientation))
    enhancer = load_enhancer_of(decoded.codec)
    steps = settings.steps or (1, _late_start(enhancer, sampling) + 1, 100)
    versions = [
        Version("decoded", "not enhanced", to_samples(base.pixels, base)),
        *enhance_to_steps(enhancer, base, steps, sampling=sampling, progress=progress),
    ]
    crops = settings.crops or _choose(versions, zoom=settings.zoom)
    heading = Heading(source.name, ", ".join(_facts(decoded, enhancer, seed=sampling.seed)))
    pixels = draw_sheet(heading, versions, crops=crops, zoom=settings.zoom)
    profile = None if base.metadata.grayscale else base.metadata.icc_profile
    write_image(target, pixels, metadata=ImageMetadata(icc_profile=profile), output=output)
    return repeated_steps(enhancer, steps, sampling=sampling)


def _check_crops(crops: Sequence[Window], picture: Tensor) -> None:
    height, width = picture.shape[1:]
    for crop in crops:
        if crop.left < 0 or crop.top < 0 or crop.right > width or crop.bottom > height:
            raise InvalidImageError(
                f"the crop {crop.left},{crop.top},{crop.width},{crop.height} reaches beyond the picture of"
                f" {width}×{height} pixels; expected X,Y,WIDTH,HEIGHT inside it"
            )


def _choose(versions: Sequence[Version], *, zoom: int) -> tuple[Window, ...]:
    width = column_width(versions[0].samples, zoom=zoom) // zoom
    height = width * _CROP_SHAPE[1] // _CROP_SHAPE[0]
    return choose_crops([version.samples for version in versions], width=width, height=height, count=_AUTOMATIC_CROPS)


def enhance_to_steps(
    enhancer: Enhancer,
    base: BaseReconstruction,
    steps: Sequence[int],
    *,
    sampling: SamplingSettings,
    progress: Progress,
) -> list[Version]:
    """Enhance to each step: one walk passes all those beyond the late start, and one evaluation serves the others."""
    late_start = _late_start(enhancer, sampling)
    counts = _evaluations(enhancer, steps, sampling)
    walks = [[step for step in counts if step <= late_start], [step for step in counts if step > late_start]]
    total, done = sum(counts[walk[-1]] for walk in walks if walk), 0
    versions = []
    for walk in filter(None, walks):
        keywords = replace(sampling, steps=walk[-1]).trajectory_keywords()
        points = enhancer.trajectory(base, **keywords, seed=sampling.seed, eta=sampling.eta)
        for count, point in enumerate(points, start=1):
            done += 1
            progress(done, total)
            passed = [step for step in walk if counts[step] == count]
            if passed:
                samples = to_samples(point.pixels, base)
                versions += [
                    Version(f"steps {step}", _note(step, passed[0], count, late_start), samples) for step in passed
                ]
    return versions


def repeated_steps(enhancer: Enhancer, steps: Sequence[int], *, sampling: SamplingSettings) -> dict[int, int]:
    """Return the steps beyond late start that give an earlier one's picture, each with the first that does.

    There are some where a few evaluations cover many positions; with the paper's spacing there are none.
    """
    late_start = _late_start(enhancer, sampling)
    counts = {step: count for step, count in _evaluations(enhancer, steps, sampling).items() if step > late_start}
    first = {count: step for step, count in reversed(counts.items())}
    return {step: first[count] for step, count in counts.items() if step != first[count]}


def _late_start(enhancer: Enhancer, sampling: SamplingSettings) -> int:
    return enhancer.metadata.late_start if sampling.late_start is None else sampling.late_start


def _evaluations(enhancer: Enhancer, steps: Sequence[int], sampling: SamplingSettings) -> dict[int, int]:
    """How many evaluations lead to each step, in rising order."""
    settings = {step: replace(sampling, steps=step) for step in sorted(set(steps))}
    return {step: enhancer.evaluations(**each.trajectory_keywords()) for step, each in settings.items()}


def _note(step: int, first: int, evaluations: int, late_start: int) -> str:
    """Say how a picture came about; `first` is the first step that leads to it."""
    if step != first:
        return f"the same as steps {first}"
    number = f"{evaluations} evaluation{'' if evaluations == 1 else 's'}"
    return f"{number} from pure noise" if step <= late_start else f"{number} after position {late_start}"


def to_samples(pixels: Tensor, base: BaseReconstruction) -> Tensor:
    """Round (3, H, W) pixels in [0, 1], laid on mid-grey where they are transparent, to uint8, upright."""
    if base.alpha is not None:
        pixels = pixels * base.alpha + 0.5 * (1 - base.alpha)
    rounded = (pixels.clamp(0, 1) * 255).round().byte()
    return upright(rounded, base.metadata.orientation)


def _facts(decoded: Decoded, enhancer: Enhancer, *, seed: int) -> tuple[str, ...]:
    base = decoded.base
    width, height = upright(base.pixels, base.metadata.orientation).shape[:0:-1]
    rate = "unknown" if base.rate_factor is None else f"{base.rate_factor:g}"
    return (
        f"codec {decoded.codec.codec.id}",
        f"rate factor {rate}",
        f"{width} x {height} pixels",  # Pillow's font has no ×
        f"{base.bits_per_pixel:.3f} bpp",
        f"weights {enhancer.weights_sha256[:12]}",
        f"seed {seed}",
    )
