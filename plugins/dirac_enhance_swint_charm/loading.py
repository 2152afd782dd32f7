"""From a weights file to a `PictureCoder`: networks built, exact ones made from them, arithmetic checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn

from dirac_enhance import WeightsError, WeightsFile, resolve_device
from dirac_enhance_swint_charm.entropy.symbol_tables import SymbolTables
from dirac_enhance_swint_charm.exact.networks import ExactChannelwisePrior, exact_copy
from dirac_enhance_swint_charm.exact.probe import check_arithmetic
from dirac_enhance_swint_charm.exact.tables import log_scale_thresholds
from dirac_enhance_swint_charm.latent_coder import LatentCoder
from dirac_enhance_swint_charm.networks.charm import ChannelwisePrior
from dirac_enhance_swint_charm.networks.network import LARGEST_SCALE, SCALES, SMALLEST_SCALE
from dirac_enhance_swint_charm.networks.transforms import AnalysisTransform, StageShape, SynthesisTransform
from dirac_enhance_swint_charm.picture_coder import PictureCoder
from dirac_enhance_swint_charm.weights_file import CodecWeights, find_codec_weights, load_codec_weights


def open_coder(weights: str, device: str) -> PictureCoder:
    """Return the coder of a weights file, as loaded the last time if the file has not changed.

    Args:
        weights: path of the file; empty for the one that is installed.
        device: "auto", "cpu" or "cuda".

    Raises:
        WeightsError: if there are no such weights.
        DeviceError: if there is no such device, or its arithmetic is not exact.
    """
    file = find_codec_weights(weights)
    chosen = resolve_device(device, otherwise="--codec-option device=cpu")
    try:
        status = file.path.stat()
    except OSError:
        return build_coder(load_codec_weights(file), chosen)  # says what is wrong
    return _open(file, status.st_mtime_ns, status.st_size, chosen)


@lru_cache(maxsize=2)
def _open(file: WeightsFile, _modified: int, _size: int, device: torch.device) -> PictureCoder:
    return build_coder(load_codec_weights(file), device)


def build_coder(weights: CodecWeights, device: torch.device) -> PictureCoder:
    """Build the coder for weights in memory.

    Raises:
        WeightsError: if tensors are missing, or do not fit the configuration.
        DeviceError: if the device's arithmetic is not exact.
    """
    check_arithmetic(device)
    config, state = weights.config, weights.state
    shape = StageShape(config.head_width, config.window, config.mlp_ratio)
    hyper_shape = StageShape(config.head_width, config.hyper_window, config.mlp_ratio)
    latents, hyper = config.latent_channels, config.hyper_channels
    analysis = AnalysisTransform(3, latents, widths=config.widths, depths=config.depths, shape=shape)
    synthesis = SynthesisTransform(latents, 3, widths=config.widths, depths=config.depths, shape=shape)
    widths, depths = config.hyper_widths, config.hyper_depths
    hyper_analysis = AnalysisTransform(latents, hyper, widths=widths, depths=depths, shape=hyper_shape)
    hyper_synthesis = SynthesisTransform(
        hyper, 2 * config.prior_channels, widths=widths, depths=depths, shape=hyper_shape
    )
    prior = ChannelwisePrior(
        config.prior_channels, slices=config.slices, widths=config.context_widths, kernels=config.context_kernels
    )
    _restore(analysis, state, "analysis")
    _restore(synthesis, state, "synthesis")
    _restore(hyper_analysis, state, "hyper_analysis")
    _restore(hyper_synthesis, state, "hyper_synthesis")
    _restore(prior, state, "prior")
    latent_coder = LatentCoder(
        hyper_analysis=hyper_analysis,
        hyper_synthesis=exact_copy(hyper_synthesis),
        prior=ExactChannelwisePrior(prior, channels=config.slices),
        medians=_tensor(state, "bottleneck.quantiles")[:, 0, 1],
        thresholds=log_scale_thresholds(str(SMALLEST_SCALE), str(LARGEST_SCALE), SCALES),
        tables=SymbolTables.from_state(state),
    )
    return PictureCoder(
        analysis=analysis.to(device),
        synthesis=synthesis.to(device),
        latent_coder=latent_coder.to(device),
        scaling=(float(_tensor(state, "scaling.a")), float(_tensor(state, "scaling.b"))),
        model_id=weights.model_id,
        device=device,
    )


def _restore(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
    try:
        network.load_state_dict(own)
    except RuntimeError as cause:
        raise WeightsError(f"the codec's weights do not fit their configuration: {cause}") from cause
    network.requires_grad_(requires_grad=False).eval()


def _tensor(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise WeightsError(f"the codec's weights lack '{name}'")
    return state[name]
