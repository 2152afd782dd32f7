"""Which files a command over many of them is to work on, and where the results go: its options, and what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dirac_enhance.batch.inputs import (
    NO_DECODED_PICTURE,
    STANDARD_INPUT,
    FolderSearch,
    Inputs,
    find_inputs,
    read_list,
    recognise_by,
    recognise_decoded,
)
from dirac_enhance.batch.plan import Plan, plan_batch

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line names.

    Args:
        files: the arguments.
        recursive: whether folders are searched.
        files_from: a list of further names, `-` for standard input, or None.
        output: as `plan_batch` takes it.
        overwrite: whether results that are there are made anew.
    """

    files: tuple[str, ...]
    recursive: bool
    files_from: str | None
    output: str | None
    overwrite: bool


def input_options(*, ending: str) -> Decorator:
    """Arguments and options of a `Request`; results beside their sources end in `ending`."""
    options = (
        click.argument("files", metavar="FILE...", nargs=-1, type=click.Path()),
        click.option(
            "-r",
            "--recursive",
            is_flag=True,
            help="Take folders, too: every picture in them and their subfolders. Under -o the results lie in the same"
            " tree.",
        ),
        click.option(
            "--files-from",
            metavar="FILE|-",
            type=click.Path(exists=True, dir_okay=False, allow_dash=True),
            show_default="none",
            help="Read more names from a file or, with -, from standard input: one a line, or separated by NULs, as"
            " `find -print0` does. Under -o their results keep the whole path.",
        ),
        click.option(
            "-o",
            "--output",
            metavar="FILE|FOLDER",
            show_default=f"<name>{ending} beside the input; standard output for -",
            help="Where the result goes: in a folder as <name>.png; to a file in the format of its suffix, .png, .jpg,"
            " .webp or .tiff. Several inputs need a folder, which is created.",
        ),
        click.option(
            "--overwrite",
            is_flag=True,
            help="Replace results that are already there. Else they are skipped, and an error for a single file.",
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def plan_request(
    request: Request, host: CodecHost, *, codec_id: str, enhancer_id: str | None, ending: str
) -> tuple[Inputs, Plan]:
    """Find the inputs, and name their results.

    Args:
        request: what the command line names.
        host: the codecs whose files are looked for in folders.
        codec_id: the only one of them, or "auto".
        enhancer_id: None, or files of decoded pixels are looked for instead.
        ending: of results beside their sources.

    Raises:
        click.UsageError: if no file is named.
        DiracError: if a codec is not known, or names of results clash.
    """
    if enhancer_id is not None:
        host.codec(enhancer_id)
    codecs = host.codecs.values() if codec_id == "auto" else [host.codec(codec_id)]  # an unknown one ends the command
    spared = Path(request.output) if request.output else None
    search = FolderSearch(recognise_by(each.codec for each in codecs), spared=spared, ending=ending)
    if enhancer_id is not None:
        search = replace(search, recognises=recognise_decoded, ignored_as=NO_DECODED_PICTURE)
    inputs = _find(request.files, request.files_from, search if request.recursive else None, ending=ending)
    return inputs, plan_batch(inputs, request.output, overwrite=request.overwrite, ending=ending)


def _command_meant(text: str) -> str | None:
    """Return the command whose name a word may be a slip of."""
    group = click.get_current_context().parent
    names = group.command.commands if group is not None and isinstance(group.command, click.Group) else ()
    return next(iter(get_close_matches(text, names, n=1, cutoff=0.8)), None)


def _find(files: tuple[str, ...], files_from: str | None, search: FolderSearch | None, *, ending: str) -> Inputs:
    """Find the inputs.

    Raises:
        click.UsageError: if none is named.
    """
    if not files and files_from is None:
        raise click.UsageError("Missing argument 'FILE...'.")
    if files and not Path(files[0]).exists() and (command := _command_meant(files[0])):
        raise click.UsageError(f"there is no file and no command '{files[0]}'; did you mean '{command}'?")
    if files_from is None:
        return find_inputs(files, search=search, ending=ending)
    if files_from == STANDARD_INPUT and STANDARD_INPUT in files:
        raise click.UsageError("standard input cannot be a picture and the list of --files-from at the same time")
    with click.open_file(files_from, "rb") as file:
        return find_inputs(files, read_list(file.read()), search=search, ending=ending)
