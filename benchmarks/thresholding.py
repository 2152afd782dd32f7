"""Rate-dependent thresholding off and on, at several percentages, on existing weights (DIRAC sections 3.3 and 5.3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from appendix_tables import thresholding_text
from dirac_enhance import DiracError, load_enhancer
from dirac_enhance.metrics import load_lpips
from dirac_enhance.training.images import load_pool
from dirac_enhance.training.pairs import GRID_SLACK, PairMaker, PairRecipe
from dirac_enhance.training.residual_sizes import measure_residual_sizes
from originals import encoding_codec, read_folder
from record import RESULTS, publish_record
from restoration import weights_header
from variants import Variant, measure_variants, numbers

if TYPE_CHECKING:
    from dirac_enhance import EncodingCodec, Enhancer
    from dirac_enhance.training.residual_sizes import ResidualSizes

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=_FOLDER)
@click.option("--data", type=_FOLDER, required=True, help="Training images, whose residuals set the thresholds.")
@click.option("--pairs", default=1000, type=click.IntRange(20), help="Training crops to measure them on.")
@click.option("--codec", default="jpeg", help="An installed codec that encodes.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Weights instead of the shipped ones.")
@click.option(
    "--percentiles", default="90,95,99,99.9", callback=numbers, help="Shares of the residuals to leave alone."
)
@click.option("--qualities", default="5,10,20,40", callback=numbers, help="Rate factors to measure at.")
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many pictures only.")
@click.option("--lpips-backbone", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "thresholding.json")
def main(
    folder: Path,
    data: Path,
    pairs: int,
    codec: str,
    weights: Path | None,
    percentiles: tuple[float, ...],
    qualities: tuple[float, ...],
    limit: int | None,
    lpips_backbone: Path,
    json_file: Path,
) -> None:
    """Measure steps 100 over FOLDER without and with thresholds, which the weights themselves need not have."""
    try:
        encoder = encoding_codec(codec)
        enhancer = load_enhancer(codec, weights=weights, device="cpu")
        sizes = _measure_sizes(data, encoder, pairs)
        rows = measure_variants(
            read_folder(folder, limit=limit),
            encoder,
            qualities,
            _variants(enhancer, sizes, percentiles),
            lpips=load_lpips("alexnet", backbone_file=lpips_backbone),
        )
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents: dict[str, Any] = {
        "codec": codec,
        "pictures": len(rows[0]["pictures"]),
        "weights": weights_header(enhancer),
        "training_pairs": pairs,
        "thresholds": {f"{percentile:g}": sizes.thresholds(percentile) for percentile in percentiles},
        "rows": rows,
    }
    publish_record(json_file, benchmark="thresholding", contents=contents, text=thresholding_text)


def _measure_sizes(data: Path, codec: EncodingCodec, pairs: int) -> ResidualSizes:
    """Measure residuals of crops drawn as in training."""
    rates = codec.rate_range
    recipe = PairRecipe(rate_bounds=rates.bounds)
    maker = PairMaker(load_pool(data, smallest_side=recipe.crop_size + 2 * GRID_SLACK), codec, recipe)
    return measure_residual_sizes(maker.draw_batch(np.random.default_rng(0), pairs), log_spaced=rates.log_spaced)


def _variants(enhancer: Enhancer, sizes: ResidualSizes, percentiles: tuple[float, ...]) -> list[Variant]:
    count = enhancer.evaluations()

    def thresholded(percentile: float) -> Variant:
        metadata = replace(enhancer.metadata, thresholds=sizes.thresholds(percentile))
        return Variant(f"{percentile:g} %", count, replace(enhancer, metadata=metadata).enhance)

    off = Variant("off", count, lambda base: enhancer.enhance(base, thresholding=False))
    return [off, *(thresholded(percentile) for percentile in percentiles)]


if __name__ == "__main__":
    main()
