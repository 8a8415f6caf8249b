"""Segmentation of a video forward, backward, or in both directions."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference.engine.background import BackgroundWriter, prefetch
from vosmem.inference.output.mask_writer import write_probabilities
from vosmem.inference.sequences.methods import (
    Method,
    ReadFrame,
    ResumableMethod,
    SegmentedFrame,
    most_probable,
    read_frames,
    segment_frames,
)

DIRECTIONS = ("forward", "backward", "both")


@dataclass(frozen=True)
class Given:
    """The given masks of a video, indexed by object."""

    areas: Mapping[int, Mapping[int, int]]  # for each frame with a mask, the number of pixels of each slot
    absent: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # for each frame, slots marked as not visible

    def before(self, t: int, slot: int) -> int | None:
        """Return the distance to the last frame up to t in which the slot is given or absent; None without one."""
        frames = self._frames_of.get(slot, [])
        index = bisect_right(frames, t)
        return t - frames[index - 1] if index else None

    def after(self, t: int, slot: int) -> int | None:
        """Return the distance to the next frame from t on in which the slot is given or absent; None without one."""
        frames = self._frames_of.get(slot, [])
        index = bisect_left(frames, t)
        return frames[index] - t if index < len(frames) else None

    def followed(self, t: int, direction: str) -> dict[int, bool]:
        """Return the slots that are followed in frame t, each with whether it is given or absent in that frame."""
        return {
            slot: self.before(t, slot) == 0
            for slot, (first, last) in sorted(self._spans.items())
            if direction == "both" or (first <= t if direction == "forward" else last >= t)
        }

    def first_areas(self) -> dict[int, int]:
        """Return the number of pixels in the first mask of each slot."""
        return {slot: self.areas[first][slot] for slot, (first, _) in self._spans.items()}

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        """First and last frame with a mask of each slot."""
        spans: dict[int, tuple[int, int]] = {}
        for t in sorted(self.areas):
            for slot in self.areas[t]:
                spans[slot] = (spans.get(slot, (t, t))[0], t)
        return spans

    @cached_property
    def _frames_of(self) -> dict[int, list[int]]:
        """Ascending frames in which each slot is given or absent."""
        frames: dict[int, list[int]] = {}
        for t in sorted({*self.areas, *self.absent}):
            for slot in {*self.areas.get(t, ()), *self.absent.get(t, ())}:
                frames.setdefault(slot, []).append(t)
        return frames


def given_masks(sequence: VideoSequence) -> Given:
    """Collect the given masks of a video without decoding its frames."""
    areas: dict[int, Mapping[int, int]] = {}
    for t in range(len(sequence)):
        mask = sequence.given_mask(t)
        if mask is not None:
            counts = np.bincount(mask.numpy().ravel(), minlength=2)
            areas[t] = {int(slot): int(counts[slot]) for slot in np.flatnonzero(counts) if slot}
    return Given(areas, {t: slots for t in range(len(sequence)) if (slots := sequence.absent(t))})


class DirectedPropagation:
    """Segments a video forward, backward or in both directions. A thread decodes ahead of the network.

    Forward, an object is followed from its first mask on; backward, from its last mask to the first frame. In both
    directions it is followed everywhere: between two of its masks the two estimates are averaged, weighted by the
    distances to the masks. Frames without a followed object are background.

    Args:
        sequence: the video.
        make_method: makes a new method for each pass.
        device: device of the method.
        direction: `forward`, `backward` or `both`.
        given: result of `given_masks`.
        spill: a folder for the probabilities of the backward pass, in 255ths. The caller deletes it.
        on_pass: called with the number of frames that the backward pass has segmented.

    Raises:
        InputError: the direction is unknown.
    """

    def __init__(
        self,
        sequence: VideoSequence,
        make_method: Callable[[], Method],
        device: torch.device,
        direction: str,
        given: Given,
        spill: Path,
        on_pass: Callable[[int], None] = lambda num_frames: None,
    ):
        if direction not in DIRECTIONS:
            raise InputError(f"direction={direction!r} is unknown: use {', '.join(DIRECTIONS)}")
        self.sequence, self.make_method, self.device, self.direction = sequence, make_method, device, direction
        self.given, self.on_pass = given, on_pass
        self._backward = _BackwardPass(spill, len(sequence.object_ids), {})
        self._writer: BackgroundWriter | None = None  # of the backward pass while it runs
        self._num_backward = 0  # frames that the backward pass has segmented
        self._method: Method | None = None  # of the pass that runs
        self.next_frame = 0

    def frames(self) -> Generator[SegmentedFrame, None, None]:
        """Segment the video, or the rest of it after `load_state_dict`, and yield its frames in order."""
        if self.direction != "forward":
            self._run_backward()
        frames = prefetch(read_frames(self.sequence, self.next_frame))
        if self.direction == "backward":
            segmented_frames = self._spilled(frames)
        else:
            self._method = self._method or self.make_method()
            started = any(t < self.next_frame for t in self.given.areas)
            segmented_frames = segment_frames(frames, self._method, self.device, started)
            if self.direction == "both":
                segmented_frames = _both(segmented_frames, self.sequence, self.given, self._backward)
        for segmented in segmented_frames:
            self.next_frame = segmented.t + 1
            yield segmented

    def state_dict(self) -> dict[str, Any]:
        """Return what the next frames depend on besides the spilled files, as tensors and plain values.

        It can be called between two frames, and in `on_pass`. The methods have to be resumable.
        """
        if self._writer is not None:
            self._writer.flush()
        assert self._method is None or isinstance(self._method, ResumableMethod)
        return {
            "num_backward": self._num_backward,
            "details": dict(self._backward.details),
            "next_frame": self.next_frame,
            "method": None if self._method is None else self._method.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the frame of a state."""
        self._num_backward, self.next_frame = state["num_backward"], state["next_frame"]
        self._backward.details.update(state["details"])
        if state["method"] is not None:
            self._method = self.make_method()
            assert isinstance(self._method, ResumableMethod)
            self._method.load_state_dict(state["method"])

    def _run_backward(self) -> None:
        """Run the rest of the backward pass."""
        backward, start = _Reversed(self.sequence, self.given), self._num_backward
        if start == len(backward):
            return
        method = self._method = self._method or self.make_method()
        frames = prefetch(read_frames(backward, start))
        with BackgroundWriter() as self._writer:
            for segmented in segment_frames(frames, method, self.device, started=start > 0):
                t, probs = backward.last - segmented.t, segmented.probs.float().cpu().numpy()
                self._writer.submit(write_probabilities, self._backward.path(t), probs, backward.slots)
                self._backward.details[t] = segmented.seconds, segmented.memory_frames
                self._num_backward = segmented.t + 1
                if self._num_backward == len(backward):
                    self._method = None  # the next pass has a method of its own
                self.on_pass(self._num_backward)
        self._writer = None

    def _spilled(self, frames: Iterator[ReadFrame]) -> Iterator[SegmentedFrame]:
        for t, frame, *_ in frames:
            probs = self._backward.read(t, frame.shape[-2:]).to(self.device)
            details = self._backward.details.get(t, (None, 0))
            yield SegmentedFrame(t, frame, probs, most_probable(probs).cpu(), *details)


