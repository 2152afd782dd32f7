"""What a JPEG's frame header says that no pixel shows: chroma subsampling, coding process, colour model."""

from __future__ import annotations

from PIL.JpegImagePlugin import JpegImageFile

_UNTRANSFORMED = 0
_YCCK = 2
"""Values of the colour transform in Adobe's APP14 segment."""

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
    model = _colour_model(image)
    details = {"colour model": model, "coding": "progressive" if image.info.get("progressive") else "sequential"}
    if model in ("YCbCr", "YCCK"):
        details["chroma subsampling"] = subsampling_name([(across, down) for _, across, down, _ in image.layer[:3]])
    return details


def _colour_model(image: JpegImageFile) -> str:
    """Name what the samples are, told as libjpeg does: by JFIF's and Adobe's segments, or else the components' ids."""
    transform = image.info.get("adobe_transform")
    if image.mode == "CMYK":
        return "YCCK" if transform == _YCCK else "CMYK"
    if image.mode != "RGB":
        return "grayscale"
    ids = bytes(component[0] for component in image.layer)
    says_rgb = ids == b"RGB" if transform is None else transform == _UNTRANSFORMED
    return "RGB" if says_rgb and "jfif" not in image.info else "YCbCr"


def subsampling_name(factors: list[tuple[int, int]]) -> str:
    """Name the sampling factors of the components (ITU-T T.81, B.2.2), or list those that have no name."""
    (across, down), *chroma = factors
    if len(set(chroma)) == 1 and across % chroma[0][0] == 0 and down % chroma[0][1] == 0:
        ratio = (across // chroma[0][0], down // chroma[0][1])
        if ratio in _NOTATIONS:
            return _NOTATIONS[ratio]
    return " ".join(f"{horizontal}×{vertical}" for horizontal, vertical in factors)
