"""Which past frames stay in memory."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vosmem.errors import InputError


@runtime_checkable
class MemoryPolicy(Protocol):
    """Chooses the frames that the memory holds while frame t is segmented.

    Attributes:
        reads_previous: whether frame t-1 is read for frame t, even if it is not kept.
    """

    reads_previous: bool

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Whether a frame stays for the rest of the video; `mask_given` says that the user gave its mask."""
        ...


@dataclass(frozen=True)
class First:
    """Frames with a given mask alone: nothing drifts, nothing new is learnt."""

    reads_previous: bool = False

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Given masks only."""
        return mask_given


@dataclass(frozen=True)
class Previous:
    """The frame before alone."""

    reads_previous: bool = True

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Nothing stays."""
        return False


@dataclass(frozen=True)
class FirstAndPrevious:
    """Frames with a given mask, and the frame before."""

    reads_previous: bool = True

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Given masks only."""
        return mask_given


@dataclass(frozen=True)
class EveryN:
    """Frames with a given mask, the frame before, and every N-th frame from the first on.

    Args:
        interval: distance of the kept frames (N).

    Raises:
        InputError: the interval is below 1.

    Source:
        STM section 3.2 and Table 5; N = 5 in the paper.
    """

    interval: int = 5
    reads_previous: bool = True

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise InputError(f"memory interval {self.interval} is not possible: use 1 (every frame) or more")

    def keeps(self, frame_index: int, mask_given: bool) -> bool:
        """Given masks, and multiples of the interval."""
        return mask_given or frame_index % self.interval == 0
