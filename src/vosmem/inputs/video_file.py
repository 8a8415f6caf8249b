"""Frames of a video file, in any order, in memory that does not grow with the video."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

import av
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.display import upright
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.video_container import decoded, format_error, opened
from vosmem.inputs.video_index import UNEVEN, read_index

CACHE_BYTES, FEWEST_KEPT, MOST_KEPT = 64 * 2**20, 2, 64
SHORT_BY = 0.25  # seconds that a file may end before it says


class VideoFrames(FrameSource):
    """A video file by PyAV. Frames are found by their time stamps, which opening reads without decoding.

    Frames asked for in order are decoded once. A step back decodes from the key frame before, and keeps the frames
    just before the one asked for, so that reading backward is affordable too. Turned and mirrored videos are shown
    as players show them.

    Args:
        path: the file, under any name.

    Raises:
        InputError: the file is missing, is no video, or has no frame that can be decoded.
    """

    def __init__(self, path: Path):
        self.name, self._path, self._lock, self._open = str(path), path, Lock(), ExitStack()
        index = read_index(path)
        # A file that was cut in mid-stream may begin with frames that need others before them; none of them comes out.
        stamp, first = self._first_frame()
        self._index = index.from_frame(stamp)
        found_by = self._index.stamps if self._index.seekable else ()
        self._place_of: dict[int | None, int] = {stamp: place for place, stamp in enumerate(found_by)}
        self._cache: deque[tuple[int, UInt8[np.ndarray, "H W 3"]]] = deque(
            maxlen=min(MOST_KEPT, max(FEWEST_KEPT, CACHE_BYTES // first.nbytes))
        )
        self._frames: Iterator[av.VideoFrame] | None = None
        self._next = self._began = 0
        self.size = (first.shape[1], first.shape[0])
        self.frame_names = [f"{t:05d}" for t in range(self._index.num_frames)]
        self.rate = self._index.rate
        if self._index.stamps:
            self.times = [float((at - self._index.stamps[0]) * index.time_base) for at in self._index.stamps]
        self.notes = tuple(self._remarks())

    def check(self, t: int) -> None:
        """Whether the file holds data of frame t."""
        if t >= self._index.num_present:
            raise self._unreadable(t, "the file ends before it")
        if t in self._index.damaged:
            raise self._unreadable(t, "its data are damaged")

    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        t = range(len(self))[t]
        with self._lock:
            array = next((array for place, array in self._cache if place == t), None)
            if array is None:
                array = self._find(t)
        return torch.from_numpy(array).permute(2, 0, 1)

    def _find(self, t: int) -> UInt8[np.ndarray, "H W 3"]:
        """Decode on to frame t, or from the key frame before it."""
        self.check(t)
        key = max((key for key in self._index.keys if key <= t), default=0)
        if self._frames is None or not key <= self._next <= t:
            self._start(key)
        try:
            return self._read_up_to(t)
        except InputError:
            if self._began == 0:
                raise
        self._start(0)  # not every container can be entered at every key frame
        return self._read_up_to(t)

    def _start(self, place: int) -> None:
        """Decode from here, in a container opened anew, since a decoder that has failed is not to be trusted."""
        self._close()
        container, stream, _ = self._open.enter_context(opened(self._path))
        if place:
            container.seek(self._index.stamps[place], stream=stream, backward=True)
        self._frames, self._next, self._began = decoded(container, stream), place, place

    def _close(self) -> None:
        self._frames = None
        self._open.close()
        self._cache.clear()

    def _read_up_to(self, t: int) -> UInt8[np.ndarray, "H W 3"]:
        assert self._frames is not None and self._cache.maxlen is not None
        reason = "the file ends before it"
        try:
            for frame in self._frames:
                place = self._place_of.get(frame.pts, -1) if self._place_of else self._next
                if place < self._next:
                    continue
                self._next = place + 1
                if place > t or (place == t and frame.is_corrupt):
                    reason = "its data are damaged"
                    break
                if place > t - self._cache.maxlen:
                    self._cache.append((place, upright(frame)))
                if place == t:
                    return self._cache[-1][1]
        except av.FFmpegError as error:
            reason = format_error(error)
        self._close()
        raise self._unreadable(t, reason)

    def _first_frame(self) -> tuple[int | None, UInt8[np.ndarray, "H W 3"]]:
        """Time stamp and pixels of the first frame that comes out."""
        try:
            with opened(self._path) as (container, stream, _):
                for frame in decoded(container, stream):
                    return frame.pts, upright(frame)
        except av.FFmpegError:
            pass
        raise InputError(f"video {self.name!r} has no frame that can be decoded: convert it to mp4 (H.264)")

    def _remarks(self) -> Iterator[Note]:
        yield from self._index.notes
        gaps = np.diff(self.times or [])
        if len(gaps) and gaps.max() > UNEVEN * gaps.min():
            yield Decision.RATE_VARIES.note(shortest=1000 * gaps.min(), longest=1000 * gaps.max())
        promised, ends = self._index.promised_seconds, self.times[-1] if self.times else 0
        if len(gaps) and len(self) == self._index.num_present and promised > ends + gaps.max() + SHORT_BY:
            yield Decision.ENDS_EARLY.note(promised=promised, end=ends)
        if self._index.pixel_shape != 1:
            yield Decision.PIXEL_SHAPE.note(shape=self._index.pixel_shape)

    def _unreadable(self, t: int, reason: str) -> InputError:
        return InputError(
            f"video {self.name!r}: frame {t} of {len(self)} cannot be read ({reason}): replace the file or end it there"
        )
