"""Protocols: how a figure was measured; only figures of one protocol stand in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dirac_enhance import BenchmarkError

Base = Literal["libjpeg", "simulated-jpeg", "own bits"]
"""What coded the pictures: real JPEG files, DDRM's floating-point imitation of them, or each codec's own bitstream."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How figures were measured, as far as it decides whether two of them can be compared.

    Args:
        id: as results and tables name it.
        base: what coded the pictures.
        coding: what exactly was coded.
        measuring: what was compared with what, and the conventions of the metrics.
        source: where this is written down.
        reference_only: why nothing measured here can stand beside its figures; empty where something can.
    """

    id: str
    base: Base
    coding: str
    measuring: str
    source: str
    reference_only: str = ""


SIMULATED_JPEG = "simulated-jpeg"
"""What stands in the place of a codec's id where DDRM's imitation coded the pictures."""

_FBCNN = "jiaxi-jiang/FBCNN:main_test_fbcnn_color.py, utils/utils_image.py@54d1831"
_DDRM = "bahjat-kawar/ddrm-jpeg:functions/jpeg_torch.py, runners/diffusion.py@e3704ce"
_GAUSSIAN = "SSIM Gaussian 11×11 σ 1.5"

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.id: protocol
        for protocol in (
            Protocol(
                id="jpeg-gray",
                base="libjpeg",
                coding=(
                    "luma of each picture (BT.601 in 16 … 235 rounded to 8 bits, as MATLAB's rgb2ycbcr makes it; gray"
                    " pictures as they are), libjpeg, one component"
                ),
                measuring=f"PSNR of 8-bit luminance, mean over pictures; {_GAUSSIAN}; PSNR-B of the restored picture",
                source=_FBCNN,
            ),
            Protocol(
                id="jpeg-gray-double",
                base="libjpeg",
                coding="luminance, libjpeg twice, the second grid shifted by (4, 4)",
                measuring="PSNR of 8-bit luminance, mean over pictures",
                source="jiaxi-jiang/FBCNN:README.md@09b80b6",
            ),
            Protocol(
                id="jpeg-colour",
                base="libjpeg",
                coding="RGB, libjpeg-turbo, 4:2:0",
                measuring=(
                    f"PSNR over all RGB samples of 8-bit pictures, mean over pictures; {_GAUSSIAN}, per channel;"
                    " PSNR-B with the block effect of the restored luminance"
                ),
                source=_FBCNN,
            ),
            Protocol(
                id="jpeg-colour-perceptual",
                base="libjpeg",
                coding="RGB, libjpeg, 4:2:0",
                measuring="LPIPS (AlexNet), DISTS and no-reference metrics of pyiqa",
                source="jp-guo/CODiff:README.md@86e2f04",
            ),
            Protocol(
                id="jpeg-imagenet-ctest10k",
                base="libjpeg",
                coding="imagenet-ctest10k at 256×256, JPEG",
                measuring="FID, inception score, classification accuracy (%), perceptual distance",
                source="Palette, arXiv 2111.05826",
                reference_only=(
                    "their FID is a distance from other pictures than the originals, which have 2.7 in it and not 0,"
                    " and the other figures are a classifier's"
                ),
            ),
            Protocol(
                id="ddrm-jpeg",
                base="simulated-jpeg",
                coding=(
                    "simulated JPEG: floating-point DCT, chroma every second pixel, repeated on decoding, nothing"
                    " rounded to 8 bits"
                ),
                measuring=(
                    "PSNR of floating-point pictures clamped to [0, 1], mean over pictures; what DDRM's program"
                    " restores is read from its PNG, rounded to 8 bits"
                ),
                source=_DDRM,
            ),
            Protocol(
                id="codec",
                base="own bits",
                coding="RGB at full resolution, rate in bits per pixel",
                measuring=(
                    "PSNR over all RGB samples; LPIPS (AlexNet); FID and KID over 256×256 half-overlapping patches"
                ),
                source="facebookresearch/NeuralCompression:projects/illm@3f12280",
            ),
        )
    }
)


_ALSO_MEETS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "jpeg-colour": MappingProxyType(
            {"codec": ("psnr", "lpips", "fid256", "kid256"), "jpeg-colour-perceptual": ("lpips",)}
        )
    }
)
"""Figures of a protocol that fulfil another one, too: a libjpeg file is a bitstream of its own, coded from RGB."""


def also_meets(protocol_id: str) -> Mapping[str, tuple[str, ...]]:
    """Return other protocols that figures measured so fulfil, each with the ids of the measures for which they do."""
    return _ALSO_MEETS.get(protocol_id, {})


def protocol_of(codec_id: str, *, as_usual: bool, gray: bool = False) -> Protocol:
    """Return how the pictures of a codec are measured here.

    Args:
        codec_id: of the codec.
        as_usual: whether none of its options was set: JPEG tables are for 4:2:0.
        gray: whether luma alone was coded.
    """
    if gray:
        return find_protocol("jpeg-gray")
    return find_protocol("jpeg-colour" if codec_id == "jpeg" and as_usual else "codec")


def find_protocol(protocol_id: str) -> Protocol:
    """Return the protocol of that id.

    Raises:
        BenchmarkError: if there is none.
    """
    try:
        return PROTOCOLS[protocol_id]
    except KeyError:
        raise BenchmarkError(f"unknown protocol '{protocol_id}'; expected one of {', '.join(PROTOCOLS)}") from None
