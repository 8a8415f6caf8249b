"""The loop that runs a method over a sequence: validation, evaluation, `vosmem segment` and the traces share it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence


@runtime_checkable
class Method(Protocol):
    """A method that segments one video frame by frame."""

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None, *, absent: Sequence[int] = ()
    ) -> Float[Tensor, "K1 H W"]:
        """Return probabilities of the next frame; `absent` are slots that are marked as not visible in it."""
        ...


@runtime_checkable
class ResumableMethod(Method, Protocol):
    """A method whose state can be saved between two frames, and loaded by a new method that continues."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the next frames depend on, as tensors and plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the frame of a state."""
        ...


class ReadFrame(NamedTuple):
    """A decoded frame of a sequence, with given slots, and slots that are marked as not visible."""

    t: int
    frame: UInt8[Tensor, "3 H W"]
    mask: UInt8[Tensor, "H W"] | None
    absent: tuple[int, ...] = ()


class SegmentedFrame(NamedTuple):
    """The result of a method for one frame."""

    t: int  # frame index
    frame: UInt8[Tensor, "3 H W"]  # RGB bytes, as decoded
    probs: Float[Tensor, "K1 H W"]  # probabilities of background and objects, on the method's device
    labels: UInt8[Tensor, "H W"]  # slots 0..K
    seconds: float | None  # time inside the method, without reading and writing; None before the first mask
    memory_frames: int = 0  # number of frames in memory that it read; 0 for a method without a memory


def read_frames(sequence: VideoSequence, start: int = 0) -> Iterator[ReadFrame]:
    """Decode the frames of a sequence in order from `start` on, with the masks that its protocol gives."""
    indices = range(start, len(sequence))
    return (ReadFrame(t, sequence.frame(t), sequence.given_mask(t), sequence.absent(t)) for t in indices)


def segment_sequence(sequence: VideoSequence, method: Method, device: torch.device) -> Iterator[SegmentedFrame]:
    """Run a method over a sequence; see `segment_frames`."""
    return segment_frames(read_frames(sequence), method, device)


def segment_frames(
    frames: Iterable[ReadFrame], method: Method, device: torch.device, started: bool = False
) -> Iterator[SegmentedFrame]:
    """Run a method over frames. Frames before the first mask are background, and do not reach the method.

    `started` is true if the method has reached the first mask in earlier frames.
    """
    for t, bytes_, mask, absent in frames:
        if mask is None and not started:
            labels = torch.zeros(bytes_.shape[-2:], dtype=torch.uint8)
            yield SegmentedFrame(t, bytes_, torch.ones(1, *labels.shape, device=device), labels, None)
            continue
        started = True
        frame = _upload(bytes_, device).float() / 255
        start = time.perf_counter()
        probs = method.step(frame, None if mask is None else _upload(mask, device), absent=absent)
        labels = most_probable(probs).cpu()
        seconds = time.perf_counter() - start
        yield SegmentedFrame(t, bytes_, probs, labels, seconds, len(getattr(method, "memory_frames", ())))


def _upload(image: UInt8[Tensor, "*S"], device: torch.device) -> UInt8[Tensor, "*S"]:
    """Copy to the device; to a GPU from pinned memory, so that the copy overlaps with its work."""
    return image.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else image.to(device)


def most_probable(probs: Float[Tensor, "K1 H W"]) -> UInt8[Tensor, "H W"]:
    """Return the slot of the highest probability, the lowest slot for equal ones.

    Example:
        >>> most_probable(torch.tensor([[[0.2, 0.5]], [[0.8, 0.5]]])).tolist()
        [[1, 0]]
    """
    return probs.max(dim=0).indices.to(torch.uint8)  # on CPUs ten times as fast as argmax over the first axis
