"""Which past frames stay in memory."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from vosmem.errors import InputError
from vosmem.memory.bank import MemoryBank


@dataclass(frozen=True, kw_only=True)
class MemoryPolicy(ABC):
    """Chooses the frames that the memory holds while frame t is segmented, and how much they may take.

    Args:
        max_frames: as of `MemoryBank`.
        budget_mb: as of `MemoryBank`.
        dtype: as of `MemoryBank`.

    Attributes:
        reads_previous: whether frame t-1 is read for frame t, even if it is not kept.
    """

    max_frames: int | None = None
    budget_mb: float | None = None
    dtype: str | None = None
    reads_previous: ClassVar[bool]

    @abstractmethod
    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Whether a frame stays for the rest of the video; `mask_given` says that the user gave its mask."""

    def make_bank(self) -> MemoryBank:
        """An empty bank with the policy's limits."""
        return MemoryBank(self.max_frames, self.budget_mb, self.dtype)


@dataclass(frozen=True, kw_only=True)
class First(MemoryPolicy):
    """Frames with a given mask alone: nothing drifts, nothing new is learnt."""

    reads_previous = False

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Given masks only."""
        return mask_given


@dataclass(frozen=True, kw_only=True)
class Previous(MemoryPolicy):
    """The frame before alone."""

    reads_previous = True

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Nothing stays."""
        return False


@dataclass(frozen=True, kw_only=True)
class FirstAndPrevious(MemoryPolicy):
    """Frames with a given mask, and the frame before."""

    reads_previous = True

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Given masks only."""
        return mask_given


@dataclass(frozen=True, kw_only=True)
class EveryN(MemoryPolicy):
    """Frames with a given mask, the frame before, and every N-th frame from the first on.

    Args:
        interval: distance of the kept frames (N).
        limits: those of `MemoryPolicy`.

    Raises:
        InputError: the interval is below 1.

    Source:
        STM section 3.2 and Table 5; N = 5 in the paper.
    """

    interval: int = 5
    reads_previous = True

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise InputError(f"memory interval {self.interval} is not possible: use 1 (every frame) or more")

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Given masks, and multiples of the interval."""
        return mask_given or frame_index % self.interval == 0
