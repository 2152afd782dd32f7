"""Sizes of SwinT-ChARM files against what the prior promises: a row for each picture and rate factor.

python benchmarks/swint_charm_rate.py FOLDER [--weights FILE] [--rates 0.001,0.0067,0.03]
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", default="", help="The codec's own weights; the installed ones if not given.")
@click.option("--rates", default="0.001,0.0067,0.03", help="Rate factors, separated by commas.")
def main(folder: Path, weights: str, rates: str) -> None:
    """Print bytes, promised bytes, and the difference in percent."""
    import numpy
    import torch
    from PIL import Image

    from dirac_enhance_swint_charm import SwintCharmCodec
    from dirac_enhance_swint_charm.promise import promised_bits
    from dirac_enhance_swint_charm.weights_file import find_codec_weights, load_codec_weights

    loaded = load_codec_weights(find_codec_weights(weights))
    codec = SwintCharmCodec(weights=weights)
    print("picture                  λ       bytes   promised      %")
    for path in sorted(folder.glob("*.png")):
        levels = torch.from_numpy(numpy.array(Image.open(path).convert("RGB")))
        pixels = levels.permute(2, 0, 1).to(torch.float32) / 255
        for rate in (float(each) for each in rates.split(",")):
            size = len(codec.encode(pixels, rate_factor=rate))
            promised = promised_bits(loaded, pixels, rate_factor=rate) / 8
            print(f"{path.stem:16} {rate:9g} {size:11,} {promised:10,.0f} {100 * (size / promised - 1):+6.2f}")


if __name__ == "__main__":
    main()
