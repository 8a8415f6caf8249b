"""Frames of a video file in any order, in memory that does not grow with the video."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Lock

import av
import numpy as np
import torch
from jaxtyping import UInt, UInt8
from torch import Tensor

from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.intensity import IntensityRange
from vosmem.inputs.video_container import (
    BYTE_BITS,
    MOST_BITS,
    all_bits,
    decode_frames,
    format_error,
    open_video,
    significant_bits,
    upright_rgb,
)
from vosmem.inputs.video_index import UNEVEN, read_index

CACHE_BYTES, MIN_CACHED, MAX_CACHED = 64 * 2**20, 2, 64
TOLERATED_LOSS = 0.25  # seconds by which a file may be shorter than its header says


class VideoFrames(FrameSource):
    """A video file under any name, decoded by PyAV. Frames are found by timestamps, which are read without decoding.

    Reading forward decodes each frame once. A step back decodes from the key frame before and caches the last frames
    up to the one asked for, so that reading backward stays affordable.

    Raises:
        InputError: the file is missing, is no video, or has no frame that can be decoded.
    """

    def __init__(self, path: Path):
        self.name, self._path, self._lock, self._open = str(path), path, Lock(), ExitStack()
        self._convert: Callable[[av.VideoFrame], np.ndarray] = upright_rgb
        index = read_index(path)
        # A file that was cut in mid-stream may begin with frames that depend on missing ones and cannot be decoded.
        timestamp, first, bits = self._first_frame()
        self._index = index.from_frame(timestamp)
        timestamps = self._index.timestamps
        self._index_of = {pts: t for t, pts in enumerate(timestamps)} if self._index.seekable else {}
        self._cache: deque[tuple[int, UInt[np.ndarray, "H W 3"]]] = deque(
            maxlen=min(MAX_CACHED, max(MIN_CACHED, CACHE_BYTES // first.nbytes))
        )
        self._decoder: Iterator[av.VideoFrame] | None = None
        self._next = self._start_index = 0
        self.size = (first.shape[1], first.shape[0])
        self.frame_names = [f"{t:05d}" for t in range(self._index.num_frames)]
        self.rate = self._index.rate
        if timestamps:
            self.times = [float((pts - timestamps[0]) * index.time_base) for pts in timestamps]
        range_notes = self._scale_intensities(bits) if bits > BYTE_BITS else ()
        self.notes = (*range_notes, *self._find_notes())

    def check(self, t: int) -> None:
        if t >= self._index.num_present:
            raise self._unreadable(t, "the file ends before it")
        if t in self._index.damaged:
            raise self._unreadable(t, "its data are damaged")

    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        t = range(len(self))[t]
        with self._lock:
            image = next((image for index, image in self._cache if index == t), None)
            if image is None:
                image = self._seek_and_read(t)
        return torch.from_numpy(image).permute(2, 0, 1)

    def _seek_and_read(self, t: int) -> UInt[np.ndarray, "H W 3"]:
        self.check(t)
        key = max((key for key in self._index.keys if key <= t), default=0)
        if self._decoder is None or not key <= self._next <= t:
            self._start(key)
        try:
            return self._read_up_to(t)
        except InputError:
            if self._start_index == 0:
                raise
        self._start(0)  # some containers cannot be entered at each key frame
        return self._read_up_to(t)

    def _start(self, index: int) -> None:
        """Decode from a frame in a reopened container, since a decoder that has failed cannot be trusted."""
        self._close()
        container, stream, _ = self._open.enter_context(open_video(self._path))
        if index:
            container.seek(self._index.timestamps[index], stream=stream, backward=True)
        self._decoder, self._next, self._start_index = decode_frames(container, stream), index, index

    def _close(self) -> None:
        self._decoder = None
        self._open.close()
        self._cache.clear()

    def _read_up_to(self, t: int) -> UInt[np.ndarray, "H W 3"]:
        assert self._decoder is not None and self._cache.maxlen is not None
        reason = "the file ends before it"
        try:
            for frame in self._decoder:
                if self._index_of:
                    index = -1 if frame.pts is None else self._index_of.get(frame.pts, -1)
                else:
                    index = self._next
                if index < self._next:
                    continue
                self._next = index + 1
                if index > t or (index == t and frame.is_corrupt):
                    reason = "its data are damaged"
                    break
                if index > t - self._cache.maxlen:
                    self._cache.append((index, self._convert(frame)))
                if index == t:
                    return self._cache[-1][1]
        except av.FFmpegError as error:
            reason = format_error(error)
        self._close()
        raise self._unreadable(t, reason)

    def _scale_intensities(self, bits: int) -> tuple[Note, ...]:
        """Scale all frames by one range from here on."""
        self._convert = all_bits
        intensities = IntensityRange.sampled(len(self), self._seek_and_read)
        self._close()
        self._convert = partial(upright_rgb, intensities=intensities)
        low, high = (round(end) >> MOST_BITS - bits for end in intensities)
        return (Decision.RANGE_SCALED.note(bits=bits, low=low, high=high),)

    def _first_frame(self) -> tuple[int | None, UInt8[np.ndarray, "H W 3"], int]:
        """Timestamp, RGB bytes and bits of a channel of the first frame that can be decoded."""
        try:
            with open_video(self._path) as (container, stream, _):
                for frame in decode_frames(container, stream):
                    return frame.pts, upright_rgb(frame), significant_bits(frame)
        except av.FFmpegError:
            pass
        raise InputError(f"video {self.name!r} has no frame that can be decoded: convert it to mp4 (H.264)")

    def _find_notes(self) -> Iterator[Note]:
        yield from self._index.notes
        gaps = np.diff(self.times or [])
        if len(gaps) and gaps.max() > UNEVEN * gaps.min():
            yield Decision.RATE_VARIES.note(shortest=1000 * gaps.min(), longest=1000 * gaps.max())
        promised, end = self._index.promised_seconds, self.times[-1] if self.times else 0
        if len(gaps) and len(self) == self._index.num_present and promised > end + gaps.max() + TOLERATED_LOSS:
            yield Decision.ENDS_EARLY.note(promised=promised, end=end)
        if self._index.pixel_aspect != 1:
            yield Decision.PIXEL_SHAPE.note(shape=self._index.pixel_aspect)

    def _unreadable(self, t: int, reason: str) -> InputError:
        return InputError(
            f"video {self.name!r}: frame {t} of {len(self)} cannot be read ({reason}): replace the file or cut it "
            "before this frame"
        )
