"""What a policy decided, frame by frame."""

from dataclasses import dataclass, field
from typing import NamedTuple

from vosmem.memory.bank import MemoryBank
from vosmem.memory.policy import Adaptive, Candidate, MemoryPolicy


class Moment(NamedTuple):
    """The memory while one frame was segmented, and what became of that frame.

    Attributes:
        t: the frame's place in the video.
        held: the frames that it was read from, ascending.
        nbytes: of the memory.
        mask_given: whether the user gave its mask.
        kept: whether it was kept; of a video's last frame that is not decided.
        variation: how much the objects had changed since the frame kept last, in [0, 1]; None where nobody asked.
        stay: how many frames the gate let stay after this one was kept; None where it was not asked.
    """

    t: int
    held: list[int]
    nbytes: int
    mask_given: bool
    kept: bool
    variation: float | None = None
    stay: float | None = None


class Decision(NamedTuple):
    """What a policy said of a frame; attributes as of `Moment`."""

    mask_given: bool
    kept: bool
    variation: float | None


@dataclass(frozen=True, kw_only=True)
class WatchedPolicy(MemoryPolicy):
    """Decides as another policy does, and notes it.

    Args:
        policy: the other one.
        decisions: what it said, by the frame's place in the video; filled as the video goes on.
        limits: those of `MemoryPolicy` are the other policy's.
    """

    policy: MemoryPolicy
    decisions: dict[int, Decision] = field(default_factory=dict)

    @property
    def reads_previous(self) -> bool | None:
        """As the other policy."""
        return self.policy.reads_previous

    @property
    def needs_keys(self) -> bool:
        """As the other policy."""
        return self.policy.needs_keys

    @property
    def tracks_usage(self) -> bool:
        """As the other policy."""
        return self.policy.tracks_usage

    def keeps(self, frame: Candidate, last: Candidate | None) -> bool:
        """As the other policy."""
        kept = self.policy.keeps(frame, last)
        variation = None
        if isinstance(self.policy, Adaptive) and last is not None:
            variation = self.policy.variation(frame, last)
        self.decisions[frame.t] = Decision(frame.mask_given, kept, variation)
        return kept

    def make_bank(self, video: str = "") -> MemoryBank:
        """As the other policy."""
        return self.policy.make_bank(video)
