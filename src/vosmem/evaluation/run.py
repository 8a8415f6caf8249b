"""Run a method over a sequence and score it, for validation and evaluation."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.inference.engine.background import prefetch
from vosmem.inference.sequences.methods import Method, ReadFrame, SegmentedFrame, read_frames, segment_frames
from vosmem.metrics.davis import ObjectScore, SequenceScorer
from vosmem.metrics.registry import METRICS, FrameMetric


@dataclass
class SequenceRun:
    """Results of a sequence."""

    scores: list[ObjectScore]  # of every object, with its id on disk
    num_frames: int  # frames of the video
    masks_used: list[str]  # names of the frames whose masks the method was given
    # Group of the protocol by object id; ids are strings, as in JSON
    groups: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)  # time of the method for each frame after the first given one
    peak_memory_bytes: int = 0  # largest size of the memory
    # For each frame after the first given one, the number of memory frames that it was read from
    memory_frames: list[int] = field(default_factory=list)
    num_kept: int = 0  # number of memorised frames, including evicted ones


Writer = Callable[[VideoSequence, SegmentedFrame], None]


def evaluate_sequence(
    sequence: VideoSequence,
    method: Method,
    device: torch.device,
    write: Writer | None = None,
    metrics: Mapping[str, FrameMetric] = METRICS,
) -> SequenceRun:
    """Segment and score a sequence in one pass that holds only a few frames in memory.

    Frames without ground truth are segmented but not scored. An object counts from the frame after its first mask; the
    last frame is left out where the sequence has `exclude_last`.

    The method is a new instance; `write` is called with every frame that the protocol asks for.
    """
    given_at = sequence.given_at
    scorer = SequenceScorer(sequence.name, range(1, len(given_at) + 1), metrics)
    run = SequenceRun([], len(sequence), [sequence.frame_names[t] for t in sorted(set(given_at))])
    run.groups = {str(object_id): group for object_id, group in sequence.groups.items()}
    last = len(sequence) - 1 if sequence.exclude_last else len(sequence)
    truths: deque[UInt8[Tensor, "H W"] | None] = deque()  # of frames that are read but not yet segmented

    def counted(t: int) -> list[int]:
        return [slot for slot, at in enumerate(given_at, start=1) if at < t < last]

    def read() -> Iterator[ReadFrame]:
        """Read frame and truth in one thread, since a rendered sequence caches its latest frame for the labels."""
        for frame in read_frames(sequence):
            truths.append(sequence.labels(frame.t) if counted(frame.t) else None)
            yield frame

    for segmented in segment_frames(prefetch(read()), method, device):
        t, truth = segmented.t, truths.popleft()
        if write is not None and sequence.asks_for(t):
            write(sequence, segmented)
        if truth is not None:
            scorer.update(truth.numpy(), segmented.labels.numpy(), counted(t))
        if t > min(given_at) and segmented.seconds is not None:
            run.seconds.append(segmented.seconds)
            run.memory_frames.append(segmented.memory_frames)
        run.peak_memory_bytes = max(run.peak_memory_bytes, getattr(method, "memory_bytes", 0))
    run.num_kept = getattr(method, "num_kept", 0)
    run.scores = [
        own._replace(object_id=object_id) for own, object_id in zip(scorer.result(), sequence.object_ids, strict=True)
    ]
    return run
