"""Writing of videos that browsers and video editors play."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import UInt8

from vosmem.files import replacing


class Encoding(NamedTuple):
    """How frames are compressed."""

    container: str  # of the file, as FFmpeg names it
    codec: str  # name of FFmpeg's encoder
    pixels: str  # pixel format of the codec; those with an `a` after `yuv` have transparency
    options: Mapping[str, str]  # of the encoder
    container_options: Mapping[str, str] = MappingProxyType({})  # of the container


FAST_START = {"movflags": "+faststart"}  # the video plays before it is fully loaded
# One thread, with which two runs rarely differ in their bytes (libx264 of PyAV 18.1).
H264 = Encoding("mp4", "libx264", "yuv420p", {"crf": "20", "preset": "veryfast", "threads": "1"}, FAST_START)


class VideoWriter:
    """Context manager that writes a video frame by frame.

    The file appears when the context ends without an error and had at least one frame; its folder is made.
    """

    def __init__(self, path: Path, frames_per_second: Fraction | int, encoding: Encoding = H264):
        self.path, self.frames_per_second, self.encoding = path, frames_per_second, encoding
        self._open = ExitStack()
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None

    def add(self, frame: UInt8[np.ndarray, "H W C"]) -> None:
        """Append a frame of RGB or RGBA bytes; all have one size. In an odd size the last row or column is repeated."""
        padding = ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0))  # 4:2:0 colour has no odd sizes
        even = np.ascontiguousarray(np.pad(frame, padding, mode="edge") if any(map(any, padding)) else frame)
        if self._container is None or self._stream is None:
            self._container, self._stream = self._start(even)
        layout = "rgba" if frame.shape[2] == 4 else "rgb24"
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(even, format=layout)))

    def _start(self, frame: UInt8[np.ndarray, "H W C"]) -> tuple[av.container.OutputContainer, av.VideoStream]:
        encoding = self.encoding
        partial = self._open.enter_context(replacing(self.path))
        container = self._open.enter_context(
            # a name with a colon is not a protocol
            av.open(f"file:{partial}", "w", format=encoding.container, options=dict(encoding.container_options))
        )
        stream = container.add_stream(encoding.codec, rate=self.frames_per_second, options=dict(encoding.options))
        assert isinstance(stream, av.VideoStream)  # by the codec
        stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], encoding.pixels
        return container, stream

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._open.__exit__(kind, error, trace)  # deletes the partial file
        elif self._container is not None and self._stream is not None:
            with self._open:
                self._container.mux(self._stream.encode(None))


def write_video(frames: Iterable[UInt8[np.ndarray, "H W 3"]], path: Path, frames_per_second: Fraction | int) -> Path:
    """Write at least one frame of RGB bytes, all of one size, as an H.264 mp4."""
    with VideoWriter(path, frames_per_second) as video:
        for frame in frames:
            video.add(frame)
    return path
