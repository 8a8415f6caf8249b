"""Segmenting a video forwards, backwards, or both ways at once."""

import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference.engine.background import BackgroundWriter, prefetch
from vosmem.inference.output.mask_writer import write_probabilities
from vosmem.inference.sequences.methods import Method, SegmentedFrame, most_probable, read_frames, segment_frames

DIRECTIONS = ("forward", "backward", "both")


@dataclass(frozen=True)
class Given:
    """The masks of a video that are given. Each question takes the logarithm of their number.

    Attributes:
        areas: for each frame with a mask, the pixels of each slot in it.
        absent: for each frame in which slots are said to be nowhere, these.
    """

    areas: Mapping[int, Mapping[int, int]]
    absent: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def before(self, t: int, slot: int) -> int | None:
        """Frames back to the last one, t itself among them, where it is given where the slot is; None without one."""
        frames = self._frames_of.get(slot, [])
        index = bisect_right(frames, t)
        return t - frames[index - 1] if index else None

    def after(self, t: int, slot: int) -> int | None:
        """Frames ahead to the next one, t itself among them, where it is given where the slot is; None without one."""
        frames = self._frames_of.get(slot, [])
        index = bisect_left(frames, t)
        return frames[index] - t if index < len(frames) else None

    def followed(self, t: int, direction: str) -> dict[int, bool]:
        """The slots that are followed in frame t, and whether it is given where they are there."""
        known = {
            slot: direction == "both" or (first <= t if direction == "forward" else last >= t)
            for slot, (first, last) in self._spans.items()
        }
        return {slot: self.before(t, slot) == 0 for slot in sorted(known) if known[slot]}

    def first_areas(self) -> dict[int, int]:
        """Pixels of the first mask of each slot."""
        return {slot: self.areas[first][slot] for slot, (first, _) in self._spans.items()}

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        """The first and the last frame with a mask of each slot."""
        found: dict[int, tuple[int, int]] = {}
        for t in sorted(self.areas):
            for slot in self.areas[t]:
                found[slot] = (found.get(slot, (t, t))[0], t)
        return found

    @cached_property
    def _frames_of(self) -> dict[int, list[int]]:
        """For each slot the frames, ascending, with a mask of it or in which it is said to be nowhere."""
        found: dict[int, list[int]] = {}
        for t in sorted({*self.areas, *self.absent}):
            for slot in {*self.areas.get(t, ()), *self.absent.get(t, ())}:
                found.setdefault(slot, []).append(t)
        return found


def given_masks(sequence: VideoSequence) -> Given:
    """Find the given masks of a video; none of its frames is decoded."""
    areas: dict[int, Mapping[int, int]] = {}
    for t in range(len(sequence)):
        mask = sequence.given_mask(t)
        if mask is not None:
            counts = np.bincount(mask.numpy().ravel(), minlength=2)
            areas[t] = {int(slot): int(counts[slot]) for slot in np.flatnonzero(counts) if slot}
    absent = {t: slots for t in range(len(sequence)) if (slots := sequence.absent(t))}
    return Given(areas, absent)


