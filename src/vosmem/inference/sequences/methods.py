"""One way to run a method over a sequence: validation, evaluation and `vosmem segment` share it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence


@runtime_checkable
class Method(Protocol):
    """Whatever segments a video frame by frame; a fresh one is made for each sequence."""

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None, *, absent: Sequence[int] = ()
    ) -> Float[Tensor, "K1 H W"]:
        """Probabilities of the next frame; `absent` are slots that are said to be nowhere in it."""
        ...


class ReadFrame(NamedTuple):
    """What a sequence hands over of one frame.

    Attributes:
        t: its place in the sequence.
        frame: RGB bytes.
        mask: slots, where a mask is given.
        absent: slots that are said to be nowhere in it.
    """

    t: int
    frame: UInt8[Tensor, "3 H W"]
    mask: UInt8[Tensor, "H W"] | None
    absent: tuple[int, ...] = ()


class SegmentedFrame(NamedTuple):
    """What a method said of one frame.

    Attributes:
        t: its place in the sequence.
        frame: RGB bytes, as they were read.
        probs: of background and objects, on the method's device.
        labels: slots 0..K.
        seconds: time inside the method, reading and writing left out; None where nothing was asked of it yet.
        memory_frames: how many frames it was read from; 0 of a method without a memory.
    """

    t: int
    frame: UInt8[Tensor, "3 H W"]
    probs: Float[Tensor, "K1 H W"]
    labels: UInt8[Tensor, "H W"]
    seconds: float | None
    memory_frames: int = 0


def read_frames(sequence: VideoSequence) -> Iterator[ReadFrame]:
    """Decode the frames of a sequence in order, with the masks that the protocol allows and no other."""
    places = range(len(sequence))
    return (ReadFrame(t, sequence.frame(t), sequence.given_mask(t), sequence.absent(t)) for t in places)


def segment_sequence(sequence: VideoSequence, method: Method, device: torch.device) -> Iterator[SegmentedFrame]:
    """Run a method over a sequence, as `segment_frames` does."""
    return segment_frames(read_frames(sequence), method, device)


def segment_frames(frames: Iterable[ReadFrame], method: Method, device: torch.device) -> Iterator[SegmentedFrame]:
    """Run a method over frames. Before the first mask everything is background, and the method is not asked."""
    started = False
    for t, bytes_, mask, absent in frames:
        if mask is None and not started:
            labels = torch.zeros(bytes_.shape[-2:], dtype=torch.uint8)
            yield SegmentedFrame(t, bytes_, torch.ones(1, *labels.shape, device=device), labels, None)
            continue
        started = True
        frame = bytes_.to(device).float() / 255
        start = time.perf_counter()
        probs = method.step(frame, None if mask is None else mask.to(device), absent=absent)
        labels = most_probable(probs).cpu()
        seconds = time.perf_counter() - start
        yield SegmentedFrame(t, bytes_, probs, labels, seconds, len(getattr(method, "memory_frames", ())))


def most_probable(probs: Float[Tensor, "K1 H W"]) -> UInt8[Tensor, "H W"]:
    """The slot of highest probability, the lowest of equals.

    Example:
        >>> most_probable(torch.tensor([[[0.2, 0.5]], [[0.8, 0.5]]])).tolist()
        [[1, 0]]
    """
    return probs.max(dim=0).indices.to(torch.uint8)  # on CPUs ten times as fast as argmax over the first axis
