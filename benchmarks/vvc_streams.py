"""Whether VVC streams decode to the reference decoder's samples, and what their pictures are worth."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import click
import numpy

from dirac_enhance.bench.coded_pictures import read_stream_index, stream_file
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.colour import SampleFormat, to_pixels
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.planes import Planes
from dirac_enhance_vtm.pyav import decode_by_pyav
from originals import read_picture
from record import RESULTS, publish_record
from vvc_streams_pages import streams_text

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_EIGHT_BITS = SampleFormat("bt709", "full", 8)


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """What became of one stream.

    Args:
        stream: name of its file.
        qp: that the encoder was given.
        exact: whether samples, 8-bit colours and QP are those recorded when it was made.
        psnr_eight: of the pixels through 8-bit samples and rounded to 8 bits, in decibels.
        psnr_ten: of the pixels that the codec decodes, rounded to 8 bits.
        seconds: of processor time that decoding to samples took.
    """

    stream: str
    qp: int
    exact: bool
    psnr_eight: float
    psnr_ten: float
    seconds: float


def check_stream(folder: Path, originals: Path, record: dict[str, Any]) -> StreamCheck:
    """Decode a stream and compare it with what was recorded, and with its original."""
    file = stream_file(folder, record)
    data = file.read_bytes()
    started = time.process_time()
    picture = find_first_picture(data)
    planes = decode_by_pyav(picture)
    seconds = time.process_time() - started
    eight = planes.to_eight_bits()
    coarse = _levels(to_pixels(eight, _EIGHT_BITS).numpy())
    exact = (
        _hash_planes(eight) == record["sha256_yuv444p8"]
        and hashlib.sha256(coarse.transpose(1, 2, 0).tobytes()).hexdigest() == record["sha256_rgb_rounded"]
        and (picture.qp, picture.width, picture.height) == (record["qp"], record["width"], record["height"])
    )
    original = _levels(read_picture(originals / record["image"]).numpy())
    fine = _levels(VtmCodec(decoder="pyav").decode(data).pixels.numpy())
    return StreamCheck(file.name, record["qp"], exact, _psnr(coarse, original), _psnr(fine, original), seconds)


def _hash_planes(planes: Planes) -> str:
    every = (planes.luma, *(planes.chroma or ()))
    return hashlib.sha256(b"".join(plane.astype("u1").tobytes() for plane in every)).hexdigest()


def _levels(pixels: numpy.typing.NDArray[numpy.float32]) -> numpy.typing.NDArray[numpy.uint8]:
    return (pixels * 255).round().astype(numpy.uint8)


def _psnr(one: numpy.typing.NDArray[numpy.uint8], other: numpy.typing.NDArray[numpy.uint8]) -> float:
    difference = one.astype(numpy.float64) - other
    return float(10 * numpy.log10(255**2 / numpy.mean(difference**2)))


@click.command(context_settings={"show_default": True})
@click.argument("streams", type=_FOLDER)
@click.argument("originals", type=_FOLDER)
@click.option("--limit", type=click.IntRange(min=1), show_default="all", help="Check so many streams.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Where to write the record.")
def main(streams: Path, originals: Path, *, limit: int | None, json_file: Path | None) -> None:
    """Check the streams that results.jsonl in STREAMS lists against it and the pictures in ORIGINALS.

    Prints a table and writes a JSON record; the exit code is 1 if a stream differs.
    """
    records = read_stream_index(streams)[:limit]
    checks = [check_stream(streams, originals, record) for record in records]
    contents = {"pyav": av.__version__, "rows": [asdict(check) for check in checks]}
    record_file = json_file or RESULTS / f"vvc-streams-{originals.resolve().name}.json"
    publish_record(record_file, benchmark="vvc_streams", contents=contents, text=streams_text)
    if not all(check.exact for check in checks):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
