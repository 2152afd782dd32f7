"""Whether VVC streams decode to the reference decoder's samples, and what their pictures are worth.

python benchmarks/vvc_streams.py data/vvc/kodak data/eval/kodak
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from dirac_enhance.bench.coded_pictures import read_stream_index, stream_file
from dirac_enhance_vtm import VtmCodec
from dirac_enhance_vtm.colour import SampleFormat, to_pixels
from dirac_enhance_vtm.first_picture import find_first_picture
from dirac_enhance_vtm.planes import Planes
from dirac_enhance_vtm.pyav import decode_by_pyav
from originals import read_picture

_EIGHT_BITS = SampleFormat("bt709", "full", 8)


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """What became of one stream.

    Args:
        name: of the file.
        qp: that the encoder was given.
        exact: whether samples, 8-bit colours and QP are those recorded when it was made.
        psnr_eight: of the pixels through 8-bit samples and rounded to 8 bits, in decibels.
        psnr_ten: of the pixels that the codec decodes, rounded to 8 bits.
        seconds: that decoding to samples took.
    """

    name: str
    qp: int
    exact: bool
    psnr_eight: float
    psnr_ten: float
    seconds: float


def check_stream(folder: Path, originals: Path, record: dict[str, Any]) -> StreamCheck:
    """Decode a stream and compare it with what was recorded, and with its original."""
    file = stream_file(folder, record)
    data = file.read_bytes()
    started = time.perf_counter()
    picture = find_first_picture(data)
    planes = decode_by_pyav(picture)
    seconds = time.perf_counter() - started
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


def _print_table(checks: Sequence[StreamCheck]) -> None:
    by_qp = defaultdict(list)
    for check in checks:
        by_qp[check.qp].append(check)
    print("| QP | streams | exact | dB through 8 bits | dB at 10 bits | seconds |")
    print("|---|---|---|---|---|---|")
    for qp, group in sorted(by_qp.items()):
        eight, ten, seconds = (
            numpy.mean([getattr(check, field) for check in group]) for field in ("psnr_eight", "psnr_ten", "seconds")
        )
        exact = sum(check.exact for check in group)
        print(f"| {qp} | {len(group)} | {exact} | {eight:.2f} | {ten:.2f} | {seconds:.2f} |")


def main() -> None:
    """Check every stream of a folder; the exit code is 1 if one differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("streams", type=Path, help="folder of streams, with its results.jsonl")
    parser.add_argument("originals", type=Path, help="folder of the original pictures")
    arguments = parser.parse_args()
    records = read_stream_index(arguments.streams)
    checks = [check_stream(arguments.streams, arguments.originals, record) for record in records]
    _print_table(checks)
    for check in checks:
        if not check.exact:
            print(f"differs: {check.name}")
    raise SystemExit(not all(check.exact for check in checks))


if __name__ == "__main__":
    main()
