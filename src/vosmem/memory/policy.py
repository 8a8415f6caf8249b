"""Memory policies: which past frames stay in memory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.memory.bank import MemoryBank
from vosmem.ops.locality import SEEN
from vosmem.ops.masks import on_device
from vosmem.ops.variation import variations


class Candidate(NamedTuple):
    """A segmented frame about which the policy decides."""

    t: int  # index of the frame in the video
    mask_given: bool  # whether the user gave its mask
    objects: Sequence[int]  # ids of the objects
    masks: Float[Tensor, "K h w"]  # soft masks of the objects, averaged over cells; in [0, 1]
    certainty: Float[Tensor, ""]  # mean probability of the most likely object inside the objects; in [0, 1]
    key: Float[Tensor, "Ck h w"] | None = None  # key of the frame as a query, if the policy needs keys


@dataclass(frozen=True, kw_only=True)
class MemoryPolicy(ABC):
    """Decides which frames the memory keeps, and sets the limits of the bank. Policies hold no state.

    Args:
        max_frames: largest number of frames in memory, as in `MemoryBank`.
        budget_mb: largest size of the memory, as in `MemoryBank`.
        dtype: type of stored keys and values, as in `MemoryBank`.
        eviction: which frame is evicted at a limit, as in `MemoryBank`.
        seed: seed of random eviction, as in `MemoryBank`.
        gated: whether the network's gate decides after each kept frame how many frames stay.
    """

    max_frames: int | None = None
    budget_mb: float | None = None
    dtype: str | None = None
    eviction: str = "oldest"
    seed: int = 0
    gated: bool = False

    @property
    def needs_keys(self) -> bool:
        """Whether candidates need keys."""
        return self.gated or self.eviction == "novelty"

    @property
    def tracks_usage(self) -> bool:
        """Whether the bank records the attention that each frame gets."""
        return self.gated or self.eviction == "usage"

    @property
    def limits(self) -> str:
        """The limits in words."""
        frames = [] if self.max_frames is None else [f"{self.max_frames} frames"]
        return " and ".join(frames + ([] if self.budget_mb is None else [f"{self.budget_mb:g} MB"]))

    @property
    @abstractmethod
    def reads_previous(self) -> bool | None:
        """Whether frame t reads frame t-1 even if that is not kept; None for the network's convention."""

    @abstractmethod
    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Decide whether a frame stays in memory; `last` is the last kept frame, None if there is none."""

    def make_bank(self, video: str = "") -> MemoryBank:
        """Make an empty bank with the policy's limits for the video of that name."""
        return MemoryBank(self.max_frames, self.budget_mb, self.dtype, self.eviction, self.seed, video)


@dataclass(frozen=True, kw_only=True)
class First(MemoryPolicy):
    """Keeps frames with a given mask only: estimates cannot drift into memory, and nothing new is learnt."""

    reads_previous = False

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Keep a frame with a given mask."""
        return frame.mask_given


@dataclass(frozen=True, kw_only=True)
class FirstAndPrevious(First):
    """Keeps frames with a given mask, and reads the previous frame."""

    reads_previous = True


@dataclass(frozen=True, kw_only=True)
class Previous(MemoryPolicy):
    """Reads the previous frame only."""

    reads_previous = True

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Keep no frame."""
        return False


@dataclass(frozen=True, kw_only=True)
class EveryN(MemoryPolicy):
    """Keeps frames with a given mask and every N-th frame, and can read the previous frame.

    Args:
        interval: distance of the kept frames (N), 1 or more.
        include_last: whether the previous frame is read; None for the network's convention (STM reads it, the published
            STCN does not).
        limits: those of `MemoryPolicy`.

    Raises:
        InputError: the interval is below 1.

    Source:
        STM section 3.2 and Table 5; N = 5 in the paper.
    """

    interval: int = 5
    include_last: bool | None = None

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise InputError(f"memory.interval={self.interval} is not possible: use 1 (every frame) or more")

    @property
    def reads_previous(self) -> bool | None:
        """Value of `include_last`."""
        return self.include_last

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Keep a frame with a given mask, or whose index is a multiple of the interval."""
        return frame.mask_given or frame.t % self.interval == 0


@dataclass(frozen=True, kw_only=True)
class Adaptive(MemoryPolicy):
    """Keeps frames with a given mask, and frames in which an object has changed since the last kept frame.

    A frame in which no object is visible, or whose estimate is uncertain, is not kept.

    Args:
        threshold: variation of the most changed object above which a frame is kept; in [0, 1]. It depends on the
            network's keys: `vosmem calibrate` finds it.
        least_interval: smallest number of frames between two kept frames.
        greatest_interval: number of frames after which a frame is kept without any change.
        least_certainty: certainty that a kept frame must exceed, in [0, 1].
        feature_weight: weight of features against masks in the variation, in [0, 1].
        aligned: whether the variation compares masks with their centres aligned, so that motion is not a change.
        include_last: whether the previous frame is read, as in STM; if not, only kept frames are encoded.
        limits: those of `MemoryPolicy`.

    Raises:
        InputError: a number is out of its range.

    Source:
        REMN's abstract: the memory is updated by the variation of the foreground objects. The measure of variation is
        this project's.
    """

    threshold: float
    least_interval: int = 2
    greatest_interval: int = 25
    least_certainty: float = 0.7
    feature_weight: float = 0.5
    aligned: bool = False
    include_last: bool = False

    needs_keys = True  # features are compared by their keys

    def __post_init__(self) -> None:
        for name in ("threshold", "least_certainty", "feature_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"memory.{name}={getattr(self, name)} is not possible: use a number from 0 to 1")
        if not 1 <= self.least_interval <= self.greatest_interval:
            raise InputError(
                f"memory.least_interval={self.least_interval} with greatest_interval={self.greatest_interval} is not "
                "possible: use 1 or more for the first, and a second that is not smaller"
            )

    @property
    def reads_previous(self) -> bool:
        """Value of `include_last`."""
        return self.include_last

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Keep a frame with a given mask, with changed objects, or `greatest_interval` frames after the last one."""
        if frame.mask_given or last is None:
            return True
        interval = frame.t - last.t
        if interval < self.least_interval:
            return False
        # All numbers at once, because a GPU is waited for.
        numbers = (frame.certainty, frame.masks.amax(), self._variation(frame, last))
        certainty, fullest, variation = torch.stack([x.to(frame.masks.dtype) for x in numbers]).tolist()
        if certainty <= self.least_certainty or fullest < SEEN:
            return False
        return bool(interval >= self.greatest_interval or variation > self.threshold)

    def variation(self, frame: Candidate, last: Candidate) -> float:
        """Return the variation of the most changed object between two frames; in [0, 1], 0 if no object is visible."""
        return float(self._variation(frame, last))

    def _variation(self, frame: Candidate, last: Candidate) -> Float[Tensor, ""]:
        assert frame.key is not None and last.key is not None  # `needs_keys` is true
        common = [object_id for object_id in frame.objects if object_id in last.objects]
        rows, last_rows = ([list(each.objects).index(k) for k in common] for each in (frame, last))
        found = variations(
            (_rows(frame.masks, rows), frame.key),
            (_rows(last.masks, last_rows), last.key),
            self.feature_weight,
            self.aligned,
        )
        return found.amax() if len(found) else frame.masks.new_zeros(())


def _rows(masks: Float[Tensor, "K h w"], rows: list[int]) -> Float[Tensor, "Kcommon h w"]:
    if rows == list(range(len(masks))):
        return masks
    return masks[on_device(torch.tensor(rows, dtype=torch.long), masks.device)]
