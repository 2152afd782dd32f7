"""make_pairs: code random crops of originals at random rate factors, once, for trainings to come.

The work is resumable at every pair. Pair k is a function of the settings and k alone; its stream is written atomically,
then its row is appended to the index, so that what the index lists is there and whole::

    parent   numbers not in the index ──► child j: every jobs-th of them
    child    draw crop and rate factor → encode → write stream, rename → row
    parent   ◄── rows, as they come → append, synchronise
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np

from dirac_enhance.atomic import create_folder, write_atomically
from dirac_enhance.codec import Codec, EncodingCodec
from dirac_enhance.errors import DiracError, PluginError, TrainingError
from dirac_enhance.interruption import ENDING, unwound_by
from dirac_enhance.training.images import draw_corner, image_files, read_pixels, smaller_side
from dirac_enhance.training.pair_index import FILE_NAME, PairRow, open_index, read_index
from dirac_enhance.training.pairs import check_rate_bounds, draw_rate_factor, to_tensor

SETTINGS_NAME = "pairs.json"
"""What the pairs of a folder were made with, so that others are not mixed with them."""
_PATIENCE = 10.0
"""Seconds that a child has, after an interrupt, to remove its temporary files."""


@dataclass(frozen=True, slots=True)
class PairPlan:
    """Which pairs to make.

    Args:
        originals: folder of pictures; sub-folders but `folder` count, pictures with a side below `crop_size` do not.
        folder: where streams and index go.
        count: how many pairs there shall be in the end.
        crop_size: side of the crops in pixels.
        rate_bounds: rate factors are drawn between these; None for the codec's usual ones.
        seed: of pictures, places and rate factors.
        jobs: processes that encode.
        codec_options: with which the codec was configured; for the record.
    """

    originals: Path
    folder: Path
    count: int
    crop_size: int = 256
    rate_bounds: tuple[float, float] | None = None
    seed: int = 0
    jobs: int = 1
    codec_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def index(self) -> Path:
        """The CSV file that lists the pairs."""
        return self.folder / FILE_NAME


def make_pairs(plan: PairPlan, codec: Codec, *, report: Callable[[str], None] = print) -> int:
    """Make the pairs that are not there yet; whatever ends it, running it again goes on.

    Args:
        plan: which pairs.
        codec: encodes them; guarded, if it is a plugin's.
        report: called with a line for each pair.

    Returns:
        How many were made now.

    Raises:
        TrainingError: if the codec cannot encode, originals cannot be used, the folder holds pairs made
            otherwise, or a pair cannot be written.
        InvalidImageError: if the folder cannot be written to.
        PluginError: if the codec fails or breaks its contract.
        RateFactorError: if the codec cannot encode at a bound of the rate factors.
    """
    if not isinstance(codec, EncodingCodec):
        raise TrainingError(f"codec '{codec.id}' only decodes; pairs are made with its encoder")
    maker = _prepare(plan, codec)
    create_folder(plan.folder)
    try:
        with open_index(plan.index) as append:
            _claim(plan, maker)
            there = {row.bitstream for row in read_index(plan.index)}
            wanted = [number for number in range(plan.count) if maker.bitstream(number) not in there]
            for done, row in enumerate(_made(maker, wanted, jobs=plan.jobs), start=1):
                append(row)
                done_of = f"{plan.count - len(wanted) + done} of {plan.count}"
                report(f"{done_of} | {row.bitstream} | {row.file} | rate {row.rate_factor:g} | {row.bytes} bytes")
            return len(wanted)
    except OSError as cause:
        raise TrainingError(
            f"cannot write to '{plan.folder}': {cause.strerror}; what is made stays, run it again to go on"
        ) from cause


def _prepare(plan: PairPlan, codec: EncodingCodec) -> _Maker:
    bounds = check_rate_bounds(plan.rate_bounds, codec.rate_range)
    own = plan.folder.resolve()
    found = (path for path in image_files(plan.originals) if own not in path.resolve().parents)
    paths = [path for path in found if smaller_side(path) >= plan.crop_size]
    if not paths:
        raise TrainingError(f"no image of at least {plan.crop_size} pixels a side in {plan.originals}")
    files = tuple(path.relative_to(plan.originals).as_posix() for path in paths)
    return _Maker(codec, plan.originals, files, plan.folder, plan.crop_size, bounds, plan.seed)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the pair of any number; sent to the children once."""

    codec: EncodingCodec
    originals: Path
    files: tuple[str, ...]
    folder: Path
    crop_size: int
    rate_bounds: tuple[float, float]
    seed: int

    def bitstream(self, number: int) -> str:
        """Name of a pair's stream."""
        return f"{number:06d}{self.codec.file_suffixes[0]}"

    def make(self, number: int) -> PairRow:
        """Draw, encode and write one pair: each picture is used once before any is used again."""
        turn, place = divmod(number, len(self.files))
        name = self.files[np.random.default_rng((self.seed, turn)).permutation(len(self.files))[place]]
        generator = np.random.default_rng((self.seed, turn, place))
        image = read_pixels(self.originals / name)
        y, x = draw_corner(generator, image, size=self.crop_size)
        rate = draw_rate_factor(generator, self.codec.rate_range, bounds=self.rate_bounds)
        crop = to_tensor(image[y : y + self.crop_size, x : x + self.crop_size]).float() / 255
        try:
            content = self.codec.encode(crop, rate_factor=rate)
        except PluginError as error:
            raise PluginError(f"'{name}' at ({x}, {y}), rate factor {rate:g}: {error}") from error.__cause__ or error
        write_atomically(self.folder / self.bitstream(number), content, overwrite=True)
        return PairRow(self.bitstream(number), name, x, y, self.crop_size, self.crop_size, rate, len(content))


