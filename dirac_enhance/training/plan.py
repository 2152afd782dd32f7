"""TrainingPlan: a training as the user asks for it, in paths and names, and how it becomes a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.codec import Codec, EncodingCodec, RateRange
from dirac_enhance.errors import TrainingError
from dirac_enhance.training.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from dirac_enhance.device import Device
    from dirac_enhance.metrics.perceptual import LPIPS, Backbone
    from dirac_enhance.networks.config import UNetConfig
    from dirac_enhance.training.loop import TrainingRun, Validate

VALIDATION_PLACES = (0.0, 0.23, 0.47, 0.7, 0.94)
"""Where in the usual rate range validation looks; for JPEG that is quality 5, 10, 20, 39 and 80."""

CALIBRATION_PAIRS = 1024
"""Pairs from which the residual's power at each rate factor is measured."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train on what.

    Args:
        data: folder of training images.
        folder: where checkpoint and weights go.
        settings: of the optimisation.
        network: a name of `NETWORKS`.
        tell_rate: whether the network is told the codec's rate factor.
        validation: folder of held-out images, or None.
        shares: shares of named sources among the crops.
        rate_bounds: rate factors to train on; None for the codec's usual ones.
        crop_size: side of the crops, a multiple of 32.
        lpips_backbone: SqueezeNet 1.1 features for the loss; None needs `settings.lpips_weight` 0.
        lpips_heads: its linear heads; None for those of the installed `lpips` package.
        validation_backbone: AlexNet features for validation; None leaves LPIPS out of it.
        device: "auto", "cpu" or "cuda".
        precision: "bfloat16" or "float32".
        compiled: run the network through torch.compile.
    """

    data: Path
    folder: Path
    settings: TrainingSettings
    network: str = "small"
    tell_rate: bool = True
    validation: Path | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    rate_bounds: tuple[float, float] | None = None
    crop_size: int = 128
    lpips_backbone: Path | None = None
    lpips_heads: Path | None = None
    validation_backbone: Path | None = None
    device: Device = "auto"
    precision: str = "bfloat16"
    compiled: bool = False


def build_run(plan: TrainingPlan, codec: Codec, *, report: Callable[[str], None] = print) -> TrainingRun:
    """Read the data and put a training together.

    Raises:
        TrainingError: if the codec cannot encode, or data, folder, network or settings cannot be used.
        RateFactorError: if the codec cannot encode at a bound of the rate factors.
        DeviceError: if the device is not there.
        WeightsError: if an LPIPS file is missing or not what it should be.
    """
    import numpy as np
    import torch

    from dirac_enhance.device import resolve_device
    from dirac_enhance.training.images import load_pool
    from dirac_enhance.training.loop import TrainingRun
    from dirac_enhance.training.pairs import GRID_SLACK, PairMaker, PairRecipe
    from dirac_enhance.training.weighting import measure_rate_power

    if not isinstance(codec, EncodingCodec):
        raise TrainingError(f"codec '{codec.id}' only decodes; training needs its encoder")
    network = _network(plan, codec)
    if plan.crop_size % max(network.stride, 32):
        raise TrainingError(f"crop size {plan.crop_size}; expected a multiple of {max(network.stride, 32)}")
    rates, device = _rate_bounds(plan, codec.rate_range), resolve_device(plan.device)
    _make_folder(plan.folder)
    pool = load_pool(plan.data, smallest_side=plan.crop_size + 2 * GRID_SLACK, shares=plan.shares)
    recipe = PairRecipe(crop_size=plan.crop_size, rate_bounds=rates)
    maker = PairMaker(pool, codec, recipe)
    rate_power = measure_rate_power(maker.draw_batch(np.random.default_rng(plan.settings.seed), CALIBRATION_PAIRS))
    if network.residual_std:
        network = replace(network, residual_std=rate_power.standard_deviations())
    return TrainingRun(
        maker,
        network,
        plan.settings,
        plan.folder,
        rate_power=rate_power,
        lpips=_lpips("squeezenet", plan.lpips_backbone if plan.settings.lpips_weight else None, plan.lpips_heads),
        validate=_validation(plan, codec),
        report=report,
        device=device,
        precision=getattr(torch, plan.precision),
        compiled=plan.compiled,
    )


def _rate_bounds(plan: TrainingPlan, rates: RateRange) -> tuple[float, float]:
    low, high = plan.rate_bounds or rates.bounds
    for rate in (low, high):
        rates.check(rate)
    if low >= high:
        raise TrainingError(f"rate factors from {low:g} to {high:g}; expected the smaller one first")
    if low <= 0:
        raise TrainingError(
            f"rate factors from {low:g} to {high:g}; training spaces them by ratio, so pass --rates from above 0"
        )
    return low, high


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise TrainingError(f"cannot make the folder '{folder}': {cause.strerror}; pass another -o FOLDER") from cause
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TrainingError(f"the folder '{folder}' is not writable; pass another -o FOLDER")


def _network(plan: TrainingPlan, codec: EncodingCodec) -> UNetConfig:
    from dirac_enhance.networks.catalogue import NETWORKS

    if plan.network not in NETWORKS:
        raise TrainingError(f"no network '{plan.network}'; the networks are {', '.join(NETWORKS)}")
    config, rates = NETWORKS[plan.network], codec.rate_range
    if not plan.tell_rate:
        return config
    return replace(config, rate_range=(rates.minimum, rates.maximum), rate_log_spaced=rates.log_spaced)


def _validation(plan: TrainingPlan, codec: EncodingCodec) -> Validate | None:
    if plan.validation is None:
        return None
    from dirac_enhance.training.validation import load_validation

    lpips = _lpips("alexnet", plan.validation_backbone, None)
    rates = [codec.rate_range.place(place) for place in VALIDATION_PLACES]
    return load_validation(plan.validation, codec=codec, rate_factors=rates, lpips=lpips)


def _lpips(backbone: Backbone, file: Path | None, heads: Path | None) -> LPIPS | None:
    if file is None:
        return None
    from dirac_enhance.metrics.perceptual import load_lpips

    return load_lpips(backbone, backbone_file=file, heads_file=heads)
