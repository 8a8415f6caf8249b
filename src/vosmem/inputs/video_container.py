"""Opening a video file whatever its name is, and choosing the stream that is the video."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import av
from av.stream import Disposition

from vosmem.errors import InputError

BUFFER_BYTES = 2**18
PICTURES_ONLY = Disposition.attached_pic | Disposition.timed_thumbnails


class OpenVideo(NamedTuple):
    """An open file.

    Attributes:
        container: what FFmpeg found in it.
        stream: the video.
        others: the further video streams, which are not used.
    """

    container: av.container.InputContainer
    stream: av.VideoStream
    others: tuple[av.VideoStream, ...]


@contextmanager
def opened(path: Path) -> Iterator[OpenVideo]:
    """The container and its video stream, closed at the end.

    Of several video streams it is the one marked as default, else the one with the most pixels.

    Raises:
        InputError: the file is missing, is no video, has no video stream, or nothing here decodes it.
    """
    with ExitStack() as stack:
        try:
            # FFmpeg takes names with colons for protocols, with percent signs for patterns, and "-" for an option.
            file = stack.enter_context(io.FileIO(path))
            file.name = f"video{path.suffix.lower() if path.suffix[1:].isalnum() else ''}"
            container = stack.enter_context(av.open(file, "r", buffer_size=BUFFER_BYTES))
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = "missing" if isinstance(error, FileNotFoundError) else format_error(error)
            raise InputError(f"video {str(path)!r} cannot be read ({reason}): replace the file") from error
        yield OpenVideo(container, *_chosen(container, path))


def _chosen(container: av.container.InputContainer, path: Path) -> tuple[av.VideoStream, tuple[av.VideoStream, ...]]:
    if not container.streams.video:
        raise InputError(f"video {str(path)!r} has no pictures in it: give a file with a video stream")
    videos = [stream for stream in container.streams.video if not stream.disposition & PICTURES_ONLY]
    if not videos:
        raise InputError(f"{str(path)!r} has a cover picture and no video: give a file with a video stream")
    decodable = [stream for stream in videos if stream.codec_context is not None]
    if not decodable:
        raise InputError(f"video {str(path)!r} is coded in an unknown way: convert it to mp4 (H.264)")
    first, *others = sorted(decodable, key=_preference)
    return first, tuple(others)


def _preference(stream: av.VideoStream) -> tuple[bool, int, int]:
    return not stream.disposition & Disposition.default, -stream.width * stream.height, stream.index


def decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The frames of a stream; at an error those that the decoder still holds, then the error.

    Raises:
        FFmpegError: the stream is damaged there.
    """
    try:
        for packet in container.demux(stream):
            yield from stream.decode(packet)
    except av.FFmpegError:
        yield from stream.decode(None)
        raise


def format_error(error: Exception) -> str:
    """What FFmpeg says of an error, without the file's name."""
    return getattr(error, "strerror", None) or type(error).__name__
