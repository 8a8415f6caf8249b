"""Variation of the objects in a video, from which `vosmem calibrate` finds the threshold of an adaptive memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.sequences.methods import ReadFrame, segment_frames
from vosmem.memory.policy import Adaptive, Candidate, MemoryPolicy


@dataclass(frozen=True, kw_only=True)
class _RecordingPolicy(MemoryPolicy):
    """Keeps one frame, so that the network has something to read, and records every `interval`-th candidate."""

    interval: int
    recorded: list[Candidate] = field(default_factory=list)
    reads_previous = False
    needs_keys = True

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        if frame.t % self.interval == 0:
            self.recorded.append(frame)
        return last is None


def variations_apart(
    make_propagator: Callable[[MemoryPolicy], Propagator],
    policy: Adaptive,
    sequence: VideoSequence,
    interval: int,
    device: torch.device,
) -> Iterator[float]:
    """Yield the variation from each `interval`-th frame to the next, with true masks.

    Frames count from the first one with a mask. A pair with a frame without a mask or without an object is left out.
    The propagator needs the window and size of the evaluation that the threshold is for, and `whole_masks`.

    Raises:
        InputError: the interval is below 1.
    """
    if interval < 1:
        raise InputError(f"interval={interval} is not possible: use 1 or more, such as the 5 of STM's memory")
    recording = _RecordingPolicy(interval=interval)
    start = next((t for t in range(len(sequence)) if sequence.labels(t) is not None), len(sequence))
    with_objects = set()

    def frames() -> Iterator[ReadFrame]:
        indices = list(range(start, len(sequence)))
        for t in indices + indices[-1:]:  # a frame becomes a candidate in the step of the next one
            labels = sequence.labels(t)
            if labels is not None and labels.any():
                with_objects.add(t - start)
            yield ReadFrame(t, sequence.frame(t), labels)

    for _ in segment_frames(frames(), make_propagator(recording), device):
        pass
    for last, frame in pairwise(recording.recorded):
        if {last.t, frame.t} <= with_objects and frame.t - last.t == interval:
            yield policy.variation(frame, last)
