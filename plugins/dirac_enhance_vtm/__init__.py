"""VVC as the VTM reference software codes it: registers `VtmCodec` with its bundled enhancer weights."""

from __future__ import annotations

from dirac_enhance import RegisterCodec, bundled_weights, hookimpl
from dirac_enhance_vtm.codec import VtmCodec

__all__ = ["VtmCodec", "register_codecs"]


@hookimpl
def register_codecs(register: RegisterCodec) -> None:
    """Register the codec `vtm`."""
    codec = VtmCodec()
    register(codec, weights=bundled_weights(codec.id))
