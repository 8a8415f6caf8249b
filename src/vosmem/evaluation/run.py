"""One way to run a method over a sequence, used by validation and by evaluation alike."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.metrics.davis import FrameScorer, ObjectScore, SequenceScorer, score_frame


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
        probs: of background and objects, on the method's device.
        labels: slots 0..K.
        seconds: time inside the method, reading and writing left out; None where nothing was asked of it yet.
    """

    t: int
    probs: Float[Tensor, "K1 H W"]
    labels: UInt8[Tensor, "H W"]
    seconds: float | None


@dataclass
class SequenceRun:
    """What came out of a sequence.

    Attributes:
        scores: of every object, by its id on disk.
        num_frames: frames of the video.
        masks_used: the frames whose masks the method was given.
        groups: for ids that the protocol tells apart, the group; keys are strings, as in JSON.
        seconds: how long the method took for each frame after the first given one.
        peak_memory_bytes: most that the method remembered at a time.
    """

    scores: list[ObjectScore]
    num_frames: int
    masks_used: list[str]
    groups: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    peak_memory_bytes: int = 0


Writer = Callable[[VideoSequence, SegmentedFrame], None]


def segment_sequence(sequence: VideoSequence, method: Method, device: torch.device) -> Iterator[SegmentedFrame]:
    """Run a method over a sequence, giving it the masks that the protocol allows and no other.

    Before the first mask is given everything is background, and the method is not asked.
    """
    started = False
    for t in range(len(sequence)):
        frame = sequence.frame(t).to(device).float() / 255
        mask = sequence.given_mask(t)
        if mask is None and not started:
            probs = frame.new_ones(1, *frame.shape[-2:])
            yield SegmentedFrame(t, probs, torch.zeros(frame.shape[-2:], dtype=torch.uint8), None)
            continue
        started = True
        start = time.perf_counter()
        probs = method.step(frame, None if mask is None else mask.to(device))
        labels = probs.argmax(dim=0).to(torch.uint8).cpu()
        yield SegmentedFrame(t, probs, labels, time.perf_counter() - start)


def evaluate_sequence(
    sequence: VideoSequence,
    method: Method,
    device: torch.device,
    write: Writer | None = None,
    score: FrameScorer = score_frame,
) -> SequenceRun:
    """Segment and score a sequence in one pass; of the video only the current frame is in memory.

    Frames without ground truth are segmented and not scored. An object counts from the frame after the one with its
    mask; the last frame does not count where the sequence says so.

    Args:
        sequence: the video.
        method: what segments it, fresh.
        device: where the method works.
        write: is given every frame that the protocol asks for.
        score: what scores a frame.
    """
    given_at = sequence.given_at
    scorer = SequenceScorer(sequence.name, range(1, len(given_at) + 1), score)
    run = SequenceRun([], len(sequence), [sequence.frame_names[t] for t in sorted(set(given_at))])
    run.groups = {str(object_id): group for object_id, group in sequence.groups.items()}
    last = len(sequence) - 1 if sequence.exclude_last else len(sequence)
    for segmented in segment_sequence(sequence, method, device):
        t = segmented.t
        if write is not None and sequence.asks_for(t):
            write(sequence, segmented)
        counted = [slot for slot, at in enumerate(given_at, start=1) if at < t < last]
        truth = sequence.labels(t) if counted else None
        if truth is not None:
            scorer.update(truth.numpy(), segmented.labels.numpy(), counted)
        if t > min(given_at) and segmented.seconds is not None:
            run.seconds.append(segmented.seconds)
        run.peak_memory_bytes = max(run.peak_memory_bytes, getattr(method, "memory_bytes", 0))
    run.scores = [
        own._replace(object_id=object_id) for own, object_id in zip(scorer.result(), sequence.object_ids, strict=True)
    ]
    return run
