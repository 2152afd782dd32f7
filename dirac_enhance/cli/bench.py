"""`dirac-enhance bench`: a codec, its enhancer and its peers over a folder of originals; tables and plots."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirac_enhance.bench.restorers.restorer import DEFAULT_TIME_LIMIT
from dirac_enhance.cli.console import printable_line, remark
from dirac_enhance.cli.options import codec_option, network_options, trajectory_options

if TYPE_CHECKING:
    from dirac_enhance.bench.harness import BenchPlan, State
    from dirac_enhance.bench.measures import Measure
    from dirac_enhance.bench.meter import Meter, Unmeasured
    from dirac_enhance.bench.originals import OriginalSet
    from dirac_enhance.bench.restorers.restorer import AnyRestorer
    from dirac_enhance.bench.results import LeftOut, Results
    from dirac_enhance.bench.results_table import ResultsTable
    from dirac_enhance.enhancer import Enhancer
    from dirac_enhance.host import CodecHost

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PUBLISHED = "published"


def _list_of(kind: click.ParamType[Any]) -> Callable[[click.Context, click.Parameter, str], tuple[Any, ...]]:
    def read(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(dict.fromkeys(kind.convert(part, parameter, ctx) for part in parts))

    return read


@click.command(context_settings={"show_default": True})
@click.argument("paths", metavar="DIR|FILES…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--codec", "codec_id", metavar="ID", default="jpeg", help="What to code the originals with.")
@codec_option
@click.option(
    "--streams",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    show_default="none; the codec encodes",
    help="Folder of the originals' coded files made beforehand, with results.jsonl: a line such as"
    ' {"image": "01.png", "rate": 37, "file": "01.bin"} for each.',
)
@click.option(
    "--rates",
    default="5,10,20,40",
    callback=_list_of(click.FLOAT),
    show_default="5,10,20,40, or those of the streams",
    help="The codec's rate factors.",
)
@click.option(
    "--steps",
    default="1,81,85,90,95,100",
    callback=_list_of(click.IntRange(1, 100)),
    help="Where to stop, as in `dirac-enhance enhance`; '' leaves our own enhancer out.",
)
@click.option(
    "--samples", default="1", callback=_list_of(click.IntRange(1)), help="How many samples to average, at each step."
)
@click.option(
    "--metrics",
    default="psnr,ssim,lpips",
    callback=_list_of(click.STRING),
    help="Of psnr, psnr-b, ssim, ssim-8x8, ms-ssim, lpips, lpips-vgg, lpips-squeeze, fid256, kid256, fd-alexnet256.",
)
@click.option(
    "--peer",
    "peers",
    metavar="NAME",
    multiple=True,
    show_default="none",
    help="Another restorer, such as jpeg2png, fbcnn, spandrel:FILE or 'command:PROGRAM {input} {output}'; all for every"
    " one with a name; published for what papers printed. May be repeated.",
)
@click.option(
    "--peer-time-limit",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=DEFAULT_TIME_LIMIT,
    help="Stop a peer's program that takes longer for a picture.",
)
@click.option(
    "--preset", metavar="ID", show_default="none", help="Which set of a paper DIR is, such as kodak; checked."
)
@click.option("--file-list", type=_FILE, show_default="none", help="Of the preset's pictures among those in DIR.")
@click.option("--limit", type=click.IntRange(1), show_default="all", help="Use only the first pictures.")
@click.option(
    "--lpips-backbone",
    "lpips_backbones",
    type=_FILE,
    multiple=True,
    show_default="those in torch hub's cache",
    help="torchvision's AlexNet, for lpips and fd-alexnet256, VGG-16, for lpips-vgg, or SqueezeNet 1.1, for"
    " lpips-squeeze; which one, is seen from the file. May be repeated.",
)
@click.option(
    "--inception-weights", type=_FILE, show_default="those in torch hub's cache", help="InceptionV3 of the FID paper."
)
@click.option(
    "--simulated-jpeg",
    is_flag=True,
    help="Measure on DDRM's imitation of JPEG, too: another protocol, in a table of its own.",
)
@click.option(
    "--gray",
    is_flag=True,
    help="Code the luma of each picture as a gray JPEG, as gray tables of JPEG restorers do: another protocol.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, help="Pictures to measure, or to give to a peer, at once.")
@click.option("--table", "as_table", is_flag=True, help="Print FILES, results of earlier runs, as Markdown tables.")
@click.option("--plot", "as_plot", is_flag=True, help="Draw FILES, results of earlier runs, into the folder of -o.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="results",
    help="Folder for results.json and results.csv, or for the plots; what is finished there is not measured again.",
)
@trajectory_options
@network_options
@click.pass_context
def bench(ctx: click.Context, /, *, paths: tuple[Path, ...], as_table: bool, as_plot: bool, **options: Any) -> None:
    """Measure a codec, its enhancer and other restorers.

    Codes every picture of DIR, and of the folders in it, at each rate, restores it in each way, and compares it with
    the original. Prints a table for each protocol and keeps results.json and results.csv: a run that was stopped or
    killed goes on where it was when it is started again, and other rates, steps, weights or metrics are added.

    \b
    Examples:
      dirac-enhance bench kodak/ --rates 5,10,20 --steps 1,100 --peer jpeg2png --peer published -o results/
      dirac-enhance bench kodak/ --steps '' --metrics psnr,psnr-b,ssim      the plain codec
      dirac-enhance bench kodak/ --codec jpeg --streams coded/ --steps 1,100
      dirac-enhance bench live1/ --preset live1 --gray --rates 10,20,30,40 --metrics psnr,ssim,psnr-b --peer published
      dirac-enhance bench --table results/results.json --peer published > table.md
      dirac-enhance bench --plot results/results.json -o plots/
    """
    if as_table or as_plot:
        _render(paths, options["output"], as_table=as_table, as_plot=as_plot, published=_PUBLISHED in options["peers"])
        return
    if len(paths) != 1:
        raise click.UsageError(f"{len(paths)} paths given; expected one folder, or --table or --plot with files")
    if options["streams"] and ctx.get_parameter_source("rates") is click.core.ParameterSource.DEFAULT:
        options["rates"] = ()
    failed = _measure(ctx.obj, paths[0], options)
    if failed:
        ctx.exit(1)


def _render(files: tuple[Path, ...], folder: Path, *, as_table: bool, as_plot: bool, published: bool) -> None:
    from dirac_enhance.bench.plots import plot_tables
    from dirac_enhance.bench.published_cells import with_published
    from dirac_enhance.bench.results import read_results
    from dirac_enhance.bench.results_table import tables_of, to_markdown
    from dirac_enhance.errors import BenchmarkError

    results: list[Results] = []
    for file in files:
        try:
            read = read_results(file)
            results.append(with_published(read) if published else read)
        except BenchmarkError as error:
            remark(f"Error: {error}")
    tables = tables_of(results)
    if not tables:
        raise BenchmarkError("no results to show; give results.json of a run of `dirac-enhance bench DIR`")
    _tell_of(tables)
    if published:
        for each in results:
            _tell_of_published(each, tables_of([each]))
    if as_table:
        click.echo("\n\n".join(to_markdown(table) for table in tables))
    if as_plot:
        for path in plot_tables(tables, folder):
            click.echo(click.format_filename(path))
    if len(results) < len(files):
        raise click.exceptions.Exit(1)


def _tell_of(tables: tuple[ResultsTable, ...]) -> None:
    from dirac_enhance.bench.results_table import about_tables

    if (note := about_tables(tables)) is not None:
        remark(note)


def _measure(host: CodecHost, folder: Path, options: dict[str, Any]) -> int:
    """Run the benchmark; return how many methods failed at a rate."""
    from dirac_enhance.bench.feasible import choose_streams
    from dirac_enhance.bench.harness import Harness
    from dirac_enhance.bench.measures import find_measures
    from dirac_enhance.bench.originals import about_patches, read_set
    from dirac_enhance.bench.presets import find_preset
    from dirac_enhance.bench.published_cells import published_beside
    from dirac_enhance.bench.results import LeftOut, ResultsFolder
    from dirac_enhance.bench.results_table import tables_of, to_text

    measures = find_measures(options["metrics"])
    preset = None if options["preset"] is None else find_preset(options["preset"])
    plan, left_out = _plan(host, options)
    selection = {name: options[name] for name in ("file_list", "limit", "gray")}
    only = None if plan.streams is None else plan.streams.pictures
    originals = read_set(folder, preset=preset, only=only, **selection)
    if plan.streams is not None:
        names = [original.name for original in originals.originals]
        streams, rates, incomplete = choose_streams(plan.streams, names)
        plan, left_out = replace(plan, streams=streams, rates=rates), left_out + incomplete
    meter, unmeasured = _meter(measures, originals, options)
    left_out += [LeftOut(each.measure, each.reason) for each in unmeasured]
    patches = about_patches(originals) if meter.extractors else None
    for note in (*originals.remarks, *([patches] if patches else [])):
        remark(note)
    for each in left_out:
        _say(each)
    results_folder = ResultsFolder(options["output"], _empty_results(originals, plan, meter, options, left_out))
    with _progress() as progress:
        failed = Harness(plan, originals, meter, results_folder, progress=progress, tell=_say).run()
    if _PUBLISHED in options["peers"]:
        results_folder.add(published_beside(results_folder.results))
    tables = tables_of([results_folder.results])
    _tell_of(tables)
    if _PUBLISHED in options["peers"]:
        _tell_of_published(results_folder.results, tables)
    click.echo("\n\n".join(to_text(table) for table in tables))
    click.echo(f"{click.format_filename(results_folder.json_file)} {click.format_filename(results_folder.csv_file)}")
    return failed


def _tell_of_published(results: Results, tables: tuple[ResultsTable, ...]) -> None:
    from dirac_enhance.bench.published_notes import about_published

    for note in about_published(results, shown={table.protocol.id for table in tables}):
        remark(note)


def _say(what: LeftOut) -> None:
    remark(f"left out: {what.what}: {what.reason}")


def _plan(host: CodecHost, options: dict[str, Any]) -> tuple[BenchPlan, list[LeftOut]]:
    from dirac_enhance.bench.coded_pictures import read_streams
    from dirac_enhance.bench.feasible import check_peers, gray_codec
    from dirac_enhance.bench.harness import BenchPlan
    from dirac_enhance.encoding import find_encoder
    from dirac_enhance.pipeline import configure_codec
    from dirac_enhance.sampling import SamplingSettings

    codec_id, folder = options["codec_id"], options["streams"]
    streams = None if folder is None else read_streams(folder, rate_factors=options["rates"])
    found = find_encoder(host, codec_id) if streams is None else host.codec(codec_id).codec
    codec = configure_codec(found, options["codec_options"])
    if options["gray"]:
        codec = gray_codec(codec)
    enhancer, left_out = _enhancer(host, options)
    peers, absent = check_peers(_peers(options), codec=codec, gray=options["gray"])
    trajectory = {name: options[name] for name in ("late_start", "spacing", "evaluations", "seed", "eta")}
    plan = BenchPlan(
        codec=codec,
        rates=options["rates"],
        codec_options=tuple(sorted(options["codec_options"].items())),
        streams=streams,
        enhancer=enhancer,
        steps=options["steps"],
        samples=options["samples"],
        sampling=SamplingSettings(**trajectory),
        peers=peers,
        simulated_jpeg=options["simulated_jpeg"],
        gray=options["gray"],
        jobs=options["jobs"],
    )
    return plan, left_out + absent


def _enhancer(host: CodecHost, options: dict[str, Any]) -> tuple[Enhancer | None, list[LeftOut]]:
    """Load our enhancer; a codec that came without weights is measured without it."""
    from dirac_enhance.bench.results import LeftOut
    from dirac_enhance.enhancer import load_enhancer
    from dirac_enhance.errors import WeightsError

    codec_id, weights = options["codec_id"], options["weights"]
    if not options["steps"]:
        return None, []
    settings = {name: options[name] for name in ("device", "precision", "tile")}
    shipped = host.codec(codec_id).weights
    try:
        return load_enhancer(codec_id, weights=weights or shipped, **settings), []
    except WeightsError as error:
        if weights is not None or shipped is not None:
            raise
        return None, [LeftOut("steps", str(error))]


def _peers(options: dict[str, Any]) -> tuple[AnyRestorer, ...]:
    from dirac_enhance.bench.restorers.catalogue import find_restorer, restorers
    from dirac_enhance.bench.restorers.restorer import peer_settings_from_environment

    device = "cpu" if options["device"] == "cpu" else _torch_device()
    settings = replace(peer_settings_from_environment(), device=device, time_limit=options["peer_time_limit"])
    found: dict[str, AnyRestorer] = {}
    for name in options["peers"]:
        if name == "all":
            found |= {each.id: each for each in restorers(settings)}
        elif name != _PUBLISHED:
            found[name] = find_restorer(name, settings)
    return tuple(found.values())


def _torch_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _meter(
    measures: tuple[Measure, ...], originals: OriginalSet, options: dict[str, Any]
) -> tuple[Meter, tuple[Unmeasured, ...]]:
    from dirac_enhance.bench.meter import load_meter
    from dirac_enhance.errors import BenchmarkError

    device = "cpu" if options["device"] == "cpu" else _torch_device()
    files = {name: options[name] for name in ("lpips_backbones", "inception_weights")}
    meter, unmeasured = load_meter(measures, sides=originals.sides, device=device, **files)
    if not meter.measures:
        reasons = "; ".join(f"{each.measure}: {each.reason}" for each in unmeasured)
        raise BenchmarkError(f"none of the metrics can be measured here: {reasons}")
    return meter, unmeasured


def _empty_results(
    originals: OriginalSet, plan: BenchPlan, meter: Meter, options: dict[str, Any], left_out: list[LeftOut]
) -> Results:
    import torch

    from dirac_enhance.bench.environment import cpu_model, machine, now, portable_arguments, versions
    from dirac_enhance.bench.results import Results
    from dirac_enhance.bench.runs import Run

    gpu = torch.cuda.get_device_name() if options["device"] != "cpu" and torch.cuda.is_available() else None
    run = Run(
        command=("dirac-enhance", *portable_arguments([_without_folder(argument) for argument in sys.argv[1:]])),
        date=now(),
        device={"cpu": cpu_model(), "threads": torch.get_num_threads(), "gpu": gpu, "jobs": plan.jobs},
        machine=machine(),
        versions=versions(),
        networks=meter.networks,
    )
    return Results(
        set_name=originals.name,
        images=tuple(original.name for original in originals.originals),
        pixel_hash=originals.pixel_hash,
        runs=(run,),
        left_out=tuple(left_out),
    )


def _without_folder(argument: str) -> str:
    """A network's file by its name alone, as results name the peer."""
    return f"spandrel:{Path(argument).name}" if argument.startswith("spandrel:") else argument


@contextmanager
def _progress() -> Iterator[Callable[[State], None]]:
    """Show a bar with the time left on a terminal, a line for each finished part elsewhere."""
    from dirac_enhance.bench.remaining_time import format_seconds

    def left(state: State) -> str:
        return "" if state.seconds_left is None else f", about {format_seconds(state.seconds_left)} left"

    if not sys.stderr.isatty():
        yield (
            lambda state: (
                remark(f"{state.title} ({state.done} of {state.total}{left(state)})") if state.part_done else None
            )
        )
        return
    from tqdm import tqdm

    form = "{desc}: {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}{postfix}]"
    with tqdm(total=1, bar_format=form, leave=False, dynamic_ncols=True) as bar:

        def show(state: State) -> None:
            bar.total = state.total
            bar.set_description(printable_line(state.title), refresh=False)
            bar.set_postfix_str(left(state).removeprefix(", "), refresh=False)
            bar.update(state.done - bar.n)

        yield show
