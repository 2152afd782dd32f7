"""`dirac-enhance networks`: the networks that can be trained, and what each costs."""

from __future__ import annotations

import click

_ROW = "{:<18} {:>12} {:>11} {:>8} {:>10}"


@click.command()
def networks() -> None:
    """List the networks that can be trained.

    MMAC/pixel: millions of multiply-accumulates for a pixel in one evaluation. Stride: what tiles are aligned to,
    in pixels. Reach: how many pixels away an output pixel looks at most, or "all" where it depends on the whole
    picture and tiling is approximate.

    \b
    Examples:
      dirac-enhance networks
      dirac-enhance train --network small --codec jpeg --data photos/ -o run/
    """
    from dirac_enhance.networks.catalogue import NETWORKS, mmac_per_pixel, parameters

    click.echo(_ROW.format("network", "parameters", "MMAC/pixel", "stride", "reach"))
    for name, config in NETWORKS.items():
        reach = "all" if config.receptive_radius is None else config.receptive_radius
        click.echo(_ROW.format(name, f"{parameters(config):,}", f"{mmac_per_pixel(config):.3f}", config.stride, reach))
