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

_AFTERWARDS = bytes(range(1, 65))
"""Bytes without a start code or an emulation of one."""


def decode_by_pyav(picture: FirstPicture) -> Planes:
    """Decode a picture.

    FFmpeg's decoder does not notice every slice that is cut off: past the end it decodes whatever it finds there,
    and now and then comes to a seemingly regular end. A whole slice does not depend on what comes after it. So where
    a slice may be cut off, it is decoded twice, once with other bytes after it, and must come out the same.

    Raises:
        InvalidBitstreamError: if the picture is damaged, cut off, or uses what FFmpeg does not decode.
        PluginError: if there is no PyAV, or it has no VVC decoder.
    """
    planes = _decode(picture, picture.stream)
    if picture.is_open and not _equal(planes, _decode(picture, picture.stream + _AFTERWARDS)):
        raise _cut_off()
    return planes


def _decode(picture: FirstPicture, stream: bytes) -> Planes:
    from av import FFmpegError, Packet

    decoder = open_decoder()
    try:
        frames = [*decoder.decode(Packet(stream)), *decoder.decode(None)]
    except FFmpegError as cause:
        raise InvalidBitstreamError(
            f"not a whole VVC picture that FFmpeg can decode: {cause.strerror or cause};"
            " VTM's own decoder takes every stream, see `dirac-enhance codecs`"
        ) from cause
    if not frames:
        raise _cut_off()
    return _to_planes(frames[0], picture)


def _cut_off() -> InvalidBitstreamError:
    return InvalidBitstreamError("a VVC stream that ends before its first picture does; expected a whole file")


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
    lines = numpy.frombuffer(plane, "<u2" if bytes_each == 2 else "u1").reshape(plane.height, -1)
    return lines[:, : plane.width].astype(numpy.uint16)


def _equal(one: Planes, other: Planes) -> bool:
    same_luma = numpy.array_equal(one.luma, other.luma)
    return same_luma and numpy.array_equal(numpy.array(one.chroma), numpy.array(other.chroma))
