"""Noise schedules side by side: equal short trainings of one network, then steps 1 and 100 (DIRAC section C.3)."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appendix_tables import schedule_text
from dirac_enhance import DiracError, load_enhancer
from dirac_enhance.bench.coded_pictures import EncodedNow
from dirac_enhance.diffusion.schedule_catalogue import SCHEDULES
from dirac_enhance.metrics import load_lpips
from dirac_enhance.training.export import SamplingDefaults, export_weights
from dirac_enhance.training.plan import TrainingPlan, build_run
from dirac_enhance.training.settings import TrainingSettings
from originals import cut_middle, encoding_codec, read_folder
from record import RESULTS, publish_record
from short_training import train_shortly, training_options
from variants import Variant, measure_variants, numbers

if TYPE_CHECKING:
    from dirac_enhance import Enhancer
    from dirac_enhance.training.checkpoint import Checkpoint

_EVALUATIONS = 4


@click.command(context_settings={"show_default": True})
@training_options
@click.option("--schedules", default=",".join(SCHEDULES), help="Names, comma-separated.")
@click.option("--network", default="tiny", help="One of `dirac-enhance networks`.")
@click.option("--iterations", default=300, type=click.IntRange(1), help="Of each training.")
@click.option("--batch-size", default=8, type=click.IntRange(1))
@click.option("--crop-size", default=64, type=click.IntRange(32), help="Side of the training crops.")
@click.option("--learning-rate", default=2e-3)
@click.option("--lpips-weight", default=0.01)
@click.option("--qualities", default="10,40", callback=numbers, help="Rate factors to measure at.")
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many pictures only.")
@click.option("--side", default=256, type=click.IntRange(32), help="Measure the middle of each, of this side.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "schedule-ablation.json")
def main(
    data: Path,
    validation: Path,
    lpips_backbone: Path,
    validation_backbone: Path,
    codec: str,
    schedules: str,
    network: str,
    crop_size: int,
    lpips_weight: float,
    qualities: tuple[float, ...],
    limit: int | None,
    side: int,
    json_file: Path,
    **settings: Any,
) -> None:
    """Train the network once for each schedule, on the same pairs from the same seed, and measure what came out."""
    trained = TrainingSettings(
        **settings,
        lpips_weight=lpips_weight,
        warmup=20,
        ema_decay=0.99,
        interval=10**6,
        validation_interval=10**6,
        workers=0,
    )
    encoder = encoding_codec(codec)
    plan = TrainingPlan(data, Path(tempfile.gettempdir()), trained, network=network, crop_size=crop_size)
    plan = replace(plan, lpips_backbone=lpips_backbone)
    originals = {
        name: cut_middle(original, side=side) for name, original in read_folder(validation, limit=limit).items()
    }
    lpips, rows = load_lpips("alexnet", backbone_file=validation_backbone), list[dict[str, Any]]()
    try:
        run = build_run(plan, encoder, report=lambda line: click.echo(line, err=True))
        for name in schedules.split(","):
            checkpoint = train_shortly(replace(run, settings=replace(trained, schedule=name)), name=name)
            enhancer = _enhancer_of(checkpoint)
            coded = EncodedNow(encoder, qualities)
            measured = measure_variants(originals, encoder, coded, _variants(enhancer), lpips=lpips)
            rows += [{"schedule": name, "late_start": enhancer.metadata.late_start, **row} for row in measured]
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents = {
        "codec": codec,
        "network": network,
        "pictures": len(originals),
        "side": side,
        "settings": {key: value for key, value in asdict(trained).items() if key != "schedule"},
        "pairs": asdict(run.pairs.recipe),
        "schedules": {name: dict(constants) for name, constants in SCHEDULES.items()},
        "rows": rows,
    }
    publish_record(json_file, benchmark="schedule_ablation", contents=contents, text=schedule_text)


def _enhancer_of(checkpoint: Checkpoint) -> Enhancer:
    """Load what was trained the way its user would, from exported weights."""
    with tempfile.TemporaryDirectory() as folder:
        sampling = SamplingDefaults(evaluations=_EVALUATIONS)
        weights = export_weights(checkpoint, Path(folder), sampling=sampling, half_precision=False)
        return load_enhancer(checkpoint.codec_id, weights=weights, device="cpu")


def _variants(enhancer: Enhancer) -> list[Variant]:
    count = enhancer.evaluations(spacing="paper")
    return [
        Variant("steps 1", 1, lambda base: enhancer.enhance(base, steps=1)),
        Variant("steps 100, log-snr", _EVALUATIONS, enhancer.enhance),
        Variant("steps 100, paper", count, lambda base: enhancer.enhance(base, spacing="paper")),
    ]


if __name__ == "__main__":
    main()
