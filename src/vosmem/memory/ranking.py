"""What is known of the frames in memory beside keys and values, and which of them go first."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.ops.novelty import rank

# Who goes first where there are too many, and how the log says it.
EVICTIONS = {"oldest": "oldest", "random": "random", "usage": "least used", "novelty": "least novel"}


class Ranking(NamedTuple):
    """Frames in the order in which they are worth keeping.

    Attributes:
        frames: their places in the video.
        num_fixed: so many of the first stay in any case: those with a given mask, and the newest.
        novelty: how unlike those before it each frame is.
        usage: mean share of the attention that each got, in [0, 1].
        age: frames taken into memory since.
    """

    frames: list[int]
    num_fixed: int
    novelty: Float[Tensor, "1 T"]
    usage: Float[Tensor, "1 T"]
    age: Float[Tensor, "1 T"]


class _Record:
    """What is known of a frame."""

    def __init__(self, number: int, descriptor: Float[Tensor, "D"] | None) -> None:
        self.number, self.descriptor = number, descriptor
        self.share: Tensor | float = 0.0
        self.reads = 0

    @property
    def usage(self) -> float:
        return float(self.share) / max(1, self.reads)


class FrameRecords:
    """Records of the frames that are kept.

    Args:
        eviction: who goes first: `oldest`, `random`, `usage` or `novelty`.
        seed: of `random`; 0 or more.
        video: name of the video, so that `random` draws other frames in each.
    """

    def __init__(self, eviction: str, seed: int = 0, video: str = "") -> None:
        self.eviction = eviction
        # A digest and not `hash`, which differs between processes.
        self._draw = (seed, int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "big"))
        self._records: dict[int, _Record] = {}
        self._taken = 0

    def add(self, frame: int, descriptor: Float[Tensor, "D"] | None) -> None:
        """A frame is taken into memory."""
        self._taken += 1
        self._records[frame] = _Record(self._taken, descriptor)

    def keep_only(self, frames: set[int]) -> None:
        """All others have left."""
        self._records = {frame: record for frame, record in self._records.items() if frame in frames}

    def record_usage(self, shares: Mapping[int, Float[Tensor, ""]]) -> None:
        """Note how much of the attention each frame got when the memory was read."""
        for frame, record in self._records.items():
            if frame in shares:
                record.share = record.share + shares[frame]
                record.reads += 1

    def retention_order(self, pinned: set[int]) -> list[int]:
        """The frames, those that go first at the end: pinned ones, the newest, then as `eviction` says."""
        if self.eviction == "novelty":
            return self.ranking(pinned).frames
        fixed, rest = self._fixed(pinned)
        worth = {
            "oldest": lambda frame: frame,
            "usage": lambda frame: self._records[frame].usage,
            # Drawn once a frame: what stays is then a random choice of all that came.
            "random": lambda frame: np.random.default_rng((*self._draw, frame)).random(),
        }[self.eviction]
        return fixed + sorted(rest, key=worth, reverse=True)

    def ranking(self, pinned: set[int]) -> Ranking:
        """The frames by novelty, which needs their descriptors."""
        fixed, rest = self._fixed(pinned)
        frames = fixed + rest
        descriptors = [self._records[frame].descriptor for frame in frames]
        assert all(descriptor is not None for descriptor in descriptors)  # whoever asks gave them
        order, novelty = rank(torch.stack([d for d in descriptors if d is not None])[None], len(fixed))
        ordered = [frames[place] for place in order[0].tolist()]
        usage = [self._records[frame].usage for frame in ordered]
        age = [float(self._taken - self._records[frame].number) for frame in ordered]
        return Ranking(ordered, len(fixed), novelty, *(novelty.new_tensor([values]) for values in (usage, age)))

    def _fixed(self, pinned: set[int]) -> tuple[list[int], list[int]]:
        """Pinned frames and the newest, and the others."""
        fixed = sorted(frame for frame in self._records if frame in pinned)
        if max(self._records) not in pinned:
            fixed.append(max(self._records))
        return fixed, sorted(frame for frame in self._records if frame not in fixed)
