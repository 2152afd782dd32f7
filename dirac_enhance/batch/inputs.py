"""Inputs: the files that arguments, folders, patterns and lists stand for, found before anything is decoded."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from dirac_enhance.codec import HEADER_BYTES
from dirac_enhance.errors import InvalidImageError

if TYPE_CHECKING:
    from dirac_enhance.codec import Codec

RESULT_ENDING = ".enhanced.png"
"""What the names of results end in that lie beside their sources."""

STANDARD_INPUT = "-"

SHARED_SUFFIXES = frozenset((".bin", ".bit", ".dat", ".data", ".img", ".out", ".raw"))
"""Suffixes that say nothing: whatever codec claims one, firmware and disk images have it, too."""

DECODED_SUFFIXES = frozenset((".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".webp"))
"""Suffixes of the files that are searched for decoded pixels; their first bytes decide when they are read."""

OF_NO_CODEC = "of no known codec"
NO_DECODED_PICTURE = "of no format for decoded pictures"

Recognises = Callable[[Path], bool]
"""Says whether a file found in a folder is a picture to enhance."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to enhance.

    Args:
        path: of the file, from the working folder.
        place: of its result below an output folder: the folders that are mirrored there, then the file's own name.
    """

    path: Path
    place: PurePath


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the arguments stand for.

    Args:
        sources: the files to enhance, in the order of the arguments; those in a folder sorted by name.
        refused: one error for each argument, or folder below one, that cannot be used.
        ignored: files in the folders that are no pictures.
        alone: the only input is a file that was named by itself.
        ignored_as: what those ignored are, as `OF_NO_CODEC`.
    """

    sources: tuple[Source, ...]
    refused: tuple[InvalidImageError, ...] = ()
    ignored: tuple[Path, ...] = ()
    alone: bool = False
    ignored_as: str = OF_NO_CODEC


@dataclass(frozen=True, slots=True)
class FolderSearch:
    """How folders are searched, their subfolders included.

    Hidden files and folders, results of an earlier run and special files are passed over; links to folders are not
    followed.

    Args:
        recognises: says which files are pictures.
        spared: a folder below which nothing is searched, the one for the results; None for none.
        ending: what the names of results end in that lie beside their sources.
        ignored_as: what other files are, as `OF_NO_CODEC`.
    """

    recognises: Recognises
    spared: Path | None = None
    ending: str = RESULT_ENDING
    ignored_as: str = OF_NO_CODEC


Found = Source | InvalidImageError | Path
"""A file to enhance, why there is none, or a file that is no picture."""


def find_inputs(
    named: Sequence[str],
    listed: Sequence[str] = (),
    *,
    search: FolderSearch | None = None,
    ending: str = RESULT_ENDING,
) -> Inputs:
    """Find the files to enhance; nothing is opened but files in folders whose suffix does not tell.

    Args:
        named: files, folders, and patterns in which `*`, `?`, `[…]` and, for any depth of folders, `**` stand for
            something. A file whose name looks like a pattern is taken as the file. Results of files go by their name,
            those of a folder's by their path in it, those of a pattern by their path after its fixed part.
        listed: files and folders from a list; their results go by their whole path, without its root or `..`.
        search: of folders; None refuses them.
        ending: of results that lie beside their sources; a pattern passes over them.
    """
    found: list[Found] = []
    for text in named:
        found += _find_named(text, search, ending)
    for text in listed:
        found += _find_exact(Path(text), _mirrored(text), search)
    alone = len(named) == 1 and not listed and not (_is_pattern(named[0]) or (search and Path(named[0]).is_dir()))
    return Inputs(
        tuple(each for each in found if isinstance(each, Source)),
        tuple(each for each in found if isinstance(each, InvalidImageError)),
        tuple(each for each in found if isinstance(each, Path)),
        alone=bool(alone),
        ignored_as=OF_NO_CODEC if search is None else search.ignored_as,
    )


