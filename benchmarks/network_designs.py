"""Network designs trained for equal minutes on the same pairs, side by side: parameters, arithmetic, PSNR, LPIPS."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from dirac_enhance import DiracError
from dirac_enhance.networks.catalogue import NETWORKS, mmac_per_pixel, parameters
from dirac_enhance.training.plan import TrainingPlan, build_run
from dirac_enhance.training.settings import TrainingSettings
from originals import encoding_codec
from pages import markdown_table
from record import RESULTS, write_record
from short_training import train_shortly, training_options


@click.command(context_settings={"show_default": True})
@training_options
@click.option(
    "--networks",
    default="small,small-concatenated,small-coarse",
    help="Names of `dirac-enhance networks`, comma-separated.",
)
@click.option("--minutes", default=4.0, help="Training time of each.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "network-designs.json")
def main(networks: str, json_file: Path, **options: Any) -> None:
    """Train each network for the same time, from the same seed, and print one row for each."""
    try:
        rows = [_measure(name, **options) for name in networks.split(",")]
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_table(rows))
    settings = {name: str(value) for name, value in options.items()}
    write_record(json_file, benchmark="network_designs", contents={"settings": settings, "rows": rows})
    click.echo(f"written to {json_file}")


def _measure(
    name: str,
    *,
    data: Path,
    validation: Path,
    lpips_backbone: Path,
    validation_backbone: Path,
    minutes: float,
    codec: str,
) -> dict[str, Any]:
    plan = TrainingPlan(
        data=data,
        folder=Path(tempfile.gettempdir()),
        settings=TrainingSettings(batch_size=8, minutes=minutes, ema_decay=0.999, validation_interval=10**6),
        network=name,
        validation=validation,
        lpips_backbone=lpips_backbone,
        validation_backbone=validation_backbone,
    )
    checkpoint = train_shortly(build_run(plan, encoding_codec(codec)), name=name)
    size = {"parameters": parameters(NETWORKS[name]), "mmac_per_pixel": mmac_per_pixel(NETWORKS[name])}
    return {"network": name, **size, "minutes": minutes, **checkpoint.history[-1]}


def _table(rows: list[dict[str, Any]]) -> str:
    return markdown_table(list(rows[0]), ([_figure(value) for value in row.values()] for row in rows))


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
