"""How large a picture may be before it is decoded: the guard against files of a few bytes that claim gigapixels."""

from __future__ import annotations

from dirac_enhance.codec import CodecOption
from dirac_enhance.errors import InvalidBitstreamError

DEFAULT_MAX_PIXELS = 200_000_000
"""More than a sensor of 2026 delivers; a JPEG file of a few bytes can claim 4 300 000 000."""

MAX_PIXELS = CodecOption(
    name="max-pixels",
    kind=int,
    default=DEFAULT_MAX_PIXELS,
    help="pixels of the largest picture that is decoded",
)
"""The option that a codec declares when it can tell the size of a picture before decoding it.

`--max-pixels` then reaches it, and its `decode` calls `check_pixel_count` before it allocates anything.
"""


def check_pixel_count(height: int, width: int, *, maximum: int = DEFAULT_MAX_PIXELS) -> None:
    """Refuse a picture of more than `maximum` pixels.

    Args:
        height: rows that the file claims.
        width: columns that it claims.
        maximum: the largest number of pixels allowed.

    Raises:
        InvalidBitstreamError: if there are more.
    """
    if height * width > maximum:
        raise InvalidBitstreamError(
            f"the file claims {width}×{height} pixels; expected at most {maximum:,}: raise --max-pixels"
            " (max_pixels=…) if you trust it"
        )


def is_pillow_bomb(error: BaseException) -> bool:
    """Whether Pillow refused a file for the number of pixels it claims, as it does by a limit of its own."""
    from PIL.Image import DecompressionBombError

    return isinstance(error, DecompressionBombError)
