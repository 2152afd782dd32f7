"""Options that several commands share: which codec, which pictures, how to sample, and what the network runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from dirac_enhance.pixel_limit import DEFAULT_MAX_PIXELS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_BY_WEIGHTS = "as the weights were made for"


def _read_pairs(_ctx: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise click.BadParameter(f"'{pair}' has no '='; expected KEY=VALUE, as `dirac-enhance codecs` lists them")
    return dict(pair.split("=", 1) for pair in pairs)


def _complete_codec(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(codec_id) for codec_id in ctx.obj.codecs if codec_id.startswith(incomplete)]


_CODEC = click.option(
    "--codec",
    "codec_id",
    metavar="auto|ID",
    default="auto",
    shell_complete=_complete_codec,
    help="What the files were compressed with; auto looks into them. `dirac-enhance codecs` lists the ids.",
)

_ENCODER = click.option(
    "--codec",
    "codec_id",
    metavar="ID",
    required=True,
    shell_complete=_complete_codec,
    help="Codec to encode with; `dirac-enhance codecs` lists those that can.",
)

_CODEC_OPTION = click.option(
    "--codec-option",
    "codec_options",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_read_pairs,
    show_default="none",
    help="Set an option of the codec; may be repeated. `dirac-enhance codecs` lists them.",
)

_DECODED_PIXELS = click.option(
    "--enhancer",
    "enhancer_id",
    metavar="ID",
    shell_complete=_complete_codec,
    show_default="that of the codec",
    help="The files hold decoded pixels (PNG, TIFF, BMP, PPM, lossless WebP): no codec runs, and ID says which"
    " codec's artefacts they carry. For a screenshot of a JPEG, say, or a frame of a video.",
)

_MAX_PIXELS = click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(1),
    default=DEFAULT_MAX_PIXELS,
    help="Refuse files that claim more pixels, before they are decoded.",
)

_RESULT = (
    click.option(
        "--depth",
        type=click.Choice(["8", "16"]),
        default="8",
        callback=lambda _ctx, _parameter, depth: int(depth),
        help="Bits per sample of the results; 16 in PNG and TIFF.",
    ),
    click.option(
        "--strip-metadata",
        is_flag=True,
        help="Leave EXIF, XMP and resolution out of the results. The colour profile stays: colours depend on it.",
    ),
)

_STEPS = (
    click.option(
        "--steps",
        metavar="N",
        type=click.IntRange(1, 100),
        default=100,
        help="How far to go from fidelity to realism. 100: the sharpest and most realistic picture. 81, with the usual"
        " late start: one evaluation of the network, where sampling begins. 1: closest to the original, and smooth;"
        " all N up to the late start give that same picture, the paper's DIRAC-1.",
    ),
)

_SAMPLES = (
    click.option(
        "--samples",
        metavar="K",
        type=click.IntRange(1),
        default=1,
        help="Average K independent samples: closer to the original, smoother, K times the work.",
    ),
)

_TRAJECTORY = (
    click.option(
        "--late-start",
        metavar="L",
        type=click.IntRange(0, 99),
        show_default=f"{_BY_WEIGHTS}, usually 80",
        help="Skip the first L of the 100 positions and begin at the next one with noise; 0 skips none.",
    ),
    click.option(
        "--spacing",
        type=click.Choice(["paper", "log-snr"]),
        show_default=_BY_WEIGHTS,
        help="Where the network is evaluated: at each of the paper's positions, or at a few, evenly in log-SNR.",
    ),
    click.option(
        "--evaluations",
        metavar="K",
        type=click.IntRange(1, 1000),
        show_default=_BY_WEIGHTS,
        help="Evaluations of log-SNR spacing from the late start to position 100.",
    ),
    click.option(
        "--seed",
        metavar="S",
        type=click.IntRange(0),
        default=0,
        help="The same seed gives the same file again; another one a picture just as plausible.",
    ),
    click.option(
        "--eta",
        metavar="E",
        type=click.FloatRange(0, 1),
        default=0.0,
        help="Fresh noise in each step: 0 is none (DDIM), 1 is ancestral sampling.",
    ),
)

end_timestep_option = click.option(
    "--end-timestep",
    metavar="T",
    type=click.IntRange(0, 999),
    show_default=_BY_WEIGHTS,
    help="Timestep of the last evaluation of log-SNR spacing, 0 to 999, of more than one.",
)
"""`end_timestep: int | None`, as in `SamplingSettings`; part of `sampling_options`."""

_THRESHOLDING = (
    click.option(
        "--thresholding/--no-thresholding",
        default=True,
        help="Keep residuals in the range they have at the file's rate factor, if it is known and the weights were made"
        " with thresholds.",
    ),
)

_NETWORK = (
    click.option(
        "--weights",
        metavar="FILE",
        type=click.Path(path_type=Path),
        show_default="those that came with the codec",
        help="Enhancer weights, as `dirac-enhance train` writes them.",
    ),
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where the network runs."
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "bfloat16"]),
        default="auto",
        help="What the network computes in; auto is bfloat16 where the device is made for it, else float32.",
    ),
    click.option(
        "--tile",
        metavar="PIXELS",
        type=click.IntRange(16),
        show_default="by picture size; halved where a GPU's memory runs out",
        help="Side of the tiles that the network sees one after the other; smaller ones take less memory.",
    ),
)


def _all(options: tuple[Decorator, ...]) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


source_options = _all((_CODEC, _CODEC_OPTION, _DECODED_PIXELS, _MAX_PIXELS))
"""What the files are: `codec_id: str`, `codec_options: dict[str, str]`, `enhancer_id: str | None`, `max_pixels: int`;
the fields of a `CodecChoice` in their order."""

result_options = _all(_RESULT)
"""`depth: Literal[8, 16]` and `strip_metadata: bool`, as in `OutputSettings`."""

encoder_options = _all((_ENCODER, _CODEC_OPTION))
"""What to encode with: `codec_id: str` and `codec_options: dict[str, str]`."""

codec_option = _CODEC_OPTION
"""`--codec-option` alone, for commands that take one codec by its id in a way of their own."""

sampling_options = _all((*_STEPS, *_TRAJECTORY, end_timestep_option, *_SAMPLES, *_THRESHOLDING))
"""The fields of `SamplingSettings`, by name."""

trajectory_options = _all(_TRAJECTORY)
"""The same without `steps`, `end_timestep`, `samples` and `thresholding`: of one walk through several pictures."""

threshold_option = click.option(
    "--thresholds",
    "threshold_percentile",
    metavar="PERCENT",
    type=click.FloatRange(0, 100, min_open=True),
    show_default="none",
    help="Store with the weights, for rate-dependent thresholding, the range that holds so many of the training"
    " residuals at each rate factor; 99, say.",
)
"""`threshold_percentile: float | None`, as `SamplingDefaults` takes it."""

network_options = _all(_NETWORK)
"""`weights: Path | None`, `device: str`, `precision: str` and `tile: int | None`, as `load_enhancer` takes them."""