class _Reversed(VideoSequence):
    """A video from its last given mask back to its first frame; slots are in the order of their appearance there."""

    def __init__(self, sequence: VideoSequence, given: Given):
        self.name, self.sequence, self.last = sequence.name, sequence, max(given.areas)
        self.frame_names = list(sequence.frame_names[self.last :: -1])
        self.slots = list(dict.fromkeys(k for t in sorted(given.areas, reverse=True) for k in sorted(given.areas[t])))
        self.object_ids = tuple(sequence.object_ids[slot - 1] for slot in self.slots)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return self.sequence.frame(self.last - t)

    def labels(self, t: int) -> None:
        return None

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        mask = self.sequence.given_mask(self.last - t)
        if mask is None:
            return None
        table = torch.zeros(256, dtype=torch.uint8)
        table[self.slots] = torch.arange(1, len(self.slots) + 1, dtype=torch.uint8)
        return table[mask.long()]

    def absent(self, t: int) -> tuple[int, ...]:
        return tuple(self.slots.index(slot) + 1 for slot in self.sequence.absent(self.last - t))


class _BackwardPass(NamedTuple):
    """Results of the backward pass: probabilities on disk, and seconds and memory frames of each frame."""

    folder: Path
    num_objects: int
    details: dict[int, tuple[float | None, int]]

    def path(self, t: int) -> Path:
        return self.folder / f"{t}.npz"

    def read(self, t: int, size: torch.Size) -> Float[Tensor, "K1 H W"]:
        """Read the probabilities of background and all slots; they are 0 for slots not yet followed."""
        probs = torch.zeros(self.num_objects + 1, *size)
        if t not in self.details:
            probs[0] = 1
            return probs
        with np.load(self.path(t)) as spilled:
            probs[spilled["ids"].tolist()] = torch.from_numpy(spilled["probs"]).float()
        return probs / probs.sum(dim=0)


def _both(
    frames: Iterator[SegmentedFrame], sequence: VideoSequence, given: Given, backward: _BackwardPass
) -> Iterator[SegmentedFrame]:
    slots = range(1, len(sequence.object_ids) + 1)
    for segmented in frames:
        t, forward = segmented.t, segmented.probs.float()
        missing = len(slots) + 1 - len(forward)
        forward = torch.cat([forward, forward.new_zeros(missing, *forward.shape[1:])])
        shares = [_share_of_forward(given.before(t, slot), given.after(t, slot)) for slot in slots]
        other = backward.read(t, forward.shape[-2:]).to(forward.device)
        probs = average(forward, other, torch.tensor(shares, device=forward.device))
        seconds = [s for s in (segmented.seconds, backward.details.get(t, (None, 0))[0]) if s is not None]
        yield segmented._replace(probs=probs, labels=most_probable(probs).cpu(), seconds=sum(seconds) or None)


def _share_of_forward(before: int | None, after: int | None) -> float:
    """Weight the forward estimate of an object by the distances to its masks."""
    if before is None or after is None:
        return float(before is not None)
    return 0.5 if before + after == 0 else after / (before + after)


def average(
    one: Float[Tensor, "K1 H W"], other: Float[Tensor, "K1 H W"], shares: Float[Tensor, "K"]
) -> Float[Tensor, "K1 H W"]:
    """Average two distributions over background and objects, with a weight for each object.

    Background gets the rest. With equal weights this is the weighted mean; an object that only one distribution knows
    can keep that estimate.

    Example:
        >>> one, other = torch.tensor([[[0.25]], [[0.75]]]), torch.tensor([[[0.75]], [[0.25]]])
        >>> average(one, other, torch.tensor([0.75])).flatten().tolist()
        [0.375, 0.625]
    """
    weights = shares[:, None, None]
    objects = weights * one[1:] + (1 - weights) * other[1:]
    background = (1 - objects.sum(dim=0, keepdim=True)).clamp(min=0)
    probs = torch.cat([background, objects])
    return probs / probs.sum(dim=0)
