"""CodecConfig: the shape of a SwinT-ChARM network; `CONFIGS` names the two there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from dirac_enhance import TrainingError

STRIDE = 64
"""Sides of what the network takes are multiples of this: 16 pixels a latent, four latents a hyper-latent."""


@dataclass(frozen=True, slots=True)
class CodecConfig:
    """Shape of the transforms and of the prior (DIRAC table B.2; Zhu et al., ICLR 2022, for what it leaves open).

    Args:
        widths: channels of the four stages of the analysis transform, from half to a sixteenth of the resolution; the
            synthesis transform has them in reverse.
        depths: Swin blocks of those stages.
        window: side of their attention windows, in tokens.
        hyper_widths: channels of the two stages of the hyper-encoder.
        hyper_depths: Swin blocks of those stages.
        hyper_window: side of their attention windows.
        head_width: channels of an attention head; a divisor of all widths.
        mlp_ratio: hidden width of a block's perceptron, in widths.
        slices: channels of the latents' slices, in the order they are coded.
        hyper_channels: of the hyper-latents.
        prior_channels: channels that the hyper-decoder hands the prior for the means, and again for the scales.
        context_widths: hidden channels of the prior's convolutions.
        context_kernels: their kernel sizes.

    Raises:
        TrainingError: if a width is no multiple of `head_width`, or lengths do not fit.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    window: int
    hyper_widths: tuple[int, ...]
    hyper_depths: tuple[int, ...]
    hyper_window: int
    head_width: int
    mlp_ratio: int
    slices: tuple[int, ...]
    hyper_channels: int
    prior_channels: int
    context_widths: tuple[int, ...]
    context_kernels: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = [len(self.widths), len(self.depths), len(self.hyper_widths), len(self.hyper_depths)]
        ragged = lengths != [4, 4, 2, 2] or len(self.context_kernels) != len(self.context_widths) + 1
        if ragged or any(width % self.head_width for width in self.widths + self.hyper_widths):
            raise TrainingError(f"no network has the shape {self}; widths are multiples of the head width")

    @property
    def latent_channels(self) -> int:
        """Channels of the latents, all slices together."""
        return sum(self.slices)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CodecConfig:
        """Take over what `to_dict` returned, by way of JSON or not.

        Raises:
            TrainingError: if a field is missing, unknown or of another kind.
        """
        names = {field.name for field in fields(cls)}
        if set(stored) != names:
            odd = ", ".join(sorted(names ^ set(stored)))
            raise TrainingError(f"not the shape of a SwinT-ChARM network: {odd} missing or unknown")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
        }
        return cls(**values)


CONFIGS = {
    "paper": CodecConfig(
        widths=(64, 128, 256, 320),
        depths=(2, 2, 6, 2),
        window=8,
        hyper_widths=(192, 192),
        hyper_depths=(4, 2),
        hyper_window=4,
        head_width=32,
        mlp_ratio=4,
        slices=(32,) * 10,
        hyper_channels=192,
        prior_channels=96,
        context_widths=(64, 48),
        context_kernels=(3, 3, 3),
    ),
    "small": CodecConfig(
        widths=(32, 64, 128, 192),
        depths=(1, 2, 4, 2),
        window=8,
        hyper_widths=(96, 96),
        hyper_depths=(2, 1),
        hyper_window=4,
        head_width=32,
        mlp_ratio=2,
        slices=(16, 16, 32, 32, 64),
        hyper_channels=48,
        prior_channels=56,
        context_widths=(64, 48),
        context_kernels=(3, 3, 3),
    ),
    "tiny": CodecConfig(
        widths=(8, 8, 16, 16),
        depths=(1, 1, 2, 1),
        window=4,
        hyper_widths=(16, 16),
        hyper_depths=(1, 1),
        hyper_window=2,
        head_width=8,
        mlp_ratio=2,
        slices=(4, 8),
        hyper_channels=8,
        prior_channels=8,
        context_widths=(8,),
        context_kernels=(3, 3),
    ),
}
"""`paper` is DIRAC's; `small` trains and decodes on two processor cores; `tiny` is for rehearsals of seconds."""

PAPER_MILLIONS = 28.4
"""Parameters of DIRAC's SwinT-ChARM (table C.1)."""
SIZE_REASONS = {
    "paper": "table B.2 leaves the later stages' widths and the prior's layers open, which were chosen to come near",
    "small": "narrower stages, fewer blocks and half the latents, for two processor cores",
    "tiny": "for rehearsals only",
}
"""Why a configuration's number of parameters is not the paper's."""
