"""The JPEG base codec: registers `JpegCodec` with its bundled enhancer weights."""

from __future__ import annotations

from dirac_enhance import RegisterCodec, bundled_weights, hookimpl
from dirac_enhance_jpeg.codec import JpegCodec

__all__ = ["JpegCodec", "register_codecs"]


@hookimpl
def register_codecs(register: RegisterCodec) -> None:
    """Register the codec `jpeg`."""
    codec = JpegCodec()
    register(codec, weights=bundled_weights(codec.id))
