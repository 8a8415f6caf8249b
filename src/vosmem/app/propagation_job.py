"""Propagation in a thread of its own, which tells how far it is and can be stopped."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from vosmem.app.results import Results
from vosmem.data.videos import VideoSequence
from vosmem.inference.sequences.confidence import ConfidenceTracker
from vosmem.inference.sequences.directions import Given, given_masks, segment_in_direction
from vosmem.inference.sequences.methods import Method, SegmentedFrame
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import slots_to_ids

SECONDS_BETWEEN = 0.25  # in which a listener hears of the work, at the least


class Progress(NamedTuple):
    """How far the work is.

    Attributes:
        done: steps done; both ways, a frame has two.
        total: steps in all.
        t: the frame that was found last; None where none has been.
    """

    done: int
    total: int
    t: int | None


class VideoSlice(VideoSequence):
    """A video from one of its frames on, after those frames before it of which something is said: they are remembered.

    Attributes:
        places: of its frames in the video.
    """

    def __init__(self, video: UserVideo, start: int, given: Given):
        told = sorted({*given.areas, *given.absent})
        self.places = [*(t for t in told if t < start), *range(start, len(video))]
        self.name, self.video, self.object_ids = video.name, video, video.object_ids
        self.frame_names = [video.frame_names[t] for t in self.places]

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """RGB bytes of a frame."""
        return self.video.frame(self.places[t])

    def labels(self, t: int) -> None:
        """None: what the user gives is no truth to score with."""

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask that is given there."""
        return self.video.given_mask(self.places[t])

    def absent(self, t: int) -> tuple[int, ...]:
        """The slots that are said to be nowhere there."""
        return self.video.absent(self.places[t])


class _Stopped(Exception):
    """Somebody asked for an end."""


class PropagationJob:
    """One propagation. What it finds goes into the results frame by frame, and replaces what was there.

    Forwards, frames before the first mask stay as they are, and backwards those after the last; so do objects that are
    not followed in a frame.

    Args:
        video: with the masks that are given.
        results: where to.
        segmenter: the network.
        short_side: the frames' short side for the network, at most.
        direction: `forward`, `backward` or `both`.
        start: the frame at which it begins; only forwards it can be another than the first.
        spill: a folder that does not exist yet, for a while.
    """

    def __init__(
        self,
        video: UserVideo,
        results: Results,
        segmenter: Segmenter,
        short_side: int | None,
        direction: str,
        start: int,
        spill: Path,
    ):
        self.video, self.results, self.segmenter, self.short_side = video, results, segmenter, short_side
        self.direction, self.start, self.spill = direction, start, spill
        self._stop, self._ended = Event(), Event()
        self._pace = Progress(0, 1, None)

    @property
    def is_over(self) -> bool:
        """Whether nothing is done any more, even if nobody listened to the end."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for the end, so long at the most."""
        self._ended.wait(seconds)

    def stop(self) -> None:
        """Ask for an end, which comes with the frame that is under way; what is found stays."""
        self._stop.set()

    def run(self) -> Iterator[Progress]:
        """Do the work; says every now and then how far it is. Closing the iterator stops it.

        Raises:
            InputError: a frame cannot be read.
            OSError: a mask could not be written.
        """
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="propagation") as pool:
                task = pool.submit(self._work)
                try:
                    while wait([task], SECONDS_BETWEEN).not_done:
                        yield self._pace
                finally:
                    self._stop.set()
                task.result()
                yield self._pace
        finally:
            self._ended.set()  # also where no thread could be started

    def _work(self) -> None:
        try:
            self._segment()
        finally:
            self._ended.set()

    def _segment(self) -> None:
        given = given_masks(self.video)
        excerpt = VideoSlice(self.video, self.start, given)
        passes = 1 if self.direction == "forward" else 2
        total = passes * len(excerpt)
        tracker = ConfidenceTracker(given.first_areas())

        def tell(done: int, t: int | None = None) -> None:
            self._pace = Progress(done, total, t)
            if self._stop.is_set():
                raise _Stopped

        with self.segmenter.context():
            frames = segment_in_direction(
                excerpt,
                self._make,
                self.segmenter.engine.device,
                self.direction,
                given_masks(excerpt),
                self.spill,
                tell,
            )
            try:
                for segmented in frames:
                    t = excerpt.places[segmented.t]
                    if t >= self.start:
                        self._keep(t, segmented, tracker, given.followed(t, self.direction))
                    tell((passes - 1) * len(excerpt) + segmented.t + 1, t)
            except _Stopped:
                pass
            finally:
                frames.close()

    def _make(self) -> Method:
        return self.segmenter.propagator(short_side=self.short_side, whole_masks=True)

    def _keep(self, t: int, segmented: SegmentedFrame, tracker: ConfidenceTracker, followed: dict[int, bool]) -> None:
        if not followed:
            return
        ids = slots_to_ids(segmented.labels.numpy(), self.video.object_ids).astype(np.uint16)
        before = self.results.ids(t)
        if before is not None:
            others = [number for slot, number in enumerate(self.video.object_ids, start=1) if slot not in followed]
            ids = np.where((ids == 0) & np.isin(before, others), before, ids)
        rows = tracker.update(t, segmented.probs, segmented.labels, followed)
        self.results.put(t, ids)
        self.results.note(t, rows, self.video.object_ids, segmented.memory_frames)
