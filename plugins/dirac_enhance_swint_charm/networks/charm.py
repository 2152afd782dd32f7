"""ChARM: the channel-wise autoregressive prior with latent residual prediction (Minnen & Singh, ICIP 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Quantise = Callable[[int, Tensor, Tensor], Tensor]
"""Given a slice's number, means and logarithms of scales, return the slice quantised: rounded residual plus mean."""


class ContextConvolutions(nn.Module):
    """Convolutions with ReLU between them; zero at first."""

    def __init__(self, in_channels: int, out_channels: int, *, widths: Sequence[int], kernels: Sequence[int]) -> None:
        super().__init__()
        pairs = pairwise((in_channels, *widths, out_channels))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(*pair, kernel, padding=kernel // 2) for pair, kernel in zip(pairs, kernels, strict=True)
        )
        self.activation = nn.ReLU()
        last = self.convolutions[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(self, support: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        for convolution in self.convolutions[:-1]:
            support = self.activation(convolution(support))
        return self.convolutions[-1](support)  # type: ignore[no-any-return]


class SlicePrior(nn.Module):
    """Mean, logarithm of the scale, and residual of one slice, from the hyper-decoder and the slices before it."""

    def __init__(
        self, prior_channels: int, before: int, channels: int, *, widths: Sequence[int], kernels: Sequence[int]
    ) -> None:
        super().__init__()
        support = prior_channels + before
        self.mean = ContextConvolutions(support, channels, widths=widths, kernels=kernels)
        self.log_scale = ContextConvolutions(support, channels, widths=widths, kernels=kernels)
        self.residual = ContextConvolutions(support + channels, channels, widths=widths, kernels=kernels)


class ChannelwisePrior(nn.Module):
    """The prior of all slices; each is predicted from those before it.

    Args:
        prior_channels: of each of the two halves that the hyper-decoder hands over.
        slices: channels of each slice.
        widths: hidden channels of the convolutions.
        kernels: their kernel sizes.
    """

    def __init__(
        self, prior_channels: int, *, slices: Sequence[int], widths: Sequence[int], kernels: Sequence[int]
    ) -> None:
        super().__init__()
        before = [sum(slices[:index]) for index in range(len(slices))]
        self.slices = nn.ModuleList(
            SlicePrior(prior_channels, known, channels, widths=widths, kernels=kernels)
            for known, channels in zip(before, slices, strict=True)
        )

    def forward(self, features: Tensor, quantise: Quantise) -> Tensor:
        """Walk through the slices.

        Args:
            features: (N, 2·prior, H, W) from the hyper-decoder: for the means, then for the scales.
            quantise: called once a slice with its mean and log-scale, each (N, c, H, W); returns it quantised. The
                encoder rounds there, the decoder reads, training does the former and keeps what the rate needs.

        Returns:
            (N, C, H, W): the quantised latents, the predicted residual ½·tanh(·) added.
        """
        mean_features, scale_features = features.chunk(2, dim=1)
        known: list[Tensor] = []
        for index, prior in enumerate(self.slices):
            assert isinstance(prior, SlicePrior)
            mean_support = torch.cat((mean_features, *known), dim=1)
            mean = prior.mean(mean_support)
            log_scale = prior.log_scale(torch.cat((scale_features, *known), dim=1))
            quantised = quantise(index, mean, log_scale)
            residual = prior.residual(torch.cat((mean_support, quantised), dim=1))
            known.append(quantised + self._half_tanh(residual))
        return torch.cat(known, dim=1)

    def _half_tanh(self, residual: Tensor) -> Tensor:
        return 0.5 * torch.tanh(residual)
