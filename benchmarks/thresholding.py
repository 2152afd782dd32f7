"""Rate-dependent thresholding off and on, at several percentages, on existing weights (DIRAC sections 3.3 and 5.3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from appendix_tables import thresholding_text
from dirac_enhance import BenchmarkError, DiracError, EncodingCodec, load_enhancer
from dirac_enhance.metrics import load_lpips
from dirac_enhance.sampling import SamplingSettings
from dirac_enhance.training.images import load_pool
from dirac_enhance.training.pair_files import PairFiles
from dirac_enhance.training.pair_index import read_index, split_rows
from dirac_enhance.training.pairs import GRID_SLACK, PairMaker, PairRecipe
from dirac_enhance.training.residual_sizes import measure_residual_sizes
from dirac_enhance.training.stored_pairs import PairReader, StoredPairRecipe, load_pairs
from originals import choose_codec, qualities_option, read_folder, streams_option
from record import RESULTS, publish_record
from restoration import weights_header
from variants import Variant, measure_variants, numbers

if TYPE_CHECKING:
    from dirac_enhance import Codec, Enhancer
    from dirac_enhance.training.residual_sizes import ResidualSizes

_QUALITIES = (5.0, 10.0, 20.0, 40.0)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=_FOLDER)
@click.option("--data", type=_FOLDER, required=True, help="Training images, whose residuals set the thresholds.")
@click.option("--pairs", default=1000, type=click.IntRange(20), help="Training crops to measure them on.")
@click.option(
    "--pair-index",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Index of pairs of --data coded beforehand, as `dirac-enhance make-pairs` writes it; nothing is encoded.",
)
@click.option(
    "--codec", default="jpeg", help="An installed codec that encodes, or with --streams and --pair-index any."
)
@streams_option
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Weights instead of the shipped ones.")
@click.option(
    "--percentiles", default="90,95,99,99.9", callback=numbers, help="Shares of the residuals to leave alone."
)
@qualities_option(_QUALITIES, purpose="Rate factors to measure at.")
@click.option(
    "--spacing", type=click.Choice(["paper", "log-snr"]), help="Of the evaluations; the weights' own if unsaid."
)
@click.option("--late-start", type=click.IntRange(0, 99), help="Positions skipped; 0 walks all of them.")
@click.option("--evaluations", type=click.IntRange(1), help="How many, in log-SNR spacing.")
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many pictures only.")
@click.option("--lpips-backbone", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=RESULTS / "thresholding.json")
def main(
    folder: Path,
    data: Path,
    pairs: int,
    pair_index: Path | None,
    codec: str,
    streams: Path | None,
    weights: Path | None,
    percentiles: tuple[float, ...],
    qualities: tuple[float, ...],
    limit: int | None,
    lpips_backbone: Path,
    json_file: Path,
    **trajectory: Any,
) -> None:
    """Measure steps 100 over FOLDER without and with thresholds, which the weights themselves need not have."""
    try:
        decoder, coded = choose_codec(codec, streams, qualities, usual=_QUALITIES)
        enhancer = load_enhancer(codec, weights=weights, device="cpu")
        originals = read_folder(folder, only=coded.pictures, limit=limit)
        sizes = _measure_sizes(data, decoder, pairs, index=pair_index)
        rows = measure_variants(
            originals,
            decoder,
            coded,
            _variants(enhancer, sizes, percentiles, SamplingSettings(**trajectory)),
            lpips=load_lpips("alexnet", backbone_file=lpips_backbone),
        )
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    contents: dict[str, Any] = {
        "codec": codec,
        "pictures": len(originals),
        "weights": weights_header(enhancer),
        "training_pairs": pairs,
        "trajectory": trajectory,
        "thresholds": {f"{percentile:g}": sizes.thresholds(percentile) for percentile in percentiles},
        "rows": rows,
    }
    publish_record(json_file, benchmark="thresholding", contents=contents, text=thresholding_text)


def _measure_sizes(data: Path, codec: Codec, pairs: int, *, index: Path | None) -> ResidualSizes:
    """Measure residuals of crops drawn as in training, or coded beforehand."""
    if index is not None:
        rows, _ = split_rows(read_index(index), held_out=0.0, limit=pairs)
        stored = load_pairs(rows, PairFiles(index.parent, data, codec))
        reader = PairReader(stored, StoredPairRecipe(symmetries="none", rate_hidden=0.0))
        log_spaced = isinstance(codec, EncodingCodec) and codec.rate_range.log_spaced
        return measure_residual_sizes(reader.draw_batch(np.random.default_rng(0), pairs), log_spaced=log_spaced)
    if not isinstance(codec, EncodingCodec):
        raise BenchmarkError(f"codec '{codec.id}' only decodes; give pairs coded beforehand with --pair-index FILE")
    rates = codec.rate_range
    recipe = PairRecipe(rate_bounds=rates.bounds)
    maker = PairMaker(load_pool(data, smallest_side=recipe.crop_size + 2 * GRID_SLACK), codec, recipe)
    return measure_residual_sizes(maker.draw_batch(np.random.default_rng(0), pairs), log_spaced=rates.log_spaced)


def _variants(
    enhancer: Enhancer, sizes: ResidualSizes, percentiles: tuple[float, ...], sampling: SamplingSettings
) -> list[Variant]:
    trajectory = sampling.trajectory_keywords()
    count = enhancer.evaluations(**trajectory)

    def thresholded(percentile: float) -> Variant:
        metadata = replace(enhancer.metadata, thresholds=sizes.thresholds(percentile))
        limited = replace(enhancer, metadata=metadata)
        return Variant(f"{percentile:g} %", count, lambda base: limited.enhance(base, **trajectory))

    off = Variant("off", count, lambda base: enhancer.enhance(base, **trajectory, thresholding=False))
    return [off, *(thresholded(percentile) for percentile in percentiles)]


if __name__ == "__main__":
    main()
