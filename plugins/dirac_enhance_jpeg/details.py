"""What a JPEG's frame header says that no pixel shows: chroma subsampling, coding process, colour model."""

from __future__ import annotations

from PIL.JpegImagePlugin import JpegImageFile

_COLOUR_MODELS = {"L": "grayscale", "RGB": "colour", "CMYK": "CMYK"}
_NOTATIONS = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
"""How many luma samples there are to one of chroma, across and down → J:a:b notation."""


def jpeg_details(image: JpegImageFile) -> dict[str, str]:
    """Describe an opened JPEG file for people; a grayscale one has no chroma to speak of."""
    details = {
        "colour": _COLOUR_MODELS.get(image.mode, image.mode),
        "coding": "progressive" if image.info.get("progressive") else "sequential",
    }
    if image.mode == "RGB":
        details["chroma subsampling"] = subsampling_name([(across, down) for _, across, down, _ in image.layer])
    return details


def subsampling_name(factors: list[tuple[int, int]]) -> str:
    """Name the sampling factors of the components (ITU-T T.81, B.2.2), or list those that have no name."""
    (across, down), *chroma = factors
    if len(set(chroma)) == 1 and across % chroma[0][0] == 0 and down % chroma[0][1] == 0:
        ratio = (across // chroma[0][0], down // chroma[0][1])
        if ratio in _NOTATIONS:
            return _NOTATIONS[ratio]
    return " ".join(f"{horizontal}×{vertical}" for horizontal, vertical in factors)
