"""One way to run a method over a sequence: validation, evaluation and `vosmem segment` share it."""

import time
from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence


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
