"""VVC decoding by FFmpeg's native decoder, through PyAV; bit-exact with the reference decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from dirac_enhance import InvalidBitstreamError
from dirac_enhance_vtm.ffmpeg import open_decoder
from dirac_enhance_vtm.first_picture import FirstPicture
from dirac_enhance_vtm.planes import Plane, Planes

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

_PADDING = bytes(64)
"""FFmpeg reads that far past the end of a packet (AV_INPUT_BUFFER_PADDING_SIZE), and PyAV does not pad the bytes given.

Zeros there never look like the end of a slice to the arithmetic decoder, so that one which is cut off is noticed;
whatever else may lie in memory sometimes does.
"""


def decode_by_pyav(picture: FirstPicture) -> Planes:
    """Decode a picture.

    Raises:
        InvalidBitstreamError: if the picture is damaged, cut off, or uses what FFmpeg does not decode.
        PluginError: if there is no PyAV, or it has no VVC decoder.
    """
    decoder = open_decoder()
    from av import FFmpegError, InvalidDataError, Packet

    try:
        frames = [*decoder.decode(Packet(picture.stream + _PADDING)), *decoder.decode(None)]
    except InvalidDataError as cause:
        raise _incomplete() from cause
    except FFmpegError as cause:
        raise InvalidBitstreamError(
            f"a VVC picture in {picture.chroma_format} with {picture.bit_depth} bits that FFmpeg does not decode:"
            f" {cause.strerror or cause}; VTM's own decoder may, `dirac-enhance codecs` says how to get it"
        ) from cause
    if not frames:
        raise _incomplete()
    return _to_planes(frames[0], picture)


def _incomplete() -> InvalidBitstreamError:
    return InvalidBitstreamError("a VVC picture that is cut off or damaged; expected a whole file")


def _to_planes(frame: VideoFrame, picture: FirstPicture) -> Planes:
    if frame.format.is_rgb:
        raise InvalidBitstreamError("a VVC stream of RGB samples; expected Y, Cb and Cr")
    if (frame.width, frame.height) != (picture.width, picture.height):
        raise InvalidBitstreamError(
            f"a VVC stream that says {picture.width}×{picture.height} and decodes to {frame.width}×{frame.height}"
        )
    luma, *chroma = (_to_array(plane, bytes_each=2 if picture.bit_depth > 8 else 1) for plane in frame.planes)
    return Planes(luma, (chroma[0], chroma[1]) if chroma else None, picture.bit_depth)


def _to_array(plane: VideoPlane, *, bytes_each: int) -> Plane:
    """Copy a plane's samples; its lines are padded."""
    samples = numpy.frombuffer(bytes(plane), "<u2" if bytes_each == 2 else "u1").astype(numpy.uint16)
    return samples.reshape(plane.height, -1)[:, : plane.width]
