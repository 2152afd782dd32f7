"""What the command line prints besides results: errors, warnings and remarks, each in one line of standard error."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dirac_enhance.errors import DiracError, DiracWarning, OutputPathError, PluginWarning
from dirac_enhance.interruption import EndedBySignal, describe, exit_code
from dirac_enhance.out_of_memory import is_out_of_memory, not_enough_memory
from dirac_enhance.streams import STANDARD_STREAM
from dirac_enhance.subject import current_subject


def printable_line(text: object) -> str:
    """Return `text` as one line that any terminal can take: file names may hold line breaks and stray bytes."""
    line = " ".join(str(text).split())
    return os.fsencode(line).decode("utf-8", errors="replace")


def remark(text: object) -> None:
    """Print a line to standard error."""
    click.echo(printable_line(text), err=True)


def print_result(target: Path) -> None:
    """Print where a result is; not where that is standard output, which holds the result itself."""
    if target != STANDARD_STREAM:
        click.echo(click.format_filename(target))


def report(error: DiracError) -> None:
    """Print an error that does not end the command."""
    remark(f"Error: {error}")


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each `DiracWarning` as one line that names the file it is about.

    What other libraries warn of is dropped unless Python was told otherwise. A `PluginWarning` is printed once, however
    many files meet the plugin.
    """
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        of_plugin = issubclass(category, PluginWarning)
        if of_plugin and str(message) in told:
            return
        told.add(str(message))
        kind = "Warning" if issubclass(category, DiracWarning) else category.__name__
        subject = None if of_plugin else current_subject()
        remark(": ".join(str(part) for part in (kind, subject, message) if part is not None))

    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        warnings.simplefilter("always", DiracWarning)
        warnings.showwarning = show  # type: ignore[assignment] # it ignores where in the code the warning arose
        yield


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """Turn the library's errors, Ctrl-C and signals that end the process into one line and an exit code."""
    try:
        yield
    except OutputPathError as error:  # of the command as a whole, found before anything starts
        raise click.UsageError(printable_line(error)) from error
    except DiracError as error:
        raise click.ClickException(printable_line(error)) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise click.ClickException(str(not_enough_memory("for this"))) from error
    except KeyboardInterrupt as interruption:
        echoed = not isinstance(interruption, EndedBySignal)  # `^C`, by the terminal, in the line that stands there
        click.echo("\n" * echoed + describe(interruption), err=True)
        raise click.exceptions.Exit(exit_code(interruption)) from None
