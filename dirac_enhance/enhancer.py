"""Enhancer: network, schedule and thresholds of one codec; base reconstruction in, enhanced picture out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from dirac_enhance.codec import BaseReconstruction
from dirac_enhance.device import Device, Precision, resolve_device, resolve_precision
from dirac_enhance.diffusion.noise import NoiseField
from dirac_enhance.diffusion.predictor import Predictor
from dirac_enhance.diffusion.sampler import sample_residual
from dirac_enhance.diffusion.schedule import NoiseSchedule
from dirac_enhance.diffusion.threshold import limit_residual
from dirac_enhance.diffusion.trajectory import Evaluation, plan_trajectory
from dirac_enhance.errors import InvalidImageError, SamplingError, WeightsError, WeightsMismatchWarning
from dirac_enhance.networks.restore import restore_network, restore_schedule
from dirac_enhance.sampling import DEFAULTS, SamplingSettings
from dirac_enhance.tiling import TiledPredictor
from dirac_enhance.transparency import fill_transparent, restore_transparent
from dirac_enhance.weights import WeightsFile, WeightsMetadata, find_weights

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from dirac_enhance.sampling import SampleKeywords, SamplingKeywords, TrajectoryKeywords

Progress = Callable[[int, int], None]
"""Called with the number of network evaluations done and their total."""

BATCH_PIXELS = 768 * 768
"""Padded pixels of a batch that is worth its memory: no network cuts such a picture into tiles, and on an accelerator
the planes stay there between evaluations."""


def _ignore_progress(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryPoint:
    """The picture after one network evaluation: (3, H, W) float32 pixels in [0, 1]; see `Evaluation` for the rest."""

    position: int
    timestep: int
    pixels: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Enhancer:
    """What one codec's enhancer weights become in memory; `load_enhancer` makes it.

    Args:
        predictor: predicts residuals of whole pictures in host memory.
        schedule: the diffusion it was trained for.
        metadata: of the weights; the defaults of all settings come from here.
        weights_sha256: of the weights' file.
        stride: height and width that the predictor takes are multiples of this.
        device: where the network runs.
        precision: of its arithmetic.
    """

    predictor: Predictor
    schedule: NoiseSchedule
    metadata: WeightsMetadata
    weights_sha256: str
    stride: int
    device: torch.device
    precision: torch.dtype

    def enhance(
        self,
        base: BaseReconstruction,
        *,
        progress: Progress = _ignore_progress,
        **settings: Unpack[SamplingKeywords],
    ) -> Tensor:
        """Enhance a picture: x̃ + r̂_0 of the last evaluation (DIRAC section 3.2); `enhance_batch` takes several.

        The same base reconstruction, settings, device, precision and tile give the same bytes.

        Args:
            base: what the codec decoded.
            progress: called after each network evaluation.
            settings: `steps`, `late_start`, `spacing`, `evaluations`, `end_timestep`, `seed`, `samples`, `eta` and
                `thresholding` of `SamplingSettings`, which explains them and has their defaults.

        Returns:
            (3, H, W) float32 in [0, 1], the size of `base`.

        Raises:
            SamplingError: if a setting is out of its range, or leads to timesteps the network was not trained for.
            DeviceError: if the device has too little memory for the smallest tile.
        """
        return self.enhance_batch([base], SamplingSettings(**settings), progress=progress)[0]

    def enhance_batch(
        self,
        bases: Sequence[BaseReconstruction],
        sampling: SamplingSettings = DEFAULTS,
        *,
        progress: Progress = _ignore_progress,
    ) -> list[Tensor]:
        """Enhance pictures of equal `padded_size` together, each with the noise and rate factor it has on its own.

        Every result is that of `enhance` but for the rounding of sums, which may depend on a tensor's size.

        Args:
            bases: at least one; up to `BATCH_PIXELS` in all are quickest.
            sampling: how to sample.
            progress: called after each network evaluation of the whole batch.

        Returns:
            (3, H, W) float32 in [0, 1] for each picture, of its size.

        Raises:
            InvalidImageError: if the padded sizes differ.
            SamplingError: as `enhance` does.
            DeviceError: as `enhance` does.
        """
        if sampling.samples < 1:
            raise SamplingError(f"{sampling.samples} samples given; expected at least 1")
        plan = self._plan(sampling)
        total: list[Tensor] = []
        for sample in range(sampling.samples):
            walk = self._walk(bases, plan, sampling, sample=sample)
            done, everything = sample * len(plan), sampling.samples * len(plan)
            for index in range(1, len(plan)):
                next(walk)  # dropped at once, or two residuals would be in memory during the next evaluation
                progress(done + index, everything)
            pictures = _add_residuals(bases, next(walk)[1])
            progress(done + len(plan), everything)
            total = [sum_.add_(pixels) for sum_, pixels in zip(total, pictures, strict=True)] if total else pictures
        return [sum_.div_(sampling.samples) for sum_ in total]

    def trajectory(
        self, base: BaseReconstruction, *, sample: int = 0, **settings: Unpack[SampleKeywords]
    ) -> Iterator[TrajectoryPoint]:
        """Yield the picture after each network evaluation; stop reading when satisfied.

        The last one equals `enhance` with the same settings. Settings and errors are those of `enhance`, but for
        `sample`, which says which of the seed's independent samples to draw; they are checked before the first point.
        """
        sampling = SamplingSettings(**settings)
        walk = self._walk([base], self._plan(sampling), sampling, sample=sample)
        return (
            TrajectoryPoint(evaluation.position, evaluation.timestep, _add_residuals([base], residual)[0])
            for evaluation, residual in walk
        )

    def evaluations(self, **settings: Unpack[TrajectoryKeywords]) -> int:
        """Return how many network evaluations a sample costs with these settings of `enhance`.

        Raises:
            SamplingError: as `enhance` does.
        """
        return len(self._plan(SamplingSettings(**settings)))

    def padded_size(self, base: BaseReconstruction) -> tuple[int, int]:
        """Return height and width, in multiples of the stride, at which the network sees a picture."""
        return (base.height + -base.height % self.stride, base.width + -base.width % self.stride)

    def _plan(self, sampling: SamplingSettings) -> tuple[Evaluation, ...]:
        own, spacing, evaluations, end = self.metadata, sampling.spacing, sampling.evaluations, sampling.end_timestep
        if spacing is None:
            spacing = own.spacing if evaluations is None and end is None else "log-snr"
        if spacing == own.spacing:
            evaluations = own.evaluations if evaluations is None else evaluations
            end = own.end_timestep if end is None else end
        plan = plan_trajectory(
            self.schedule,
            steps=sampling.steps,
            late_start=own.late_start if sampling.late_start is None else sampling.late_start,
            spacing=spacing,
            evaluations=evaluations,
            end_timestep=end,
        )
        lowest, highest = own.trained_timesteps
        for evaluation in plan:
            if not lowest <= evaluation.timestep <= highest:
                raise SamplingError(
                    f"the settings lead to timestep {evaluation.timestep}, but the weights were trained for {lowest} "
                    f"to {highest}; leave the late start at {own.late_start}"
                )
        return plan

    def _prepare(self, bases: Sequence[BaseReconstruction]) -> Tensor:
        """Return x̃ as (N, 3, H', W') in [−1, 1], repeated at the bottom and right up to multiples of the stride."""
        sizes = sorted({self.padded_size(base) for base in bases})
        if len(sizes) != 1:
            given = ", ".join(f"{height}×{width}" for height, width in sizes) or "none"
            raise InvalidImageError(f"a batch of pictures padded to {given} pixels given; expected one size")
        ((height, width),) = sizes
        padded = [
            F.pad(
                fill_transparent(base.pixels.detach(), base.alpha)[None],
                (0, width - base.width, 0, height - base.height),
                mode="replicate",
            )
            for base in bases
        ]
        planes = torch.cat(padded) if len(padded) > 1 else padded[0]
        return planes.mul(2).sub_(1)

    def _walk(
        self,
        bases: Sequence[BaseReconstruction],
        plan: tuple[Evaluation, ...],
        sampling: SamplingSettings,
        *,
        sample: int,
    ) -> Iterator[tuple[Evaluation, Tensor]]:
        """Sample the residuals of pictures; settings are checked before the first evaluation.

        The planes of a batch are kept on the device. Where it has no memory for them beside the network, or runs out of
        it underway, they move to host memory, as those of larger pictures are from the start, and the walk begins anew:
        the noise is the same, so it goes on where it was.
        """
        planes = self._prepare(bases)
        sample_from = self._sampler(bases, plan, sampling, sample=sample)
        if self.device.type == "cpu" or planes.numel() > 3 * BATCH_PIXELS:
            return sample_from(planes)
        sample_from(planes)  # checks the settings

        def walk() -> Iterator[tuple[Evaluation, Tensor]]:
            done = 0
            try:
                for point in sample_from(planes.to(self.device)):
                    yield point
                    del point  # two residuals would be in memory during the next evaluation
                    done += 1
            except torch.cuda.OutOfMemoryError:
                pass
            else:
                return
            torch.cuda.empty_cache()  # out here the failed frames, which held its tensors, are gone
            yield from islice(sample_from(planes), done, None)

        return walk()

    def _sampler(
        self,
        bases: Sequence[BaseReconstruction],
        plan: tuple[Evaluation, ...],
        sampling: SamplingSettings,
        *,
        sample: int,
    ) -> Callable[[Tensor], Iterator[tuple[Evaluation, Tensor]]]:
        """Return what samples the residuals of these pictures from their planes, wherever those are."""
        rate_factors = [base.rate_factor for base in bases]
        known = [math.nan if rate is None else rate for rate in rate_factors]
        return partial(
            sample_residual,
            self.predictor,
            schedule=self.schedule,
            evaluations=plan,
            noise=NoiseField(sampling.seed, sample),
            rate_factor=rate_factors[0] if len(set(rate_factors)) == 1 else torch.tensor(known),
            eta=sampling.eta,
            constrain=limit_residual(self.metadata.thresholds if sampling.thresholding else None, rate_factors),
        )


def _add_residuals(bases: Sequence[BaseReconstruction], residuals: Tensor) -> list[Tensor]:
    """Return each picture x̃ + r̂_0, x̃ where it is transparent, in [0, 1]; a residual in [−1, 1] units counts half."""
    return [
        restore_transparent(
            torch.add(base.pixels.detach(), residual[:, : base.height, : base.width], alpha=0.5).clamp_(0, 1),
            base.pixels.detach(),
            base.alpha,
        )
        for base, residual in zip(bases, residuals.cpu(), strict=True)
    ]


def load_enhancer(
    codec_id: str,
    *,
    weights: Path | WeightsFile | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
) -> Enhancer:
    """Load the enhancer of a codec.

    Args:
        codec_id: of the codec whose pictures it is for.
        weights: its file; None for the one shipped with this package.
        device: "auto" is a CUDA GPU where there is one.
        precision: of the network's arithmetic; "auto" is bfloat16 where the device has it natively.
        tile: largest side, in pixels, of what the network answers for at a time; None to choose by picture size.

    Warns:
        WeightsMismatchWarning: if the weights were trained for another codec.

    Raises:
        WeightsError: if there are none, or they are damaged or of another architecture.
        DeviceError: if the device is not there, or `device`, `precision` or `tile` cannot be.
    """
    target = resolve_device(device)
    dtype = resolve_precision(precision, target)
    file = find_weights(codec_id, weights)
    loaded = file.load()
    metadata = loaded.metadata
    if metadata.codec_id != codec_id:
        warnings.warn(
            f"the weights '{file.path}' were trained for codec '{metadata.codec_id}', not '{codec_id}'",
            WeightsMismatchWarning,
            stacklevel=2,
        )
    try:
        schedule = restore_schedule(metadata.schedule)
        network = restore_network(metadata.network, loaded.state_dict, schedule=schedule)
        if network.config.conditioning_channels != 3:
            raise WeightsError("its network does not see the base reconstruction, so it cannot enhance one")
    except WeightsError as error:
        raise WeightsError(f"'{file.path}' cannot be used: {error}") from error
    network = network.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    predictor = TiledPredictor(network, device=target, precision=dtype, tile=tile)
    return Enhancer(predictor, schedule, metadata, loaded.sha256, network.config.stride, target, dtype)
