"""Open a video file by its content, choose its video stream, and decode frames as players display them."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.stream import Disposition
from jaxtyping import Int32, UInt8, UInt16

from vosmem.errors import InputError
from vosmem.inputs.intensity import IntensityRange

BUFFER_BYTES = 2**18
BYTE_BITS, MOST_BITS = 8, 16  # of a channel
LOSSLESS = ("ffv1", "png", "apng", "gif", "qtrle", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "bmp", "tiff")
OF_COLOURS = ("gray", "rgb", "bgr", "gbr", "argb", "abgr", "pal8", "ya8")  # pixel formats
PICTURES_ONLY = Disposition.attached_pic | Disposition.timed_thumbnails


class OpenVideo(NamedTuple):
    """An open file: its container, the stream that is used, and the video streams that are not."""

    container: av.container.InputContainer
    stream: av.VideoStream
    others: tuple[av.VideoStream, ...]


@contextmanager
def open_video(path: Path) -> Iterator[OpenVideo]:
    """Open a container and its video stream: the one marked as default, else the one with the most pixels.

    Raises `InputError` if the file is missing, is no video, has no video stream, or has no decoder here.
    """
    with ExitStack() as stack:
        try:
            # FFmpeg reads names with colons as protocols, with percent signs as patterns, and "-" as an option.
            file = stack.enter_context(io.FileIO(path))
            file.name = f"video{path.suffix.lower() if path.suffix[1:].isalnum() else ''}"
            container = stack.enter_context(av.open(file, "r", buffer_size=BUFFER_BYTES))
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = "missing" if isinstance(error, FileNotFoundError) else format_error(error)
            raise InputError(f"video {str(path)!r} cannot be read ({reason}): replace the file") from error
        yield OpenVideo(container, *_choose_stream(container, path))


def _choose_stream(
    container: av.container.InputContainer, path: Path
) -> tuple[av.VideoStream, tuple[av.VideoStream, ...]]:
    if not container.streams.video:
        raise InputError(f"video {str(path)!r} has no pictures in it: give a file with a video stream")
    videos = [stream for stream in container.streams.video if not stream.disposition & PICTURES_ONLY]
    if not videos:
        raise InputError(f"{str(path)!r} has a cover picture and no video: give a file with a video stream")
    decodable = [stream for stream in videos if stream.codec_context is not None]
    if not decodable:
        raise InputError(f"video {str(path)!r} has a codec that is unknown here: convert it to mp4 (H.264)")
    first, *others = sorted(
        decodable, key=lambda one: (not one.disposition & Disposition.default, -one.width * one.height, one.index)
    )
    return first, tuple(others)


def decode_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Yield the frames of a stream. At an error, frames in the decoder's buffer come before the `FFmpegError`."""
    try:
        for packet in container.demux(stream):
            yield from stream.decode(packet)
    except av.FFmpegError:
        yield from stream.decode(None)
        raise


def format_error(error: Exception) -> str:
    """FFmpeg's description of an error, without the file's name."""
    return getattr(error, "strerror", None) or type(error).__name__


def keeps_colours(path: Path) -> bool:
    """Whether the codec and the pixel format of a video keep each colour."""
    with open_video(path) as (_, stream, _others):
        context = stream.codec_context
        return stream.codec.name in LOSSLESS and str(context.pix_fmt).startswith(OF_COLOURS)


def significant_bits(frame: av.VideoFrame) -> int:
    """Bits of a grey or RGB channel, which may use a part of its range only; 8 for YUV, which uses all of it."""
    components = frame.format.components
    if len(components) > 1 and not frame.format.is_rgb:
        return BYTE_BITS
    return max(BYTE_BITS, *(component.bits for component in components), 0)


def all_bits(frame: av.VideoFrame) -> UInt16[np.ndarray, "H W 3"]:
    """The values of a grey or RGB frame, shifted to 16 bits."""
    grey = len(frame.format.components) == 1
    values = frame.to_ndarray(format="gray16le" if grey else "rgb48le")
    return np.repeat(values[..., None], 3, axis=2) if grey else values


def upright_rgb(frame: av.VideoFrame, intensities: IntensityRange | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """RGB bytes of a frame, turned and mirrored by the display matrix of the file, if it has one."""
    image = frame.to_ndarray(format="rgb24") if intensities is None else intensities.to_bytes(all_bits(frame))
    side_data: Any = frame.side_data  # PyAV declares a mapping and returns a sequence
    matrices = [bytes(data) for data in side_data if data.type == Type.DISPLAYMATRIX]
    return np.ascontiguousarray(oriented(image, np.frombuffer(matrices[0], np.int32)[:9])) if matrices else image


def oriented(image: UInt8[np.ndarray, "H W 3"], matrix: Int32[np.ndarray, "9"]) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Turn and mirror an image to the nearest of the eight orientations of a display matrix.

    The matrix maps the point (x, y) of a stored frame to (a x + c y, b x + d y) on the screen. It is stored as a, b, u,
    c, d, v, ...; its translation only moves the image back onto the screen.

    Example:
        >>> image = np.arange(2)[None, :, None].repeat(3, 2).astype(np.uint8)
        >>> oriented(image, np.array([-65536, 0, 0, 0, 65536, 0, 0, 0, 2**30], np.int32))[0, :, 0].tolist()
        [1, 0]
    """
    a, b, _, c, d = matrix[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):  # x becomes y
        image, a, d = image.swapaxes(0, 1), c, b
    image = image[:, ::-1] if a < 0 else image
    return image[::-1] if d < 0 else image