def read_list(content: bytes) -> tuple[str, ...]:
    """Read a list of paths: one a line, or, where it has a NUL, separated by NULs as `find -print0` writes them."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    rows = content.split(b"\0") if b"\0" in content else [row.removesuffix(b"\r") for row in content.split(b"\n")]
    return tuple(os.fsdecode(row) for row in rows if row)


def recognise_by(codecs: Iterable[Codec]) -> Recognises:
    """Recognise the files of these codecs, by their suffix or else their header.

    A suffix of a codec's own is enough, so that a damaged file is tried, and reported; one of `SHARED_SUFFIXES` is not.
    """
    known = tuple(codecs)
    suffixes = {suffix for codec in known for suffix in codec.file_suffixes} - SHARED_SUFFIXES

    def recognises(path: Path) -> bool:
        if path.suffix.lower() in suffixes:
            return True
        try:
            with path.open("rb") as file:
                header = file.read(HEADER_BYTES)
        except OSError:
            return False
        return any(_detects(codec, header) for codec in known)

    return recognises


def recognise_decoded(path: Path) -> bool:
    """Recognise files that may hold decoded pixels, by their suffix."""
    return path.suffix.lower() in DECODED_SUFFIXES


def _detects(codec: Codec, header: bytes) -> bool:
    try:
        return bool(codec.detect(header))
    except Exception:  # noqa: BLE001 - a codec that cannot tell must not stop the others
        return False


def _is_pattern(text: str) -> bool:
    return text != STANDARD_INPUT and glob.has_magic(text) and not os.path.lexists(text)


def _find_named(text: str, search: FolderSearch | None, ending: str) -> Iterator[Found]:
    if _is_pattern(text):
        return _find_matching(text, search, ending)
    return _find_exact(Path(text), PurePath(Path(text).name), search, inside=PurePath())


def _find_matching(pattern: str, search: FolderSearch | None, ending: str) -> Iterator[Found]:
    """Find the files that a pattern matches, and what is in its folders; those of `**` are on the way only."""
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts[:-1]))
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    matches = [Path(name) for name in sorted(names)]
    if not matches:
        yield InvalidImageError(f"no file matches '{pattern}'")
    for path in matches:
        place = path.relative_to(fixed)
        if not path.is_dir():
            if not path.name.endswith(ending):
                yield Source(path, place)
        elif search is not None and "**" not in pattern:
            yield from _search(path, place, search)


def _find_exact(
    path: Path, place: PurePath, search: FolderSearch | None, *, inside: PurePath | None = None
) -> Iterator[Found]:
    """Find one file, or what is in a folder, whose results go to `inside`, or else to the folder's own place."""
    if not (_is_folder(path) and str(path) != STANDARD_INPUT):
        yield Source(path, place)
    elif search is None:
        yield InvalidImageError(
            f"'{path}' is a folder; pass --recursive for all pictures in it, or name them, as in {path / '*.jpg'}"
        )
    else:
        yield from _search(path, place if inside is None else inside, search)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that cannot be: reading it says why
        return False


def _search(folder: Path, place: PurePath, search: FolderSearch) -> Iterator[Found]:
    unreadable: list[OSError] = []
    spared = None if search.spared is None else os.path.realpath(search.spared)
    for parent, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (spared is None or os.path.realpath(Path(parent, name)) != spared)
        )
        for path in (Path(parent, name) for name in sorted(files)):
            if path.name.startswith(".") or path.name.endswith(search.ending) or not path.is_file():
                continue
            yield Source(path, place / path.relative_to(folder)) if search.recognises(path) else path
    for error in unreadable:
        yield InvalidImageError(f"cannot search the folder '{error.filename}': {error.strerror}")


def _mirrored(text: str) -> PurePath:
    path = PurePath(os.path.normpath(text))
    return PurePath(*(part for part in path.parts if part not in (path.anchor, os.pardir)))
