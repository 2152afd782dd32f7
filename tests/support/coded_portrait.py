"""A portrait coded with SwinT-ChARM's shipped weights: the file as another machine once wrote it, and what it holds.

When other codec weights are shipped, code it again from the root of the repository, and commit what changes:

    python tests/support/coded_portrait.py
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from dirac_enhance_swint_charm.bitstream import Bitstream, read_bitstream
from dirac_enhance_swint_charm.latent_coder import TileLatents
from dirac_enhance_swint_charm.loading import open_coder
from dirac_enhance_swint_charm.picture_coder import PictureCoder, computing

FOLDER = Path(__file__).parent.parent / "plugins" / "swint_charm" / "fixtures"
CODED, DECODED, FACTS = (FOLDER / f"portrait.{suffix}" for suffix in ("dsc", "png", "json"))
HOW_TO_RENEW = "other codec weights are shipped than coded the portrait; run `python tests/support/coded_portrait.py`"
RATE_FACTOR, TILE = 0.003, 128
"""Two coding tiles beside each other."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the coded portrait.

    Args:
        model_id: hexadecimal, of the codec weights.
        latents: sha256 of its integers, as `digest` has it.
        encoder: what it was coded with.
    """

    model_id: str
    latents: str
    encoder: str


def draw_portrait(height: int, width: int, *, top: int = 0, left: int = 100) -> Tensor:
    """Return (3, height, width) float32 in [0, 1], a crop of the portrait that comes with scikit-image."""
    from skimage import data

    crop = torch.from_numpy(data.astronaut()[top : top + height, left : left + width].copy())
    return crop.permute(2, 0, 1).float() / 255


def read_facts() -> Facts:
    """Return what is known of the coded portrait."""
    return Facts(**json.loads(FACTS.read_text(encoding="utf-8")))


def decode_latents(coder: PictureCoder, bitstream: Bitstream) -> list[TileLatents]:
    """Decode the latents of every coding tile, and do not look at their checksum."""
    sizes = [(place.height // 16, place.width // 16) for place in bitstream.header.tiles()]
    with computing(coder._device):
        return [
            coder._latent_coder.decode(tile.stream, size) for tile, size in zip(bitstream.tiles, sizes, strict=True)
        ]


def digest(latents: list[TileLatents]) -> str:
    """Return the sha256 of hyper-latents and latents, tile by tile, as 32-bit integers, little-endian."""
    integers = [values for tile in latents for values in (tile.hyper, tile.latents)]
    return hashlib.sha256(b"".join(each.cpu().numpy().astype("<i4").tobytes() for each in integers)).hexdigest()


def main() -> None:
    """Code the portrait with the weights that are installed, and write it down with what it decodes to."""
    from PIL import Image

    coder = open_coder("", "cpu")
    content = coder.encode(draw_portrait(112, 144, top=20, left=170), rate_factor=RATE_FACTOR, tile=TILE)
    bitstream = read_bitstream(content, max_pixels=10**6)
    levels = coder.decode(bitstream).mul(255).round().byte().permute(1, 2, 0).numpy()
    facts = Facts(
        bitstream.header.model_id.hex(), digest(decode_latents(coder, bitstream)), str(bitstream.header.encoder)
    )
    CODED.write_bytes(content)
    Image.fromarray(levels).save(DECODED, optimize=True)
    FACTS.write_text(json.dumps(asdict(facts), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
