"""One way to run a method over a sequence, used by validation and by evaluation alike."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.metrics.davis import ObjectScore, SequenceScorer
from vosmem.ops.masks import slots_to_ids


@runtime_checkable
class Method(Protocol):
    """Whatever segments a video frame by frame; a fresh one is made for each sequence."""

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None
    ) -> Float[Tensor, "K1 H W"]:
        """Probabilities of the next frame."""
        ...


class SegmentedFrame(NamedTuple):
    """What a method said of one frame.

    Attributes:
        t: its place in the sequence.
        labels: slots 0..K.
        seconds: time inside the method, reading and writing left out.
    """

    t: int
    labels: UInt8[Tensor, "H W"]
    seconds: float


@dataclass
class SequenceRun:
    """What came out of a sequence: scores, and how long the method took for each frame after the first."""

    scores: list[ObjectScore]
    num_frames: int
    masks_used: list[str]
    seconds: list[float] = field(default_factory=list)
    peak_memory_bytes: int = 0


Writer = Callable[[str, str, UInt8[np.ndarray, "H W"]], None]  # sequence, frame name, ids


def segment_sequence(sequence: VideoSequence, method: Method, device: torch.device) -> Iterator[SegmentedFrame]:
    """Run a method over a sequence, giving it the masks that the protocol allows and no other."""
    for t in range(len(sequence)):
        frame = sequence.frame(t).to(device).float() / 255
        mask = sequence.given_mask(t)
        start = time.perf_counter()
        labels = method.step(frame, None if mask is None else mask.to(device)).argmax(dim=0).to(torch.uint8).cpu()
        yield SegmentedFrame(t, labels, time.perf_counter() - start)


def evaluate_sequence(
    sequence: VideoSequence, method: Method, device: torch.device, write: Writer | None = None
) -> SequenceRun:
    """Segment and score a sequence in one pass; of the video only the current frame is in memory.

    Frames without ground truth are segmented and not scored; the first frame never is, the last one where the
    sequence says so.
    """
    scorer = SequenceScorer(sequence.name, range(1, len(sequence.object_ids) + 1))
    masks_used = [sequence.frame_names[t] for t in range(len(sequence)) if sequence.given_mask(t) is not None]
    run = SequenceRun([], len(sequence), masks_used)
    last = len(sequence) - 1 if sequence.exclude_last else len(sequence)
    for t, labels, seconds in segment_sequence(sequence, method, device):
        if write is not None:
            write(sequence.name, sequence.frame_names[t], slots_to_ids(labels.numpy(), sequence.object_ids))
        truth = sequence.labels(t) if 0 < t < last else None
        if truth is not None:
            scorer.update(truth.numpy(), labels.numpy())
        if t > 0:
            run.seconds.append(seconds)
        bank = getattr(method, "bank", None)
        run.peak_memory_bytes = max(run.peak_memory_bytes, 0 if bank is None else bank.nbytes())
    run.scores = [
        score._replace(object_id=object_id)
        for score, object_id in zip(scorer.result(), sequence.object_ids, strict=True)
    ]
    return run
