"""A propagation in a thread of its own, which reports progress and can be stopped."""

import shutil
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
from vosmem.inference.engine.out_of_memory import advice_on_memory
from vosmem.inference.sequences.confidence import ConfidenceTracker
from vosmem.inference.sequences.directions import DirectedPropagation, Given, given_masks
from vosmem.inference.sequences.methods import Method, SegmentedFrame
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import slots_to_ids

REPORT_SECONDS = 0.25  # between reports of progress
MEMORY_ADVICE = "try again when others have finished, mark fewer objects, or start the page with a smaller --size"


class Progress(NamedTuple):
    """Progress of a propagation."""

    done: int  # steps; in both directions a frame has two
    total: int
    t: int | None  # index of the last segmented frame


class VideoSlice(VideoSequence):
    """A video from frame `start` on, after the earlier frames that have a given mask and have to be memorised.

    `indices` are those of the slice's frames in the video.
    """

    def __init__(self, video: UserVideo, start: int, given: Given):
        earlier = sorted(t for t in {*given.areas, *given.absent} if t < start)
        self.indices = [*earlier, *range(start, len(video))]
        self.name, self.video, self.object_ids = video.name, video, video.object_ids
        self.frame_names = [video.frame_names[t] for t in self.indices]

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return self.video.frame(self.indices[t])

    def labels(self, t: int) -> None:
        """None: given masks are not ground truth."""

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        return self.video.given_mask(self.indices[t])

    def absent(self, t: int) -> tuple[int, ...]:
        return self.video.absent(self.indices[t])


class _Stopped(Exception):
    """The job was stopped."""


class PropagationJob:
    """One propagation, which writes the results frame by frame.

    Frames before the first mask (forward) or after the last (backward) keep their results, and so do objects that are
    not propagated to a frame. A `start` other than 0 requires `forward`; `spill` is a temporary folder that must not
    exist.
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
        self._progress = Progress(0, 1, None)

    @property
    def has_ended(self) -> bool:
        """Whether the thread has ended, even if `run` was not consumed to its end."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> None:
        """Wait at most `seconds` for the end."""
        self._ended.wait(seconds)

    def stop(self) -> None:
        """Stop after the current frame; results are kept."""
        self._stop.set()

    def run(self) -> Iterator[Progress]:
        """Run the job and report progress. Closing the iterator stops the job.

        Raises `InputError` if a frame cannot be read or memory runs out, and `OSError` if a mask could not be written.
        """
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="propagation") as pool:
                task = pool.submit(self._run_in_thread)
                try:
                    while wait([task], REPORT_SECONDS).not_done:
                        yield self._progress
                finally:
                    self._stop.set()
                task.result()
                yield self._progress
        finally:
            self._ended.set()  # also if the thread could not be started

    def _run_in_thread(self) -> None:
        try:
            with advice_on_memory(MEMORY_ADVICE):
                self._segment()
        except _Stopped:
            pass
        finally:
            self._ended.set()

    def _segment(self) -> None:
        given = given_masks(self.video)
        video = VideoSlice(self.video, self.start, given)
        before = 0 if self.direction == "forward" else len(video)  # steps of the backward pass
        tracker = ConfidenceTracker(given.first_areas())

        def report(done: int, t: int | None = None) -> None:
            self._progress = Progress(done, before + len(video), t)
            if self._stop.is_set():
                raise _Stopped

        def make_method() -> Method:
            return self.segmenter.propagator(short_side=self.short_side, whole_masks=True)

        device = self.segmenter.engine.device
        with self.segmenter.context():
            propagation = DirectedPropagation(
                video, make_method, device, self.direction, given_masks(video), self.spill, report
            )
            frames = propagation.frames()
            try:
                for segmented in frames:
                    t = video.indices[segmented.t]
                    if t >= self.start:
                        self._store(t, segmented, tracker, given.followed(t, self.direction))
                    report(before + segmented.t + 1, t)
            finally:
                frames.close()
                shutil.rmtree(self.spill, ignore_errors=True)

    def _store(self, t: int, segmented: SegmentedFrame, tracker: ConfidenceTracker, followed: dict[int, bool]) -> None:
        """Store the result of frame t; objects that are not followed there keep their earlier mask."""
        if not followed:
            return
        ids = slots_to_ids(segmented.labels.numpy(), self.video.object_ids).astype(np.uint16)
        earlier = self.results.ids(t)
        if earlier is not None:
            others = [number for slot, number in enumerate(self.video.object_ids, start=1) if slot not in followed]
            ids = np.where((ids == 0) & np.isin(earlier, others), earlier, ids)
        rows = tracker.update(t, segmented.probs, segmented.labels, followed)
        self.results.set_mask(t, ids)
        self.results.set_confidence(t, rows, self.video.object_ids, segmented.memory_frames)
