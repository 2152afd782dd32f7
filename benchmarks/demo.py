"""The demo: compress a photograph heavily, enhance it with the command line, put both side by side and compare them."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

ZOOM = 3
DETAIL = (300, 110, 500, 243)
"""Left, top, right and bottom of the part that is shown enlarged below the whole picture."""
GAP = 8


def main(command_line: Sequence[str] | None = None) -> None:
    """Run the demo and say where its pictures are and their PSNR; None for this process's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="where the pictures go")
    parser.add_argument("--quality", type=int, default=10, help="JPEG quality, 1 to 95")
    arguments = parser.parse_args(command_line)
    arguments.folder.mkdir(parents=True, exist_ok=True)

    compressed = arguments.folder / f"coffee-q{arguments.quality}.jpg"
    enhanced = arguments.folder / f"coffee-q{arguments.quality}.enhanced.png"
    side_by_side = arguments.folder / "side-by-side.png"
    photograph = bundled_photograph()
    photograph.save(compressed, quality=arguments.quality)
    enhance(compressed, enhanced)
    with Image.open(compressed) as before, Image.open(enhanced) as after:
        pictures = before.convert("RGB"), after.convert("RGB")
    put_side_by_side(*pictures).save(side_by_side)
    jpeg, better = (decibels(picture, photograph) for picture in pictures)

    print(f"\n  the JPEG        {compressed}  ({compressed.stat().st_size:,} bytes, PSNR {jpeg:.2f} dB)")
    print(f"  enhanced        {enhanced}  (PSNR {better:.2f} dB, {better - jpeg:+.2f})")
    print(f"  side by side    {side_by_side}  (left: JPEG, right: enhanced)")


def bundled_photograph() -> Image.Image:
    """Return a photograph that scikit-image brings along: a cup of coffee, 600×400, by Rachel Michetti, CC0."""
    from skimage import data

    return Image.fromarray(data.coffee())


def enhance(compressed: Path, enhanced: Path) -> None:
    """Run `dirac-enhance` as a user would, and show the command."""
    options = [str(compressed), "-o", str(enhanced), "--codec", "jpeg", "--steps", "100", "--overwrite"]
    print("$ dirac-enhance", *options, flush=True)
    finished = subprocess.run([sys.executable, "-m", "dirac_enhance", *options], check=False)
    if finished.returncode:
        raise SystemExit(finished.returncode)


def decibels(picture: Image.Image, photograph: Image.Image) -> float:
    """Return the PSNR of a picture against the photograph, over all RGB samples."""
    from dirac_enhance.metrics import psnr
    from originals import to_pixels

    planes, original = (to_pixels(numpy.array(image))[None] for image in (picture, photograph))
    return float(psnr(planes, original))


def put_side_by_side(before: Image.Image, after: Image.Image) -> Image.Image:
    """Join two pictures of one size, whole on top, a detail enlarged below."""
    wholes = join([before, after])
    details = join([enlarge(picture.crop(DETAIL)) for picture in (before, after)])
    sheet = Image.new("RGB", (max(wholes.width, details.width), wholes.height + GAP + details.height), "white")
    sheet.paste(wholes, (0, 0))
    sheet.paste(details, (0, wholes.height + GAP))
    return sheet


def join(pictures: list[Image.Image]) -> Image.Image:
    """Place pictures in a row with a gap between."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + GAP
    return row


def enlarge(picture: Image.Image) -> Image.Image:
    """Repeat each pixel `ZOOM` times both ways."""
    return picture.resize((ZOOM * picture.width, ZOOM * picture.height), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
