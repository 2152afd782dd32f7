"""Variants of restoring one base reconstruction, measured side by side over pictures and rates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import torch

from dirac_enhance.bench.coded_pictures import decode_picture
from meter import Meter
from restoration_rows import Measurement, average

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from dirac_enhance import BaseReconstruction, Codec
    from dirac_enhance.bench.coded_pictures import CodedPictures
    from dirac_enhance.metrics import LPIPS


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to restore: its name, how often it evaluates the network, and what does it."""

    name: str
    evaluations: int
    restore: Callable[[BaseReconstruction], Tensor]


@torch.inference_mode()
def measure_variants(
    originals: Mapping[str, Tensor],
    codec: Codec,
    coded: CodedPictures,
    variants: Sequence[Variant],
    *,
    lpips: LPIPS | None,
) -> list[dict[str, Any]]:
    """Decode each original at each of its rate factors, restore it by each variant, compare, average over the pictures.

    Args:
        originals: file name → (3, H, W) float32 in [0, 1].
        codec: decodes them.
        coded: what it decodes, encoded now or made beforehand.
        variants: the decoded picture itself is measured before them, as "base".
        lpips: with the AlexNet backbone, on the CPU; None leaves it out.

    Returns:
        Rows as those of `restoration.py`, one for each quality and variant; tells of each picture on standard error.
    """
    plain = Variant("base", 0, lambda base: base.pixels)
    measurements = []
    for picture, original in originals.items():
        start, meter = time.perf_counter(), Meter.of(original, lpips=lpips, device="cpu")
        for quality in coded.rates(picture):
            base = decode_picture(codec, coded, picture, original, rate_factor=quality).base
            for variant in (plain, *variants):
                key = (quality, variant.name, "", variant.evaluations)
                measurements.append(Measurement(key, picture, meter(variant.restore(base))))
        click.echo(f"{picture}: {time.perf_counter() - start:.1f} s", err=True)
    return average(measurements)


def numbers(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Read an option's comma-separated numbers; none if nothing was said.

    Raises:
        click.BadParameter: if it is no such list.
    """
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as cause:
        raise click.BadParameter(f"'{text}' is not a list of numbers such as 5,10,20") from cause
