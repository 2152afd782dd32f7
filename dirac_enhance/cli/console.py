"""What the command line prints besides results: errors, warnings and remarks, each in one line of standard error."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from dirac_enhance.errors import DiracError, DiracWarning, PluginWarning

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""


def printable_line(text: object) -> str:
    """Return `text` as one line that any terminal can take: file names may hold line breaks and stray bytes."""
    line = " ".join(str(text).split())
    return os.fsencode(line).decode("utf-8", errors="replace")


def remark(text: object) -> None:
    """Print a line to standard error."""
    click.echo(printable_line(text), err=True)


def report(error: DiracError) -> None:
    """Print an error that does not end the command."""
    remark(f"Error: {error}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each `DiracWarning` as one line, and drop what other libraries warn of unless Python was told otherwise.

    A `PluginWarning` is printed once, however many files meet the plugin.
    """
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        if issubclass(category, PluginWarning) and str(message) in told:
            return
        told.add(str(message))
        remark(f"Warning: {message}" if issubclass(category, DiracWarning) else f"{category.__name__}: {message}")

    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        warnings.simplefilter("always", DiracWarning)
        warnings.showwarning = show  # type: ignore[assignment] # it ignores where in the code the warning arose
        yield


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """Turn the library's errors and Ctrl-C into one line and an exit code."""
    try:
        yield
    except DiracError as error:
        raise click.ClickException(printable_line(error)) from error
    except KeyboardInterrupt:
        click.echo("\nInterrupted.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
