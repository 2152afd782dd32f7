"""A digest of pictures by their pixels, so that two runs can tell that they measured the same set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def pixels_sha256(pictures: Iterable[Tensor]) -> str:
    """Digest pictures as 8-bit samples: equal if sizes, samples and order are equal, whatever their files.

    The sha256 of, picture after picture in the order of their file names: the ASCII text `(3, height, width)`, then
    the samples as bytes, channel after channel, row after row.

    Args:
        pictures: (3, H, W) float in [0, 1] each; read one at a time.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for pixels in pictures:
        digest.update(repr(tuple(pixels.shape)).encode())
        digest.update((pixels * 255).round().byte().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
