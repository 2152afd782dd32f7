"""The README's pictures, from photographs that come with scikit-image: a before/after pair and enlarged crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from PIL import Image, ImageDraw, ImageFont

from dirac_enhance import DiracError, load_enhancer
from originals import encoding_codec, to_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from dirac_enhance import BaseReconstruction, Enhancer
    from dirac_enhance.device import Device

_DOCS = Path(__file__).parent.parent / "docs"
_ENLARGEMENT = 2
_GAP = 4
_LABEL_HEIGHT = 26
_LABEL_SIZE = 16


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of one of scikit-image's photographs."""

    photograph: str
    left: int
    top: int
    side: int = 128

    @property
    def box(self) -> tuple[int, int, int, int]:
        """As Pillow takes it."""
        return self.left, self.top, self.left + self.side, self.top + self.side


BEFORE_AFTER = "coffee"
CROPS = (Crop("coffee", 300, 200), Crop("chelsea", 110, 60), Crop("astronaut", 150, 15))


def photograph(name: str) -> Tensor:
    """Read one of the photographs that scikit-image brings along, as (3, H, W) float32 in [0, 1]."""
    from skimage import data

    return to_pixels(getattr(data, name)())


def to_image(pixels: Tensor) -> Image.Image:
    """Turn (3, H, W) float32 in [0, 1] into an 8-bit image."""
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def states(name: str, *, enhancer: Enhancer, quality: int, seed: int) -> dict[str, Image.Image]:
    """A photograph as JPEG, enhanced with 1 and with 100 steps, and as it was; by label."""
    original = photograph(name)
    codec = encoding_codec("jpeg")
    base = codec.decode(codec.encode(original, rate_factor=quality))
    label = f"JPEG, quality {quality}, {base.coded_bytes / 1000:.1f} kB"
    return states_of(label, base, original, enhancer=enhancer, seed=seed)


def states_of(
    label: str, base: BaseReconstruction, original: Tensor, *, enhancer: Enhancer, seed: int
) -> dict[str, Image.Image]:
    """A base reconstruction, under `label`, enhanced with 1 and with 100 steps, and its original; by label."""
    return {
        label: to_image(base.pixels),
        "enhanced, --steps 1": to_image(enhancer.enhance(base, steps=1, seed=seed)),
        "enhanced, --steps 100": to_image(enhancer.enhance(base, steps=100, seed=seed)),
        "original": to_image(original),
    }


def side_by_side(images: dict[str, Image.Image]) -> Image.Image:
    """Set images of one size in a row, each under its label."""
    width, height = next(iter(images.values())).size
    sheet = Image.new("RGB", (len(images) * (width + _GAP) - _GAP, height + _LABEL_HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_LABEL_SIZE)
    for index, (label, image) in enumerate(images.items()):
        left = index * (width + _GAP)
        draw.text((left + width / 2, _LABEL_HEIGHT / 2), label, fill="black", font=font, anchor="mm")
        sheet.paste(image, (left, _LABEL_HEIGHT))
    return sheet


def enlarge(image: Image.Image, crop: Crop) -> Image.Image:
    """Cut out a crop and repeat its pixels, so that nothing is smoothed."""
    side = crop.side * _ENLARGEMENT
    return image.crop(crop.box).resize((side, side), Image.Resampling.NEAREST)


@click.command(context_settings={"show_default": True})
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Weights instead of the shipped ones.")
@click.option("--quality", default=10, type=click.IntRange(1, 100), help="Of the JPEGs.")
@click.option("--seed", default=0)
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--folder", default=_DOCS, type=click.Path(file_okay=False, path_type=Path), help="Where to write.")
def main(*, weights: Path | None, quality: int, seed: int, device: Device, folder: Path) -> None:
    """Write before_after.jpg and a strip of crops for each photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        enhancer = load_enhancer("jpeg", weights=weights, device=device)
        for crop in CROPS:
            images = states(crop.photograph, enhancer=enhancer, quality=quality, seed=seed)
            strip = side_by_side({label: enlarge(image, crop) for label, image in images.items()})
            save_picture(strip, folder / f"crop_{crop.photograph}.png")
            if crop.photograph == BEFORE_AFTER:
                before, _, after, _ = images
                save_picture(
                    side_by_side({label: images[label] for label in (before, after)}), folder / "before_after.jpg"
                )
    except DiracError as error:
        raise click.ClickException(str(error)) from error


def save_picture(image: Image.Image, file: Path) -> None:
    """Write a picture, and say how large it is."""
    # As JPEG without chroma subsampling, which would itself show at edges; PNG takes no notice of either setting.
    image.save(file, optimize=True, quality=92, subsampling="4:4:4")
    click.echo(f"{file}: {image.width}×{image.height}, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
