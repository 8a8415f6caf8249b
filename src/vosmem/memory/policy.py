"""Which past frames stay in memory."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.memory.bank import MemoryBank
from vosmem.ops.locality import SEEN
from vosmem.ops.variation import variations


class Candidate(NamedTuple):
    """A frame that may be kept.

    Attributes:
        t: its place in the video.
        mask_given: whether the user gave its mask.
        objects: ids of the objects.
        masks: their soft masks, averaged over cells; in [0, 1].
        certainty: mean probability of the likeliest object where there is one; in [0, 1].
        key: of the frame as a query, where the policy looks at keys.
    """

    t: int
    mask_given: bool
    objects: Sequence[int]
    masks: Float[Tensor, "K h w"]
    certainty: Float[Tensor, ""]
    key: Float[Tensor, "Ck h w"] | None = None


@dataclass(frozen=True, kw_only=True)
class MemoryPolicy(ABC):
    """Chooses the frames that the memory holds while frame t is segmented, and how much they may take.

    Args:
        max_frames: as of `MemoryBank`.
        budget_mb: as of `MemoryBank`.
        dtype: as of `MemoryBank`.
        eviction: as of `MemoryBank`.
        seed: as of `MemoryBank`.
        gated: whether the network's gate says after every frame that is kept how many stay.
    """

    max_frames: int | None = None
    budget_mb: float | None = None
    dtype: str | None = None
    eviction: str = "oldest"
    seed: int = 0
    gated: bool = False

    @property
    def needs_keys(self) -> bool:
        """Whether candidates need their keys."""
        return self.gated or self.eviction == "novelty"

    @property
    def tracks_usage(self) -> bool:
        """Whether the bank has to know how the attention is shared."""
        return self.gated or self.eviction == "usage"

    @property
    @abstractmethod
    def reads_previous(self) -> bool | None:
        """Whether frame t-1 is read for frame t, even if it is not kept; None as the network was made."""

    @abstractmethod
    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Whether a frame stays in memory.

        Args:
            frame: the frame.
            last: the frame that was kept last; None where there is none.
        """

    def make_bank(self, video: str = "") -> MemoryBank:
        """An empty bank with the policy's limits, for the video of that name."""
        return MemoryBank(self.max_frames, self.budget_mb, self.dtype, self.eviction, self.seed, video)


@dataclass(frozen=True, kw_only=True)
class First(MemoryPolicy):
    """Frames with a given mask alone: nothing drifts, nothing new is learnt."""

    reads_previous = False

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Given masks only."""
        return frame.mask_given


@dataclass(frozen=True, kw_only=True)
class Previous(MemoryPolicy):
    """The frame before alone."""

    reads_previous = True

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Nothing stays."""
        return False


@dataclass(frozen=True, kw_only=True)
class FirstAndPrevious(MemoryPolicy):
    """Frames with a given mask, and the frame before."""

    reads_previous = True

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Given masks only."""
        return frame.mask_given


@dataclass(frozen=True, kw_only=True)
class EveryN(MemoryPolicy):
    """Frames with a given mask, every N-th frame from the first on, and the frame before where it is read too.

    Args:
        interval: distance of the kept frames (N).
        include_last: whether the frame before is read too; None as the network was made (STM reads it, the published
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
            raise InputError(f"memory interval {self.interval} is not possible: use 1 (every frame) or more")

    @property
    def reads_previous(self) -> bool | None:
        """As `include_last` says."""
        return self.include_last

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Given masks, and multiples of the interval."""
        return frame.mask_given or frame.t % self.interval == 0


@dataclass(frozen=True, kw_only=True)
class Adaptive(MemoryPolicy):
    """Frames with a given mask, and those in which the objects have changed since the last frame that was kept.

    Where no object is seen, or the network is not sure of what it sees, nothing is kept.

    Args:
        threshold: variation of the object that changed most, from which a frame is kept; in [0, 1]. It depends on the
            network's keys: `vosmem calibrate` finds it.
        least_interval: frames from one that is kept to the next, at least.
        greatest_interval: after that many a frame is kept even if nothing has changed.
        least_certainty: least certainty of a frame that is kept, in [0, 1].
        feature_weight: how much the objects' features count beside their masks, in [0, 1].
        aligned: whether masks are compared after their centres were laid over each other, so that motion alone is no
            change.
        include_last: whether the frame before is read too, as STM does; without it frames that are not kept are not
            encoded.
        limits: those of `MemoryPolicy`.

    Raises:
        InputError: a number is out of its range.

    Source:
        REMN's abstract: the memory is updated by the variation of the foreground objects. How it is measured is this
        project's.
    """

    threshold: float
    least_interval: int = 2
    greatest_interval: int = 25
    least_certainty: float = 0.7
    feature_weight: float = 0.5
    aligned: bool = False
    include_last: bool = False

    def __post_init__(self) -> None:
        for name in ("threshold", "least_certainty", "feature_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"memory.{name}={getattr(self, name)} is not possible: use a number from 0 to 1")
        if not 1 <= self.least_interval <= self.greatest_interval:
            raise InputError(
                f"memory.least_interval={self.least_interval} with greatest_interval={self.greatest_interval} is not "
                f"possible: use 1 or more, and no less for the latter"
            )

    @property
    def reads_previous(self) -> bool:
        """As `include_last` says."""
        return self.include_last

    @property
    def needs_keys(self) -> bool:
        """Always: they tell whether an object looks the same."""
        return True

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """Given masks, and frames whose objects have changed or that come long after the last one."""
        if frame.mask_given or last is None:
            return True
        passed = frame.t - last.t
        if passed < self.least_interval or float(frame.certainty) <= self.least_certainty:
            return False
        if not bool((frame.masks.flatten(1).amax(dim=1) >= SEEN).any()):
            return False
        return passed >= self.greatest_interval or self.variation(frame, last) > self.threshold

    def variation(self, frame: Candidate, last: Candidate) -> float:
        """How much the object changed that changed most between two frames; in [0, 1], 0 where none is seen."""
        assert frame.key is not None and last.key is not None  # asked for
        common = [object_id for object_id in frame.objects if object_id in last.objects]
        rows, before = ([list(each.objects).index(k) for k in common] for each in (frame, last))
        found = variations(
            (frame.masks[rows], frame.key), (last.masks[before], last.key), self.feature_weight, self.aligned
        )
        return float(found.amax()) if len(found) else 0.0