def _claim(plan: PairPlan, maker: _Maker) -> None:
    """Note what the folder's pairs are made with, or check that they are made alike; remove what a crash left."""
    names = hashlib.sha256("\n".join(maker.files).encode("utf-8", errors="surrogateescape")).hexdigest()
    settings: dict[str, Any] = {
        "codec": maker.codec.id,
        "codec_options": dict(plan.codec_options),
        "crop_size": plan.crop_size,
        "rate_bounds": list(maker.rate_bounds),
        "seed": plan.seed,
        "originals": len(maker.files),
        "originals_sha256": names,
    }
    path = plan.folder / SETTINGS_NAME
    if not path.exists():
        if read_index(plan.index):
            raise TrainingError(f"'{plan.folder}' holds other pairs, without {SETTINGS_NAME}; pass another -o FOLDER")
        write_atomically(path, (json.dumps(settings, indent=2) + "\n").encode())
    try:
        stored = json.loads(path.read_text())
    except ValueError as cause:
        raise TrainingError(f"'{path}' is damaged; pass another -o FOLDER") from cause
    if stored != settings:
        stored = stored if isinstance(stored, dict) else {}
        differing = ", ".join(name for name in settings if stored.get(name) != settings[name])
        raise TrainingError(f"'{plan.folder}' holds pairs made otherwise ({differing}); pass another -o FOLDER")
    for partial in plan.folder.glob(".*.part"):
        partial.unlink(missing_ok=True)


def _made(maker: _Maker, numbers: Sequence[int], *, jobs: int) -> Iterator[PairRow]:
    """Make pairs here, or in child processes where there are several jobs; yield their rows as they come."""
    jobs = min(jobs, len(numbers))
    if jobs <= 1:
        yield from map(maker.make, numbers)
        return
    with _children([(maker, numbers[job::jobs]) for job in range(jobs)]) as connections:
        while connections:
            for ready in wait(list(connections)):
                assert isinstance(ready, Connection)
                message = _receive(ready)
                if isinstance(message, Exception):
                    raise message
                if message is None:
                    connections.remove(ready)
                else:
                    yield message


def _receive(connection: Connection) -> PairRow | Exception | None:
    try:
        message: PairRow | Exception | None = connection.recv()
    except EOFError:
        return TrainingError("a process that makes pairs was killed; run it again to go on, with fewer --jobs perhaps")
    return message


@contextmanager
def _children(tasks: Sequence[tuple[_Maker, Sequence[int]]]) -> Iterator[list[Connection]]:
    """Start a process for each task, and end them all, with time to clean up, whatever happens."""
    try:
        pickle.dumps(tasks)
    except (pickle.PicklingError, TypeError, AttributeError) as cause:
        raise TrainingError(f"the codec cannot be sent to other processes ({cause}); pass --jobs 1") from cause
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half
    connections: list[Connection] = []
    processes: list[SpawnProcess] = []
    try:
        for maker, numbers in tasks:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(maker, numbers, theirs), daemon=False)
            process.start()
            theirs.close()
            connections.append(ours)
            processes.append(process)
        yield connections
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGINT)
        for process in processes:
            process.join(_PATIENCE)
            process.kill()
            process.join()


def _work(maker: _Maker, numbers: Sequence[int], connection: Connection) -> None:
    """Make pairs until done, until interrupted, or until the parent no longer listens."""
    import torch

    torch.set_num_threads(1)
    try:
        with unwound_by(signal.SIGINT, *ENDING):  # each may come twice: to the whole group, and from the parent
            for number in numbers:
                connection.send(maker.make(number))
            connection.send(None)
    except (KeyboardInterrupt, BrokenPipeError):
        return
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        connection.send(error if isinstance(error, (DiracError, OSError)) else TrainingError(repr(error)))
