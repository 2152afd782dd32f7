"""TrainingPlan: a training as the user asks for it, in paths and names, and how it becomes a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dirac_enhance.atomic import create_folder
from dirac_enhance.codec import Codec, EncodingCodec
from dirac_enhance.errors import TrainingError
from dirac_enhance.training.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from dirac_enhance.device import Device
    from dirac_enhance.metrics.perceptual import LPIPS, Backbone
    from dirac_enhance.networks.config import UNetConfig
    from dirac_enhance.training.batches import PairSource
    from dirac_enhance.training.loop import TrainingRun, Validate
    from dirac_enhance.training.stored_pairs import Symmetries
    from dirac_enhance.training.weighting import RatePower

VALIDATION_PLACES = (0.0, 0.23, 0.47, 0.7, 0.94)
"""Where in the usual rate range validation looks; for JPEG that is quality 5, 10, 20, 39 and 80."""

CALIBRATION_PAIRS = 3000
"""Pairs from which the residual's power and size at each rate factor are measured."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """Pairs made beforehand, and how they are used.

    Args:
        indexes: CSV files that list them; the streams lie beside each.
        held_out: share of the originals whose pairs are for validation only.
        limit: train on at most so many pairs; smaller limits take a part of what larger ones take.
        symmetries: "none", "flips" or "flips-and-turns".
        colour_symmetries: whether luma and chroma are negated, and the chroma planes swapped, at random.
        grid: windows of `crop_size` begin at multiples of this many pixels within a stored crop.
        memory: MiB that decoded pairs may take; the others are decoded each time they are drawn.
    """

    indexes: tuple[Path, ...]
    held_out: float = 0.1
    limit: int | None = None
    symmetries: Symmetries = "flips-and-turns"
    colour_symmetries: bool = False
    grid: int = 16
    memory: int = 2048


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train on what.

    Args:
        data: folder of training images; with `pairs`, of their originals.
        folder: where checkpoint and weights go.
        settings: of the optimisation.
        pairs: made beforehand, instead of on the fly.
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
    pairs: PairSet | None = None
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
        TrainingError: if the codec cannot encode and no pairs are given, or if data, network or settings
            cannot be used.
        InvalidImageError: if the folder cannot be written to.
        RateFactorError: if the codec cannot encode at a bound of the rate factors.
        DeviceError: if the device is not there.
        WeightsError: if an LPIPS file is missing or not what it should be.
    """
    import numpy as np
    import torch

    from dirac_enhance.device import resolve_device
    from dirac_enhance.training.loop import TrainingRun
    from dirac_enhance.training.residual_sizes import measure_residual_sizes
    from dirac_enhance.training.weighting import measure_rate_power

    network = _find_network(plan.network)
    if plan.crop_size % max(network.stride, 32):
        raise TrainingError(f"crop size {plan.crop_size}; expected a multiple of {max(network.stride, 32)}")
    if plan.settings.keep_best == "lpips" and plan.validation_backbone is None:
        raise TrainingError("LPIPS is measured with AlexNet; pass --validation-backbone FILE, or --keep-best gain")
    device = resolve_device(plan.device)
    create_folder(plan.folder)
    gathered = _gather_fresh(plan, codec) if plan.pairs is None else _gather_stored(plan, plan.pairs, codec)
    calibration = gathered.pairs.draw_batch(np.random.default_rng(plan.settings.seed), CALIBRATION_PAIRS)
    rate_power = measure_rate_power(calibration, log_spaced=gathered.log_spaced)
    return TrainingRun(
        gathered.pairs,
        _fit_network(network, plan, gathered, rate_power),
        plan.settings,
        plan.folder,
        rate_power=rate_power,
        residual_sizes=measure_residual_sizes(calibration, log_spaced=gathered.log_spaced),
        lpips=_lpips("squeezenet", plan.lpips_backbone if plan.settings.lpips_weight else None, plan.lpips_heads),
        validate=gathered.validate,
        report=report,
        device=device,
        precision=getattr(torch, plan.precision),
        compiled=plan.compiled,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """The data of a training, and the axis of its rate factors."""

    pairs: PairSource
    validate: Validate | None
    rate_limits: tuple[float, float]
    log_spaced: bool


def _gather_fresh(plan: TrainingPlan, codec: Codec) -> _Gathered:
    """Read the images that pairs are made of."""
    from dirac_enhance.training.images import load_pool
    from dirac_enhance.training.pairs import GRID_SLACK, PairMaker, PairRecipe, check_rate_bounds

    if not isinstance(codec, EncodingCodec):
        raise TrainingError(
            f"codec '{codec.id}' only decodes; training needs its encoder, or pairs made with one: --pairs INDEX.csv"
        )
    rates = codec.rate_range
    recipe = PairRecipe(crop_size=plan.crop_size, rate_bounds=check_rate_bounds(plan.rate_bounds, rates))
    pool = load_pool(plan.data, smallest_side=plan.crop_size + 2 * GRID_SLACK, shares=plan.shares)
    limits = (rates.minimum, rates.maximum)
    return _Gathered(PairMaker(pool, codec, recipe), _validation(plan, codec), limits, rates.log_spaced)


def _gather_stored(plan: TrainingPlan, chosen: PairSet, codec: Codec) -> _Gathered:
    """Read pairs made beforehand; a codec that only decodes has the rate factors that occur, evenly laid out."""
    from dirac_enhance.training.pair_files import PairFiles
    from dirac_enhance.training.pair_index import read_indexes, split_rows
    from dirac_enhance.training.stored_pairs import PairReader, StoredPairRecipe, load_pairs
    from dirac_enhance.training.validation import hold_out

    if plan.validation is not None:
        raise TrainingError("--validation codes pictures anew; with --pairs, leave it out and pass --held-out SHARE")
    rows, streams = read_indexes(chosen.indexes)
    low, high = plan.rate_bounds or (-math.inf, math.inf)
    within = [row for row in rows if low <= row.rate_factor <= high]
    training, apart = split_rows(within, held_out=chosen.held_out, limit=chosen.limit)
    files = PairFiles(streams, plan.data, codec)
    pool = load_pairs(training, files, memory=chosen.memory, shares=plan.shares, held_out=apart)
    recipe = StoredPairRecipe(
        plan.crop_size,
        grid=chosen.grid,
        symmetries=chosen.symmetries,
        colour_symmetries=chosen.colour_symmetries,
    )
    validate = hold_out(apart, files, lpips=_lpips("alexnet", plan.validation_backbone, None)) if apart else None
    if isinstance(codec, EncodingCodec):
        limits, log_spaced = (codec.rate_range.minimum, codec.rate_range.maximum), codec.rate_range.log_spaced
    else:
        rates = [row.rate_factor for row in rows]
        limits, log_spaced = (min(rates), max(*rates, min(rates) + 1)), False
    return _Gathered(PairReader(pool, recipe), validate, limits, log_spaced)


def _find_network(name: str) -> UNetConfig:
    from dirac_enhance.networks.catalogue import NETWORKS

    if name not in NETWORKS:
        raise TrainingError(f"no network '{name}'; the networks are {', '.join(NETWORKS)}")
    return NETWORKS[name]


def _fit_network(network: UNetConfig, plan: TrainingPlan, gathered: _Gathered, rate_power: RatePower) -> UNetConfig:
    """Put the codec's rate factors and the measured size of its residuals into a network's description."""
    if network.residual_std:
        measured = rate_power.standard_deviations()
        network = replace(network, residual_std=measured, residual_std_log_spaced=gathered.log_spaced)
    if plan.tell_rate:
        network = replace(network, rate_range=gathered.rate_limits, rate_log_spaced=gathered.log_spaced)
    return network


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