def segment_in_direction(
    sequence: VideoSequence,
    make_method: Callable[[], Method],
    device: torch.device,
    direction: str,
    given: Given,
    spill: Path,
    on_pass: Callable[[int], None] = lambda done: None,
) -> Generator[SegmentedFrame, None, None]:
    """Segment a video; frames come in their order whatever the direction. Decoding goes on beside the network.

    Forwards, an object is followed from its first mask on; backwards, from its last mask to the first frame. Both ways,
    it is followed everywhere, and between two of its masks the two estimates are averaged, weighted by how close the
    mask is that each comes from. Frames where no object is followed are background.

    Args:
        sequence: the video.
        make_method: makes a fresh method for each pass.
        device: where the method works.
        direction: `forward`, `backward` or `both`.
        given: the masks of the video, as `given_masks` finds them.
        spill: a folder that does not exist yet. The backward pass keeps its probabilities there, in 255ths, until the
            video is done or the iterator is closed.
        on_pass: told how many frames of the backward pass are done, before the first frame comes out.

    Raises:
        InputError: the direction is unknown.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"direction={direction!r} is unknown: use {', '.join(DIRECTIONS)}")
    if direction == "forward":
        yield from segment_frames(prefetch(read_frames(sequence)), make_method(), device)
        return
    try:
        past = _backward_pass(sequence, make_method(), device, given, spill, on_pass)
        frames = prefetch(read_frames(sequence))
        if direction == "both":
            yield from _both(segment_frames(frames, make_method(), device), sequence, given, past)
        else:
            for t, frame, *_ in frames:
                probs = past.read(t, frame.shape[-2:]).to(device)
                yield SegmentedFrame(t, frame, probs, most_probable(probs).cpu(), *past.about.get(t, (None, 0)))
    finally:
        shutil.rmtree(spill, ignore_errors=True)


class _Reversed(VideoSequence):
    """A video from its last given mask back to its first frame; its slots stand in the order in which they come."""

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


class _Past(NamedTuple):
    """What the backward pass said: probabilities on disk, and of each frame its seconds and memory frames."""

    folder: Path
    num_objects: int
    about: dict[int, tuple[float | None, int]]

    def path(self, t: int) -> Path:
        return self.folder / f"{t}.npz"

    def read(self, t: int, size: torch.Size) -> Float[Tensor, "K1 H W"]:
        """Of background and all slots; those that were not followed yet are 0."""
        probs = torch.zeros(self.num_objects + 1, *size)
        if t not in self.about:
            probs[0] = 1
            return probs
        with np.load(self.path(t)) as spilled:
            probs[spilled["ids"].tolist()] = torch.from_numpy(spilled["probs"]).float()
        self.path(t).unlink()
        return probs / probs.sum(dim=0)


def _backward_pass(
    sequence: VideoSequence,
    method: Method,
    device: torch.device,
    given: Given,
    spill: Path,
    on_pass: Callable[[int], None],
) -> _Past:
    turned = _Reversed(sequence, given)
    past = _Past(spill, len(sequence.object_ids), {})
    with BackgroundWriter() as behind:
        for segmented in segment_frames(prefetch(read_frames(turned)), method, device):
            t = turned.last - segmented.t
            behind.submit(write_probabilities, past.path(t), segmented.probs.float().cpu().numpy(), turned.slots)
            past.about[t] = segmented.seconds, segmented.memory_frames
            on_pass(segmented.t + 1)
    return past


def _both(
    frames: Iterator[SegmentedFrame], sequence: VideoSequence, given: Given, past: _Past
) -> Iterator[SegmentedFrame]:
    slots = range(1, len(sequence.object_ids) + 1)
    for segmented in frames:
        t, forward = segmented.t, segmented.probs.float()
        missing = len(slots) + 1 - len(forward)
        forward = torch.cat([forward, forward.new_zeros(missing, *forward.shape[1:])])
        backward = past.read(t, forward.shape[-2:]).to(forward.device)
        shares = [_share_of_forward(given.before(t, slot), given.after(t, slot)) for slot in slots]
        probs = average(forward, backward, torch.tensor(shares, device=forward.device))
        seconds, _ = past.about.get(t, (None, 0))
        yield segmented._replace(
            probs=probs,
            labels=most_probable(probs).cpu(),
            seconds=sum(filter(None, (segmented.seconds, seconds))) or None,
        )


def _share_of_forward(before: int | None, after: int | None) -> float:
    """How much the forward estimate of an object counts, by the distances to its masks."""
    if before is None or after is None:
        return float(before is not None)
    return 0.5 if before + after == 0 else after / (before + after)


def average(
    one: Float[Tensor, "K1 H W"], other: Float[Tensor, "K1 H W"], shares: Float[Tensor, "K"]
) -> Float[Tensor, "K1 H W"]:
    """Average two distributions, each object with its own share.

    Background gets what the objects leave. Where all shares are equal this is the weighted mean; where one of the two
    does not know an object, that object's share leaves the other's estimate as it is.

    Args:
        one: of background and objects.
        other: the same.
        shares: weight of `one` for each object, in [0, 1].

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
