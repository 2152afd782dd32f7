"""FFmpeg's native VVC decoder: opening it through PyAV, and naming it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirac_enhance import PluginError

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext


def open_decoder() -> VideoCodecContext:
    """Return a new VVC decoder.

    Raises:
        PluginError: if PyAV is missing, or was built without one.
    """
    try:
        from av import CodecContext
        from av.codec.codec import UnknownCodecError
    except ImportError as cause:
        raise PluginError(f"PyAV, which decodes VVC, cannot be imported: {cause}; `pip install av`") from cause
    try:
        return CodecContext.create("vvc", "r")
    except UnknownCodecError as cause:
        raise PluginError(
            "this PyAV has no VVC decoder, which came with FFmpeg 7; `pip install --upgrade av`, or configure VTM's:"
            " `dirac-enhance codecs` says how"
        ) from cause


def name_decoder() -> str:
    """Return the name and version of the library that decodes VVC.

    Raises:
        PluginError: if there is none.
    """
    open_decoder()
    import av

    return f"PyAV {av.__version__}"
