"""`dirac-enhance codecs`: what can be decoded, encoded and enhanced, and which plugins failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dirac_enhance.cli.console import printable_line
from dirac_enhance.codec import CodecOption, EncodingCodec, RateRange, ReportingCodec
from dirac_enhance.errors import WeightsError
from dirac_enhance.training.lineage import summary_of_weights

if TYPE_CHECKING:
    from dirac_enhance.codec import Codec
    from dirac_enhance.host import CodecHost, RegisteredCodec


@click.command()
@click.pass_obj
def codecs(host: CodecHost) -> None:
    """List codecs, their weights, and failed plugins.

    For each codec its file suffixes, whether it can encode and at which rate factors, which programs and libraries it
    found, its options and the weights of its enhancer.

    \b
    Examples:
      dirac-enhance codecs
    """
    for codec in host.codecs.values():
        click.echo("\n".join(_describe(codec)))
        click.echo()
    if not host.codecs:
        click.echo("No codecs. Reinstall with `pip install --force-reinstall dirac-enhance`.")
    if host.failures:
        click.echo("Failed to load:")
    for name, failure in host.failures.items():
        click.echo(f"  {name} ({failure.distribution} {failure.version}): {failure.reason}")


def _describe(registered: RegisteredCodec) -> Iterator[str]:
    codec = registered.codec
    yield f"{codec.id} ({registered.distribution} {registered.version})"
    yield f"  suffixes  {' '.join(codec.file_suffixes)}"
    if isinstance(codec, EncodingCodec):
        yield f"  coding    decodes; encodes at {_describe_range(codec.rate_range)}"
    else:
        yield "  coding    decodes"
    for line in _report(codec):
        yield f"  status    {line}"
    for option in codec.options:
        yield f"  option    {_describe_option(option)}"
    yield f"  weights   {_describe_weights(registered)}"


def _report(codec: Codec) -> tuple[str, ...]:
    if not isinstance(codec, ReportingCodec):
        return ()
    try:
        return tuple(printable_line(line) for line in codec.status())
    except Exception as exception:  # noqa: BLE001 - a codec that cannot tell must not hide the others
        return (printable_line(f"not known: {type(exception).__name__}: {exception}"),)


def _describe_range(rates: RateRange) -> str:
    kind = "whole rate factors" if rates.integer else "rate factors"
    better = "higher" if rates.higher_is_better else "lower"
    return f"{kind} {rates.minimum:g} to {rates.maximum:g}, {better} is better"


def _describe_option(option: CodecOption) -> str:
    allowed = f"one of {', '.join(map(str, option.choices))}" if option.choices else option.kind.__name__
    return f"{option.name}={option.default}  {option.help} ({allowed})"


def _describe_weights(registered: RegisteredCodec) -> str:
    if registered.weights is None:
        return f"none; train some with `dirac-enhance train --codec {registered.codec.id}`, or pass --weights FILE"
    name = registered.weights.path.name
    try:
        metadata = registered.weights.metadata()
    except WeightsError as error:
        return f"{name}, not usable: {error}"
    number = "" if metadata.evaluations is None else f", {metadata.evaluations} evaluations"
    end = "" if metadata.end_timestep is None else f" down to t = {metadata.end_timestep}"
    sampled = f"late start {metadata.late_start}, {metadata.spacing} spacing{number}{end}"
    return f"{name}: {summary_of_weights(metadata.training)}\n            {sampled}"
