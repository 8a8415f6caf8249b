"""How much objects vary in a video, for the threshold of an adaptive memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference.propagation.propagator import Propagator
from vosmem.memory.policy import Adaptive, Candidate, MemoryPolicy


@dataclass(frozen=True, kw_only=True)
class _RecordingPolicy(MemoryPolicy):
    """Keeps one frame, so that the network has something to read, and notes every `interval`-th as it saw it."""

    interval: int
    seen: list[Candidate] = field(default_factory=list)
    reads_previous = False
    needs_keys = True

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        if frame.t % self.interval == 0:
            self.seen.append(frame)
        return last is None


def variations_apart(
    look: Callable[[MemoryPolicy], Propagator],
    policy: Adaptive,
    sequence: VideoSequence,
    interval: int,
    device: torch.device,
) -> Iterator[float]:
    """Variation from each `interval`-th frame to the next, as the network sees them where it is told the true masks.

    Frames are counted from the first that has a mask. Pairs of which one has none, or shows no object, are left out.

    Args:
        look: makes what runs the network, with the windows and sizes of the evaluation that the threshold is for; an
            object has to be nowhere but in its mask (`whole_masks`).
        policy: how variation is measured.
        sequence: a video with true masks.
        interval: distance of the frames.
        device: where the network is.

    Raises:
        InputError: the interval is below 1.
    """
    if interval < 1:
        raise InputError(f"interval={interval} is not possible: use 1 or more, such as the 5 of STM's memory")
    noting = _RecordingPolicy(interval=interval)
    propagator = look(noting)
    start = next((t for t in range(len(sequence)) if sequence.labels(t) is not None), len(sequence))
    showing = set()
    frames = list(range(start, len(sequence)))
    for t in frames + frames[-1:]:  # a frame is noted when the next one comes
        labels = sequence.labels(t)
        if labels is not None and labels.any():
            showing.add(t - start)
        propagator.step(sequence.frame(t).to(device).float() / 255, labels)
    for before, now in pairwise(noting.seen):
        if {before.t, now.t} <= showing and now.t - before.t == interval:
            yield policy.variation(now, before)
